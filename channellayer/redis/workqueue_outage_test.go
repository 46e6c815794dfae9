package redis_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"github.com/portico-go/portico/channellayer"
	"github.com/portico-go/portico/channellayer/redis"
	"github.com/portico-go/portico/channellayer/workqueue"
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

// A tally counts which numbers have been done.
type tally struct {
	mu   sync.Mutex
	done map[int]int
	more chan struct{}
}

// work does the jobs of these channels until the test ends.
func work(t *testing.T, q *workqueue.Queue, channels ...string) *tally {
	t.Helper()
	c := &tally{done: make(map[int]int), more: make(chan struct{}, 1)}
	ctx, stop := context.WithCancel(t.Context())
	var working sync.WaitGroup
	for _, name := range channels {
		working.Go(func() {
			for ctx.Err() == nil {
				leases, err := q.Take(ctx, name, 8)
				for _, l := range leases {
					working.Go(func() { c.do(ctx, q, l) })
				}
				if err != nil {
					rest(ctx)
				}
			}
		})
	}
	t.Cleanup(func() {
		stop()
		working.Wait()
	})
	return c
}

// rest lets a server come back.
func rest(ctx context.Context) {
	select {
	case <-time.After(20 * time.Millisecond):
	case <-ctx.Done():
	}
}

// do counts a job and acknowledges it, for as long as it may.
func (c *tally) do(ctx context.Context, q *workqueue.Queue, l *workqueue.Lease) {
	n, _ := workqueue.Value[int](l.Job)
	c.mu.Lock()
	c.done[n]++
	c.mu.Unlock()
	select {
	case c.more <- struct{}{}:
	default:
	}
	ctx, cancel := context.WithTimeout(ctx, l.Term)
	defer cancel()
	for ctx.Err() == nil {
		if err := q.Settle(ctx, l, workqueue.Outcome{}); err == nil || errors.Is(err, workqueue.ErrLeaseLost) {
			return
		}
		rest(ctx)
	}
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
