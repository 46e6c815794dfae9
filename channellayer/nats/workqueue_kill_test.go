package nats_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"

	"github.com/portico-go/portico/channellayer"
	"github.com/portico-go/portico/channellayer/nats"
	"github.com/portico-go/portico/channellayer/workqueue"
)

// jobLease is that of the tests that wait for leases to run out.
const jobLease = 2 * time.Second

func newQueue(t testing.TB, url string) *workqueue.Queue {
	t.Helper()
	q, err := workqueue.New(workqueue.Config{Store: newJobStore(t, nats.JobStoreOptions{URL: url, Limits: workqueue.Limits{Lease: jobLease}})})
	if err != nil {
		t.Fatal(err)
	}
	return q
}

// enqueue enqueues a number.
func enqueue(ctx context.Context, q *workqueue.Queue, n int) error {
	_, err := q.Enqueue(ctx, "numbers", channellayer.Event{Type: "number", Value: n}, workqueue.Key(fmt.Sprint(n)))
	return err
}

// breathe waits a little.
func breathe(ctx context.Context) {
	select {
	case <-time.After(20 * time.Millisecond):
	case <-ctx.Done():
	}
}

// A tally does jobs, and counts which numbers have been done.
type tally struct {
	mu   sync.Mutex
	done map[int]int
}

// work does jobs until the context ends.
func (c *tally) work(ctx context.Context, q *workqueue.Queue) {
	for ctx.Err() == nil {
		leases, err := q.Take(ctx, "numbers", 8)
		for _, l := range leases {
			c.do(ctx, q, l)
		}
		if err != nil {
			breathe(ctx)
		}
	}
}

// do counts a job and acknowledges it, for as long as it may.
func (c *tally) do(ctx context.Context, q *workqueue.Queue, l *workqueue.Lease) {
	n, _ := workqueue.Value[int](l.Job)
	c.mu.Lock()
	c.done[n]++
	c.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, l.Term)
	defer cancel()
	for ctx.Err() == nil {
		if err := q.Settle(ctx, l, workqueue.Outcome{}); err == nil || errors.Is(err, workqueue.ErrLeaseLost) {
			return
		}
		breathe(ctx)
	}
}

// missing counts the numbers that are not done.
func (c *tally) missing(numbers []int) (n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, number := range numbers {
		if c.done[number] == 0 {
			n++
		}
	}
	return n
}

// What was acknowledged is done, though the server is killed again and again while jobs are enqueued and done.
func TestJobsOutliveAKilledServer(t *testing.T) {
	t.Parallel()
	p := launchDurable(t)
	q := newQueue(t, p.url())
	ctx, stop := context.WithCancel(t.Context())
	c := &tally{done: map[int]int{}}
	var all, producing sync.WaitGroup
	defer all.Wait()
	defer stop()
	for range 4 {
		all.Go(func() { c.work(ctx, q) })
	}
	var mu sync.Mutex
	var acknowledged []int
	refused := 0
	sending, enough := context.WithCancel(ctx)
	defer enough()
	for producer := range 4 {
		producing.Go(func() {
			for n := producer; sending.Err() == nil; n += 4 {
				err := enqueue(ctx, q, n)
				mu.Lock()
				if err == nil {
					acknowledged = append(acknowledged, n)
				} else {
					refused++
				}
				mu.Unlock()
				if err != nil {
					breathe(ctx)
				}
			}
		})
	}
	count := func() int {
		mu.Lock()
		defer mu.Unlock()
		return len(acknowledged)
	}
	for range 3 {
		before := count()
		eventually(t, "jobs are enqueued", func() bool { return count() > before+200 })
		p.kill()
		p.start()
	}
	before := count()
	eventually(t, "jobs are enqueued again", func() bool { return count() > before+100 })
	enough()
	producing.Wait()
	eventually(t, "all jobs are done", func() bool { return c.missing(acknowledged) == 0 })
	eventually(t, "nothing is left", func() bool {
		st, err := q.Stats(ctx, "numbers")
		return err == nil && st == (workqueue.Stats{})
	})
	c.mu.Lock()
	defer c.mu.Unlock()
	twice := 0
	for _, times := range c.done {
		twice += times - 1
	}
	t.Logf("%d acknowledged and all done, %d refused, %d done again, over three kills", len(acknowledged), refused, twice)
}

// workerVariable is the URL of the server for a worker process, which is this program once more.
const workerVariable = "PORTICO_TEST_WORKER"

// The jobs of a worker process that is killed run elsewhere when their leases are over.
func TestJobsOfAKilledWorker(t *testing.T) {
	if url := os.Getenv(workerVariable); url != "" {
		hang(t, url)
		return
	}
	t.Parallel()
	s := launch(t, jetStream(t))
	q := newQueue(t, s.url())
	for n := range 3 {
		if err := enqueue(t.Context(), q, n); err != nil {
			t.Fatal(err)
		}
	}
	worker := exec.Command(os.Args[0], "-test.run=^TestJobsOfAKilledWorker$")
	worker.Env = append(os.Environ(), workerVariable+"="+s.url())
	out, err := worker.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := worker.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if line != "has 3 jobs\n" {
		t.Errorf("the worker said %q, %v", line, err)
	}
	_ = worker.Process.Kill()
	_ = worker.Wait()
	killed := time.Now()
	for got := 0; got < 3; {
		leases, err := q.Take(t.Context(), "numbers", 3)
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range leases {
			if l.Job.Attempt != 2 {
				t.Errorf("a job came at attempt %d, expected the second", l.Job.Attempt)
			}
			if err := q.Settle(t.Context(), l, workqueue.Outcome{}); err != nil {
				t.Error(err)
			}
			got++
		}
	}
	if took := time.Since(killed); took > jobLease+time.Second {
		t.Errorf("it took %v until the jobs ran elsewhere, expected the lease of %v and at most a second", took, jobLease)
	}
}

// hang takes three jobs and keeps them, until it is killed.
func hang(t *testing.T, url string) {
	t.Helper()
	q := newQueue(t, url)
	got := 0
	for got < 3 {
		leases, err := q.Take(t.Context(), "numbers", 3-got)
		if err != nil {
			t.Fatal(err)
		}
		got += len(leases)
	}
	fmt.Printf("has %d jobs\n", got)
	select {}
}
