package worker_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/portico-go/portico/channellayer"
	"github.com/portico-go/portico/channellayer/workqueue"
	"github.com/portico-go/portico/consumer"
	"github.com/portico-go/portico/middleware"
	"github.com/portico-go/portico/protocol"
	"github.com/portico-go/portico/router"
	"github.com/portico-go/portico/worker"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A bench is a queue in memory with a worker on it, in virtual time.
type bench struct {
	t     *testing.T
	queue *workqueue.Queue
	logs  *observer.ObservedLogs
	stop  context.CancelFunc
	ended chan struct{} // closed when Run has returned err
	err   error

	reports chan worker.Report
}

const lease = 30 * time.Second

// start runs a worker. Of the configuration Queue, Logger and Report are the bench's.
func start(t *testing.T, app protocol.Application, cfg worker.Config) *bench {
	t.Helper()
	core, logs := observer.New(zapcore.DebugLevel)
	b := &bench{t: t, queue: cfg.Queue, logs: logs, ended: make(chan struct{}), reports: make(chan worker.Report, 100)}
	if b.queue == nil {
		b.queue = newQueue(t, nil)
	}
	cfg.Queue, cfg.Logger, cfg.Report = b.queue, zap.New(core), func(r worker.Report) { b.reports <- r }
	ctx, stop := context.WithCancel(t.Context())
	b.stop = stop
	go func() {
		defer close(b.ended)
		b.err = worker.New(app, cfg).Run(ctx)
	}()
	t.Cleanup(func() {
		_ = b.end() // a test that cares has asked before
		b.queue.Close()
	})
	return b
}

// newQueue returns a queue on a store in memory, perhaps with something around it.
func newQueue(t *testing.T, around func(*workqueue.Memory) workqueue.Store) *workqueue.Queue {
	t.Helper()
	m, err := workqueue.NewMemory(workqueue.Limits{Lease: lease})
	if err != nil {
		t.Fatal(err)
	}
	var store workqueue.Store = m
	if around != nil {
		store = around(m)
	}
	q, err := workqueue.New(workqueue.Config{Store: store})
	if err != nil {
		t.Fatal(err)
	}
	return q
}

func (b *bench) put(n int, options ...workqueue.Option) {
	b.t.Helper()
	if _, err := b.queue.Enqueue(b.t.Context(), "numbers", channellayer.Event{Type: "number", Value: n}, options...); err != nil {
		b.t.Fatal(err)
	}
}

// end stops the worker and returns what Run did.
func (b *bench) end() error {
	b.stop()
	<-b.ended
	return b.err
}

// stats expects these numbers of jobs.
func (b *bench) stats(want workqueue.Stats) {
	b.t.Helper()
	if got, err := b.queue.Stats(b.t.Context(), "numbers"); err != nil || got != want {
		b.t.Errorf("the queue has %+v, %v; expected %+v", got, err, want)
	}
}

// numbers is an application with a function for the jobs of "numbers".
func numbers(do func(ctx context.Context, job *consumer.Job, n int) error) router.ProtocolTypeRouter {
	return router.ProtocolTypeRouter{"channel": router.ChannelNameRouter{
		"numbers": &consumer.Jobs{Handlers: consumer.JobHandlers{"number": consumer.Do(do)}},
	}}
}

func TestAJobIsAConnection(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		user := protocol.NewKey[string]("user")
		login := middleware.Transform{Name: "login", Provides: []protocol.AnyKey{user}, Scope: func(_ context.Context, s *protocol.Scope) (*protocol.Scope, error) {
			return s.With(user.Of(s.Header("X-User"))), nil
		}}.Middleware()
		var saw []string
		app := router.ProtocolTypeRouter{"channel": login(router.ChannelNameRouter{"numbers": &consumer.Jobs{
			Handlers: consumer.JobHandlers{"number": consumer.Do(func(ctx context.Context, job *consumer.Job, n int) error {
				name, _ := user.From(job.Conn.Scope())
				saw = append(saw, fmt.Sprintln(n, job.Conn.Scope().Protocol(), job.Conn.Scope().Channel(), name, job.Conn.Scope().Header("Traceparent"), job.Attempt, ctx.Err()))
				saw = append(saw, fmt.Sprintln(job.Conn.SendText("x") != nil, job.Header.Get("ключ")))
				return nil
			})},
		}})}
		b := start(t, app, worker.Config{})
		header := channellayer.Header{{Key: "x-user", Value: "alice"}, {Key: channellayer.HeaderTraceParent, Value: "00-t-s-01"}, {Key: "ключ", Value: "значение"}, {Key: "bad", Value: "a\r\nx-user: mallory"}}
		if _, err := b.queue.Enqueue(t.Context(), "numbers", channellayer.Event{Type: "number", Value: 7, Header: header}); err != nil {
			t.Fatal(err)
		}
		if r := <-b.reports; r.Err != nil || !r.Kept || r.Outcome.Verdict != workqueue.Done || r.Job.Attempt != 1 {
			t.Errorf("report %+v", r)
		}
		if err := b.end(); err != nil {
			t.Error(err)
		}
		if want := []string{"7 channel numbers alice 00-t-s-01 1 <nil>\n", "true значение\n"}; !slices.Equal(saw, want) {
			t.Errorf("the handler saw %q, expected %q", saw, want)
		}
	})
}

func TestFailuresAreRetriedAndThenDead(t *testing.T) {
	t.Parallel()
	for name, fail := range map[string]func() error{
		"error": func() error { return errors.New("no such photo") },
		"panic": func() error { panic("no such photo") },
		"hook":  func() error { return nil }, // see the application
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var began []time.Time
				app := numbers(func(_ context.Context, job *consumer.Job, _ int) error {
					began = append(began, time.Now())
					if name == "hook" {
						return job.Conn.Scope().OnResponse(func(context.Context, *protocol.Head) error { return errors.New("no such photo") })
					}
					return fail()
				})
				b := start(t, app, worker.Config{Policy: worker.Policy{Attempts: 4, Backoff: worker.Backoff{First: time.Second, Most: 2 * time.Second}}})
				b.put(31337)
				for attempt := 1; attempt <= 4; attempt++ {
					r := <-b.reports
					want := workqueue.Retry
					if attempt == 4 {
						want = workqueue.Bury
					}
					if r.Outcome.Verdict != want || r.Job.Attempt != attempt || r.Err == nil || !r.Kept {
						t.Errorf("attempt %d: %+v", attempt, r)
					}
				}
				b.stats(workqueue.Stats{Dead: 1})
				for i, most := range []time.Duration{time.Second, 2 * time.Second, 2 * time.Second} {
					if pause := began[i+1].Sub(began[i]); pause < most/2 || pause > most {
						t.Errorf("pause %d was %v, expected %v to %v", i+1, pause, most/2, most)
					}
				}
				dead, err := b.queue.Dead(t.Context(), "numbers", 0, 1)
				if err != nil || len(dead) != 1 || !strings.Contains(dead[0].Error, "no such photo") || dead[0].Attempt != 4 {
					t.Errorf("dead: %+v, %v", dead, err)
				}
				if err := b.end(); err != nil {
					t.Error(err)
				}
				if n := b.logs.FilterMessage("a job failed and is tried again").Len(); n != 3 {
					t.Errorf("%d failures were logged, expected 3", n)
				}
				for _, entry := range b.logs.All() {
					if text := fmt.Sprint(entry.Message, entry.ContextMap()); strings.Contains(text, "31337") {
						t.Errorf("the log has the job's value: %s", text)
					}
				}
			})
		})
	}
}

func TestVerdictsOfHandlers(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		err   error
		want  workqueue.Verdict
		after time.Duration
	}{
		"permanent":   {workqueue.Permanent(errors.New("x")), workqueue.Bury, 0},
		"wrapped":     {fmt.Errorf("x: %w", workqueue.Permanent(errors.New("x"))), workqueue.Bury, 0},
		"forbidden":   {protocol.Rejectf(403, "x"), workqueue.Bury, 0},
		"unavailable": {protocol.Rejectf(503, "x"), workqueue.Retry, time.Second},
		"later":       {workqueue.RetryAfter(errors.New("x"), 7*time.Minute), workqueue.Retry, 7 * time.Minute},
		"cancelled":   {context.Canceled, workqueue.Retry, time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := start(t, numbers(func(context.Context, *consumer.Job, int) error { return c.err }), worker.Config{})
				b.put(1)
				r := <-b.reports
				if r.Outcome.Verdict != c.want || r.Outcome.After > c.after || r.Outcome.After < c.after/2 {
					t.Errorf("%+v, expected verdict %d after %v", r.Outcome, c.want, c.after)
				}
			})
		})
	}
}

// A job that the application refused is no job that was done, also when its handler returned nil.
func TestARefusalIsAFailure(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := start(t, numbers(func(_ context.Context, job *consumer.Job, _ int) error {
			return job.Conn.Send(protocol.Rejectf(403, "not yours"))
		}), worker.Config{})
		b.put(1)
		if r := <-b.reports; r.Outcome.Verdict != workqueue.Bury || !strings.Contains(r.Outcome.Error, "not yours") {
			t.Errorf("%+v, expected a dead job", r)
		}
	})
}

func TestUnknownAndWrongJobs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := start(t, numbers(func(context.Context, *consumer.Job, int) error { return nil }), worker.Config{})
		for _, c := range []struct {
			ev   channellayer.Event
			want workqueue.Verdict
		}{
			{channellayer.Event{Type: "letter"}, workqueue.Retry},
			{channellayer.Event{Type: "number", Value: "seven"}, workqueue.Bury},
		} {
			if _, err := b.queue.Enqueue(t.Context(), "numbers", c.ev); err != nil {
				t.Fatal(err)
			}
			if r := <-b.reports; r.Outcome.Verdict != c.want || !strings.Contains(r.Outcome.Error, c.ev.Type) {
				t.Errorf("%+v: %+v, expected verdict %d", c.ev, r.Outcome, c.want)
			}
		}
	})
}

func TestConcurrency(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var running, most atomic.Int64
		do := func(context.Context, *consumer.Job, int) error {
			most.Store(max(most.Load(), running.Add(1)))
			time.Sleep(time.Minute)
			running.Add(-1)
			return nil
		}
		app := numbers(do)
		app["channel"].(router.ChannelNameRouter)["others"] = &consumer.Jobs{Handlers: consumer.JobHandlers{"number": consumer.Do(do)}}
		b := start(t, app, worker.Config{Channels: map[string]worker.Policy{"numbers": {Concurrency: 3}}})
		began := time.Now()
		for n := range 10 {
			b.put(n)
			if _, err := b.queue.Enqueue(t.Context(), "others", channellayer.Event{Type: "number", Value: n}); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		b.stats(workqueue.Stats{Waiting: 7, Running: 3})
		for range 10 {
			<-b.reports
		}
		if took := time.Since(began); took != 4*time.Minute || most.Load() != 3 {
			t.Errorf("ten jobs of a minute took %v, %d at a time; expected 4m, 3", took, most.Load())
		}
		if st, err := b.queue.Stats(t.Context(), "others"); err != nil || st.Waiting != 10 {
			t.Errorf("another channel has %+v, %v; it is not this worker's", st, err)
		}
	})
}

func TestExpiredJobsAreDead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := start(t, numbers(func(_ context.Context, _ *consumer.Job, n int) error {
			if n == 2 {
				t.Error("a job ran that had expired")
			}
			time.Sleep(time.Hour)
			return nil
		}), worker.Config{Policy: worker.Policy{Timeout: -1}})
		b.put(1, workqueue.Expiry(time.Minute))
		b.put(2, workqueue.Expiry(time.Minute))
		if r := <-b.reports; r.Outcome.Verdict != workqueue.Done {
			t.Errorf("%+v, expected a job that began in time to be done", r)
		}
		if r := <-b.reports; r.Outcome.Verdict != workqueue.Bury || !errors.Is(r.Err, workqueue.ErrExpired) {
			t.Errorf("%+v, expected ErrExpired", r)
		}
	})
}

func TestTimeout(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		causes := make(chan error, 1)
		b := start(t, numbers(func(ctx context.Context, _ *consumer.Job, _ int) error {
			<-ctx.Done()
			causes <- context.Cause(ctx)
			return ctx.Err()
		}), worker.Config{Policy: worker.Policy{Timeout: 2 * time.Minute}})
		b.put(1)
		if r := <-b.reports; r.Outcome.Verdict != workqueue.Retry || !errors.Is(r.Err, worker.ErrTimeout) || r.Took != 2*time.Minute {
			t.Errorf("%+v, expected ErrTimeout after two minutes", r)
		}
		if cause := <-causes; !errors.Is(cause, worker.ErrTimeout) {
			t.Errorf("the cause was %v", cause)
		}
	})
}

// Whoever handles a job gets one Disconnect, and its cleanups, when the job is over, however it ended.
func TestDisconnect(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		err      error
		accepted bool
	}{"done": {nil, true}, "failed": {errors.New("x"), false}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var got []string
				app := protocol.ApplicationFunc(func(_ context.Context, _ *protocol.Scope, conn *protocol.Conn) (protocol.Handler, error) {
					conn.OnClose(func(_ context.Context, cause error) { got = append(got, fmt.Sprint("cleanup ", cause)) })
					return protocol.HandlerFunc(func(_ context.Context, ev protocol.Event) error {
						if d, ok := ev.(*protocol.Disconnect); ok {
							got = append(got, fmt.Sprint(d.EventType(), " ", d.Accepted))
							return nil
						}
						got = append(got, ev.EventType())
						return c.err
					}), nil
				})
				b := start(t, app, worker.Config{Channels: map[string]worker.Policy{"numbers": {}}})
				b.put(1)
				<-b.reports
				synctest.Wait()
				if want := []string{"job", fmt.Sprint("disconnect ", c.accepted), fmt.Sprint("cleanup ", c.err)}; !slices.Equal(got, want) {
					t.Errorf("got %q, expected %q", got, want)
				}
			})
		})
	}
}

func TestFaultsAreFoundBeforeAnythingRuns(t *testing.T) {
	t.Parallel()
	fine := numbers(func(context.Context, *consumer.Job, int) error { return nil })
	queue := newQueue(t, nil)
	defer queue.Close()
	for name, c := range map[string]struct {
		app  protocol.Application
		cfg  worker.Config
		want []string
	}{
		"nothing":     {nil, worker.Config{}, []string{"application is nil", "Queue is nil"}},
		"no channel":  {router.ProtocolTypeRouter{"http": fine}, worker.Config{Queue: queue}, []string{`no application for "channel"`, `"http"`}},
		"not routed":  {fine, worker.Config{Queue: queue, Channels: map[string]worker.Policy{"x": {}}}, []string{`"x"`, `["numbers"]`}},
		"nothing on":  {protocol.ApplicationFunc(nil), worker.Config{Queue: queue}, []string{"no channel to work on"}},
		"nil":         {router.ChannelNameRouter{"numbers": nil}, worker.Config{Queue: queue}, []string{"numbers"}},
		"no handlers": {router.ChannelNameRouter{"numbers": &consumer.Jobs{}}, worker.Config{Queue: queue}, []string{"no Handlers"}},
		"policy":      {fine, worker.Config{Queue: queue, Policy: worker.Policy{Concurrency: -1}, Channels: map[string]worker.Policy{"numbers": {Backoff: worker.Backoff{First: 2, Most: 1}}}}, []string{"Concurrency -1", "first pause"}},
		"name":        {fine, worker.Config{Queue: queue, Channels: map[string]worker.Policy{"a\nb": {}}}, []string{"control character"}},
		"times":       {fine, worker.Config{Queue: queue, Shutdown: -1}, []string{"Shutdown"}},
	} {
		err := worker.New(c.app, c.cfg).Run(t.Context())
		for _, want := range c.want {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v, expected %q in it", name, err, want)
			}
		}
	}
}

// A hooked is an application with start and stop hooks.
type hooked struct {
	protocol.Application
	name string
	log  func(string)
}

var started = protocol.NewKey[string]("started")

func (h hooked) Describe() protocol.Description {
	return protocol.Description{
		Name: h.name, Inner: []protocol.Inner{{App: h.Application}},
		Start: func(_ context.Context, state *protocol.LifespanState) error {
			h.log("start " + h.name)
			state.Set(started.Of(h.name))
			return nil
		},
		Stop: func(context.Context) error {
			h.log("stop " + h.name)
			return nil
		},
	}
}

func TestHooksOfTheJobsRun(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var got []string
		log := func(s string) { got = append(got, s) }
		jobs := numbers(func(_ context.Context, job *consumer.Job, _ int) error {
			name, _ := started.From(job.Conn.Scope())
			log("scope " + name)
			return nil
		})["channel"]
		app := router.ProtocolTypeRouter{"channel": hooked{jobs, "jobs", log}, "http": hooked{jobs, "site", log}}
		b := start(t, app, worker.Config{})
		b.put(1)
		<-b.reports
		if err := b.end(); err != nil {
			t.Error(err)
		}
		if want := []string{"start jobs", "scope jobs", "stop jobs"}; !slices.Equal(got, want) {
			t.Errorf("got %q, expected %q", got, want)
		}
	})
}

func TestAWorkerRunsOnce(t *testing.T) {
	t.Parallel()
	queue := newQueue(t, nil)
	w := worker.New(numbers(func(context.Context, *consumer.Job, int) error { return nil }), worker.Config{Queue: queue, Logger: zap.NewNop()})
	queue.Close()
	if err := w.Run(t.Context()); !errors.Is(err, workqueue.ErrClosed) {
		t.Errorf("a closed queue: %v, expected ErrClosed", err)
	}
	if err := w.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "before") {
		t.Errorf("the second time: %v", err)
	}
}

func TestBackoff(t *testing.T) {
	t.Parallel()
	for n, most := range map[int]time.Duration{1: time.Second, 2: 2 * time.Second, 9: 256 * time.Second, 10: 5 * time.Minute, 1000: 5 * time.Minute} {
		for range 100 {
			if got := (worker.Backoff{}).Pause(n); got < most/2 || got > most {
				t.Fatalf("pause %d is %v, expected %v to %v", n, got, most/2, most)
			}
		}
	}
	if got := (worker.Backoff{First: time.Hour}).Pause(5); got > time.Hour || got < time.Hour/2 {
		t.Errorf("a first pause of an hour became %v", got)
	}
}
