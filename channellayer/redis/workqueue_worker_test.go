package redis_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/rueidis"
	"go.uber.org/zap"

	"github.com/portico-go/portico/channellayer"
	"github.com/portico-go/portico/channellayer/redis"
	"github.com/portico-go/portico/channellayer/workqueue"
	"github.com/portico-go/portico/consumer"
	"github.com/portico-go/portico/router"
	"github.com/portico-go/portico/worker"
)

// jobLease is that of the tests that wait for leases to run out.
const jobLease = 2 * time.Second

// newQueue returns a queue in Redis.
func newQueue(t testing.TB, client rueidis.ClientOption) *workqueue.Queue {
	t.Helper()
	q, err := workqueue.New(workqueue.Config{Store: openJobs(t, redis.JobStoreOptions{Client: client, Limits: workqueue.Limits{Lease: jobLease}})})
	if err != nil {
		t.Fatal(err)
	}
	return q
}

func standalone(addr string) rueidis.ClientOption {
	return rueidis.ClientOption{InitAddress: []string{addr}}
}

// numbered enqueues a number.
func numbered(ctx context.Context, q *workqueue.Queue, channel string, n int) error {
	_, err := q.Enqueue(ctx, channel, channellayer.Event{Type: "number", Value: n}, workqueue.Key(fmt.Sprint(n)))
	return err
}

// A tally is a worker that counts which numbers it has done.
type tally struct {
	mu   sync.Mutex
	done map[int]int
	last map[int]int // the attempt
	more chan struct{}
}

// work runs a worker of these channels until the test ends.
func work(t *testing.T, q *workqueue.Queue, channels ...string) *tally {
	t.Helper()
	c := &tally{done: make(map[int]int), last: make(map[int]int), more: make(chan struct{}, 1)}
	jobs := &consumer.Jobs{Handlers: consumer.JobHandlers{"number": consumer.Do(func(_ context.Context, job *consumer.Job, n int) error {
		c.mu.Lock()
		c.done[n]++
		c.last[n] = job.Attempt
		c.mu.Unlock()
		select {
		case c.more <- struct{}{}:
		default:
		}
		return nil
	})}}
	app := router.ChannelNameRouter{}
	for _, name := range channels {
		app[name] = jobs
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	w := worker.New(app, worker.Config{Queue: q, Policy: worker.Policy{Concurrency: 8}, Logger: zap.NewNop()})
	go func() { ended <- w.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("the worker ended with %v", err)
		}
	})
	return c
}

// await waits until all of these numbers are done.
func (c *tally) await(t *testing.T, numbers []int) {
	t.Helper()
	deadline := time.After(patience)
	for {
		c.mu.Lock()
		missing := 0
		for _, n := range numbers {
			if c.done[n] == 0 {
				missing++
			}
		}
		c.mu.Unlock()
		if missing == 0 {
			return
		}
		select {
		case <-c.more:
		case <-deadline:
			t.Fatalf("%d of %d jobs are not done after %v", missing, len(numbers), patience)
		}
	}
}

// What was acknowledged is done, though the server is killed again and again while jobs are enqueued and done.
func TestJobsOutliveAKilledServer(t *testing.T) {
	t.Parallel()
	s := launch(t, durable)
	q := newQueue(t, standalone(s.addr))
	ctx, cancel := context.WithTimeout(t.Context(), 4*patience)
	defer cancel()
	c := work(t, q, "numbers")

	var mu sync.Mutex
	var acknowledged []int
	refused := 0
	stop := make(chan struct{})
	var producing sync.WaitGroup
	for p := range 4 {
		producing.Go(func() {
			tick := time.NewTicker(2 * time.Millisecond)
			defer tick.Stop()
			for n := p; ; n += 4 {
				select {
				case <-stop:
					return
				case <-tick.C:
				}
				err := numbered(ctx, q, "numbers", n)
				mu.Lock()
				if err == nil {
					acknowledged = append(acknowledged, n)
				} else {
					refused++
				}
				mu.Unlock()
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
		await(t, "jobs are enqueued", func() bool { return count() > before+200 })
		s.kill()
		s.start()
	}
	before := count()
	await(t, "jobs are enqueued again", func() bool { return count() > before+100 })
	close(stop)
	producing.Wait()
	c.await(t, acknowledged)
	await(t, "nothing is left", func() bool {
		st, err := q.Stats(ctx, "numbers")
		return err == nil && st == (workqueue.Stats{})
	})
	twice := 0
	for _, times := range c.done {
		twice += times - 1
	}
	t.Logf("%d acknowledged and all done, %d refused, %d done again, over three kills", len(acknowledged), refused, twice)
}

// TestWorkerProcess is no test by itself: it is the process that TestJobsOfAKilledWorker kills.
func TestWorkerProcess(t *testing.T) {
	addr := os.Getenv("PORTICO_TEST_WORKER")
	if addr == "" {
		return
	}
	jobs := &consumer.Jobs{Handlers: consumer.JobHandlers{"number": consumer.Do(func(ctx context.Context, _ *consumer.Job, n int) error {
		fmt.Println("took", n)
		<-ctx.Done()
		return ctx.Err()
	})}}
	q := newQueue(t, standalone(addr))
	if err := worker.New(router.ChannelNameRouter{"numbers": jobs}, worker.Config{Queue: q, Policy: worker.Policy{Concurrency: 5}}).Run(t.Context()); err != nil {
		t.Error(err)
	}
}

// The jobs of a process that is killed run elsewhere when their leases have run out.
func TestJobsOfAKilledWorker(t *testing.T) {
	t.Parallel()
	s := launch(t, nil)
	q := newQueue(t, standalone(s.addr))
	var all []int
	for n := range 5 {
		if err := numbered(t.Context(), q, "numbers", n); err != nil {
			t.Fatal(err)
		}
		all = append(all, n)
	}
	child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestWorkerProcess$", "-test.v")
	child.Env = append(os.Environ(), "PORTICO_TEST_WORKER="+s.addr)
	out, err := child.StdoutPipe()
	if err == nil {
		err = child.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	took := 0
	for lines := bufio.NewScanner(out); took < len(all) && lines.Scan(); {
		if strings.HasPrefix(lines.Text(), "took") {
			took++
		}
	}
	if took != len(all) {
		t.Fatalf("the child took %d jobs, expected %d", took, len(all))
	}
	// It keeps its leases as long as it lives.
	timer := time.NewTimer(2 * jobLease)
	<-timer.C
	if st, err := q.Stats(t.Context(), "numbers"); err != nil || st != (workqueue.Stats{Running: len(all)}) {
		t.Errorf("after two leases there are %+v, %v; expected that all run", st, err)
	}
	if err := errors.Join(child.Process.Kill(), ignoreExit(child.Wait())); err != nil {
		t.Fatal(err)
	}
	killed := time.Now()
	c := work(t, q, "numbers")
	c.await(t, all)
	late := time.Since(killed)
	if late > jobLease+1500*time.Millisecond {
		t.Errorf("the jobs ran elsewhere %v after the kill, expected within the lease of %v and a second", late, jobLease)
	}
	for n, attempt := range c.last {
		if attempt != 2 || c.done[n] != 1 {
			t.Errorf("job %d was done %d times, at attempt %d; expected once, at the second", n, c.done[n], attempt)
		}
	}
	t.Logf("the jobs ran elsewhere %v after the kill, with a lease of %v", late, jobLease)
}

// ignoreExit leaves out that a process did not end by itself.
func ignoreExit(err error) error {
	if _, ok := errors.AsType[*exec.ExitError](err); ok {
		return nil
	}
	return err
}

func TestJobsSentinelFailover(t *testing.T) {
	t.Parallel()
	master, replica, options := launchSentinels(t, time.Second)
	afterFailover(t, options.Client, master, replica, []string{"numbers"}, nil)
}

func TestJobsLossOfAClusterMaster(t *testing.T) {
	t.Parallel()
	servers := launchCluster(t, 1)
	channels := []string{"a", "b", "c", "d", "e", "f", "g", "h"} // in several slots
	afterFailover(t, rueidis.ClientOption{InitAddress: addresses(servers)}, servers[0], servers[3], channels, servers[1])
}

// afterFailover kills a master and holds that all jobs that its replica had are done, and that new ones are taken within 3 s of the replica's promotion. survivor is another
// master of the Cluster, if it is one.
func afterFailover(t *testing.T, client rueidis.ClientOption, master, replica *server, channels []string, survivor *server) {
	t.Helper()
	q := newQueue(t, client)
	ctx, cancel := context.WithTimeout(t.Context(), 3*patience)
	defer cancel()
	var all []int
	put := func(n int) {
		for _, name := range channels {
			var err error
			await(t, "a job is enqueued", func() bool { err = numbered(ctx, q, name, n); return err == nil })
			all = append(all, n)
			n++
		}
	}
	for n := range 20 {
		put(n * 100)
	}
	await(t, "the replica has all", func() bool {
		_, got, _ := strings.Cut(replica.do("INFO", "replication"), "slave_repl_offset:")
		_, want, _ := strings.Cut(master.do("INFO", "replication"), "master_repl_offset:")
		got, _, _ = strings.Cut(got, "\r")
		want, _, _ = strings.Cut(want, "\r")
		return got != "" && got == want
	})
	master.kill()
	await(t, "the replica is master", func() bool {
		return strings.Contains(replica.do("INFO", "replication"), "role:master") &&
			(survivor == nil || strings.Contains(survivor.do("CLUSTER", "INFO"), "cluster_state:ok"))
	})
	begin := time.Now()
	put(10_000)
	if took := time.Since(begin); took > 3*time.Second {
		t.Errorf("jobs were enqueued %v after the failover", took)
	}
	work(t, q, channels...).await(t, all)
}
