package worker_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/portico-go/portico/channellayer"
	"github.com/portico-go/portico/channellayer/workqueue"
	"github.com/portico-go/portico/consumer"
	"github.com/portico-go/portico/protocol"
	"github.com/portico-go/portico/worker"
)

// A job that runs is finished, one that waits is left.
func TestDrainLetsJobsFinish(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := start(t, numbers(func(ctx context.Context, _ *consumer.Job, _ int) error {
			time.Sleep(9 * time.Second)
			return ctx.Err()
		}), worker.Config{})
		b.put(1)
		b.put(2)
		synctest.Wait()
		began := time.Now()
		if err := b.end(); err != nil {
			t.Error(err)
		}
		if took := time.Since(began); took != 9*time.Second {
			t.Errorf("the drain took %v, expected 9s", took)
		}
		if r := <-b.reports; r.Outcome.Verdict != workqueue.Done || len(b.reports) > 0 {
			t.Errorf("%+v and %d more, expected one job that was done", r, len(b.reports))
		}
		b.stats(workqueue.Stats{Waiting: 1})
	})
}

// A job that does not finish in time is given back as if it had not been tried.
func TestDrainGivesJobsBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := start(t, numbers(func(ctx context.Context, _ *consumer.Job, n int) error {
			<-ctx.Done()
			if cause := context.Cause(ctx); !errors.Is(cause, protocol.ErrShutdown) {
				t.Errorf("the cause is %v, expected ErrShutdown", cause)
			}
			if n == 2 {
				return errors.New("an error of its own")
			}
			return ctx.Err()
		}), worker.Config{Policy: worker.Policy{Concurrency: 2, Attempts: 1}, Shutdown: 3 * time.Second})
		b.put(1)
		b.put(2)
		synctest.Wait()
		began := time.Now()
		if err := b.end(); err != nil {
			t.Error(err)
		}
		if took := time.Since(began); took != 3*time.Second {
			t.Errorf("the drain took %v, expected 3s", took)
		}
		b.stats(workqueue.Stats{Waiting: 2})
		leases, err := b.queue.Take(t.Context(), "numbers", 2)
		if err != nil || len(leases) != 2 || leases[0].Job.Attempt != 1 || leases[1].Job.Attempt != 1 {
			t.Errorf("%v, %v: expected the two jobs at their first attempt", leases, err)
		}
	})
}

// A handler that never returns does not keep the worker, nor its job.
func TestDrainLeavesStuckHandlers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		b := start(t, numbers(func(context.Context, *consumer.Job, int) error {
			<-release
			return nil
		}), worker.Config{})
		b.put(1)
		synctest.Wait()
		began := time.Now()
		err := b.end()
		if took := time.Since(began); err == nil || !strings.Contains(err.Error(), "1 jobs did not return") || took != 20*time.Second {
			t.Errorf("%v after %v, expected an error after 20s", err, took)
		}
		b.stats(workqueue.Stats{Waiting: 1})
		stuck := b.logs.FilterMessageSnippet("does not return").All()
		if len(stuck) != 1 || !strings.Contains(fmt.Sprint(stuck[0].ContextMap()["stack"]), "TestDrainLeavesStuckHandlers") {
			t.Errorf("logged %v, expected one stuck handler with its stack", stuck)
		}
		close(release)
		synctest.Wait()
		b.stats(workqueue.Stats{Waiting: 1})
	})
}

// A handler that outlives its timeout loses its job, and its worker goes on.
func TestStuckHandlersLoseTheirLease(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		b := start(t, numbers(func(_ context.Context, job *consumer.Job, _ int) error {
			if job.Attempt == 1 {
				<-release
			}
			return nil
		}), worker.Config{Policy: worker.Policy{Concurrency: 2, Timeout: time.Minute}})
		b.put(1)
		began := time.Now()
		r := <-b.reports
		if took := time.Since(began); r.Outcome.Verdict != workqueue.Done || r.Job.Attempt != 2 || took > time.Minute+10*time.Second+lease {
			t.Errorf("%+v after %v, expected the second attempt to be made", r, took)
		}
		close(release)
		if r := <-b.reports; r.Kept {
			t.Errorf("%+v: the outcome of an attempt was kept whose lease was lost", r)
		}
	})
}

// While a handler runs nobody else gets its job, however long it takes.
func TestTheLeaseIsExtended(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		do := func(context.Context, *consumer.Job, int) error {
			time.Sleep(20 * lease)
			return nil
		}
		a := start(t, numbers(do), worker.Config{})
		b := start(t, numbers(do), worker.Config{Queue: a.queue})
		a.put(1)
		synctest.Wait()
		time.Sleep(20*lease + time.Second)
		synctest.Wait()
		if n := len(a.reports) + len(b.reports); n != 1 {
			t.Errorf("the job ran %d times, expected once", n)
		}
		a.stats(workqueue.Stats{})
	})
}

// A job whose workers all died is dead without being tried once more.
func TestPoisonIsDead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := newQueue(t, nil)
		if _, err := q.Enqueue(t.Context(), "numbers", channellayer.Event{Type: "number", Value: 1}); err != nil {
			t.Fatal(err)
		}
		for range 3 {
			if _, err := q.Take(t.Context(), "numbers", 1); err != nil { // and die
				t.Fatal(err)
			}
		}
		b := start(t, numbers(func(context.Context, *consumer.Job, int) error {
			t.Error("poison ran")
			return nil
		}), worker.Config{Queue: q, Policy: worker.Policy{Attempts: 3}})
		if r := <-b.reports; r.Outcome.Verdict != workqueue.Bury || !strings.Contains(r.Outcome.Error, "worker died") {
			t.Errorf("%+v, expected a dead job", r)
		}
		b.stats(workqueue.Stats{Dead: 1})
	})
}

// A flaky is a store whose server goes away.
type flaky struct {
	*workqueue.Memory
	mu      sync.Mutex
	away    bool
	settles int
}

var errAway = errors.New("connection refused")

func (f *flaky) set(away bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.away = away
}

func (f *flaky) err() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.away {
		return errAway
	}
	return nil
}

func (f *flaky) Take(ctx context.Context, channel string, most int) ([]*workqueue.Lease, error) {
	if err := f.err(); err != nil {
		return nil, err
	}
	return f.Memory.Take(ctx, channel, most)
}

func (f *flaky) Settle(ctx context.Context, l *workqueue.Lease, o workqueue.Outcome) error {
	f.mu.Lock()
	f.settles++
	f.mu.Unlock()
	if err := f.err(); err != nil {
		return err
	}
	return f.Memory.Settle(ctx, l, o)
}

func (f *flaky) Extend(ctx context.Context, l *workqueue.Lease) error {
	if err := f.err(); err != nil {
		return err
	}
	return f.Memory.Extend(ctx, l)
}

// newFlaky returns a queue on a flaky store.
func newFlaky(t *testing.T) (*workqueue.Queue, *flaky) {
	t.Helper()
	f := &flaky{}
	q := newQueue(t, func(m *workqueue.Memory) workqueue.Store {
		f.Memory = m
		return f
	})
	return q, f
}

// What became of a job is told to the queue when it is back, if that is before the lease runs out.
func TestAnOutageIsSurvived(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q, f := newFlaky(t)
		b := start(t, numbers(func(_ context.Context, _ *consumer.Job, n int) error {
			f.set(n == 1)
			return nil
		}), worker.Config{Queue: q, Policy: worker.Policy{Concurrency: 2}})
		b.put(1)
		synctest.Wait()
		time.Sleep(lease / 2)
		f.set(false)
		if r := <-b.reports; !r.Kept {
			t.Errorf("%+v, expected that the outcome was kept", r)
		}
		if f.settles < 3 || f.settles > 100 {
			t.Errorf("the outcome was told %d times in %v", f.settles, lease/2)
		}
		b.put(2)
		if r := <-b.reports; !r.Kept || r.Outcome.Verdict != workqueue.Done {
			t.Errorf("the job after the outage: %+v", r)
		}
	})
}

// Without the queue a worker cannot know that it still has a job, so when the lease is over its handler is told.
func TestALeaseIsLostWithoutTheQueue(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q, f := newFlaky(t)
		var took time.Duration
		b := start(t, numbers(func(ctx context.Context, _ *consumer.Job, _ int) error {
			began := time.Now()
			f.set(true)
			<-ctx.Done()
			took = time.Since(began)
			return context.Cause(ctx)
		}), worker.Config{Queue: q})
		b.put(1)
		r := <-b.reports
		if !errors.Is(r.Err, workqueue.ErrLeaseLost) || r.Kept || took != lease {
			t.Errorf("%+v after %v, expected ErrLeaseLost after %v", r, took, lease)
		}
		if n := b.logs.FilterMessageSnippet("cannot be reached").Len(); n > 1 {
			t.Errorf("the outage was logged %d times", n)
		}
	})
}
