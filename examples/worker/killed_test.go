//go:build unix

package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/portico-go/portico/channellayer"
	"github.com/portico-go/portico/channellayer/redis"
	"github.com/portico-go/portico/channellayer/workqueue"
	"github.com/portico-go/portico/consumer"
	"github.com/portico-go/portico/router"
	"github.com/portico-go/portico/worker"
)

// lease is that of the tests that wait for leases to run out.
const lease = 2 * time.Second

// openQueue returns a queue in Redis.
func openQueue(t *testing.T, url string, lease time.Duration) *workqueue.Queue {
	t.Helper()
	store, err := redis.OpenJobStore(url, workqueue.Limits{Lease: lease})
	if err != nil {
		t.Fatal(err)
	}
	queue, err := workqueue.New(workqueue.Config{Store: store})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { queue.Close() })
	return queue
}

// numbers is an application that does numbers.
func numbers(do func(ctx context.Context, job *consumer.Job, n int) error) router.ChannelNameRouter {
	return router.ChannelNameRouter{"numbers": &consumer.Jobs{Handlers: consumer.JobHandlers{"number": consumer.Do(do)}}}
}

// TestHangingWorker is no test by itself: it is the process that TestJobsOfAKilledWorker kills.
func TestHangingWorker(t *testing.T) {
	url := os.Getenv("HANG_ON")
	if url == "" {
		return
	}
	app := numbers(func(ctx context.Context, _ *consumer.Job, n int) error {
		fmt.Println("took", n)
		<-ctx.Done()
		return ctx.Err()
	})
	if err := worker.New(app, worker.Config{Queue: openQueue(t, url, lease), Policy: worker.Policy{Concurrency: 5}}).Run(t.Context()); err != nil {
		t.Error(err)
	}
}

// hang starts a process that takes so many jobs and never ends one.
func hang(t *testing.T, url string, jobs int) *exec.Cmd {
	t.Helper()
	p := exec.Command(os.Args[0], "-test.run=^TestHangingWorker$", "-test.v")
	p.Env = append(os.Environ(), "HANG_ON="+url)
	out, err := p.StdoutPipe()
	if err = errors.Join(err, p.Start()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = p.Process.Kill()
		_ = p.Wait()
	})
	for lines := bufio.NewScanner(out); jobs > 0; {
		if !lines.Scan() {
			t.Fatalf("the process ended before it took %d jobs more", jobs)
		}
		if strings.HasPrefix(lines.Text(), "took") {
			jobs--
		}
	}
	return p
}

// The jobs of a process that is killed run elsewhere when their leases have run out, and not before.
func TestJobsOfAKilledWorker(t *testing.T) {
	t.Parallel()
	const jobs = 5
	url := launchRedis(t).url
	queue := openQueue(t, url, lease)
	for n := range jobs {
		if _, err := queue.Enqueue(t.Context(), "numbers", channellayer.Event{Type: "number", Value: n}); err != nil {
			t.Fatal(err)
		}
	}
	p := hang(t, url, jobs)

	done := make(chan *workqueue.Job, 2*jobs)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	w := worker.New(numbers(func(_ context.Context, job *consumer.Job, _ int) error {
		done <- job.Job
		return nil
	}), worker.Config{Queue: queue, Logger: zap.NewNop()})
	go func() { ended <- w.Run(ctx) }()
	select { // as long as it lives it keeps its leases
	case job := <-done:
		t.Errorf("job %s ran elsewhere while its worker lived", job.ID)
	case <-time.After(2 * lease):
	}

	if err := p.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	killed := time.Now()
	for range jobs {
		select {
		case job := <-done:
			if job.Attempt != 2 {
				t.Errorf("job %s is at attempt %d, expected the second", job.ID, job.Attempt)
			}
		case <-time.After(patience):
			t.Fatalf("jobs of a killed worker do not run elsewhere within %v", patience)
		}
	}
	late := time.Since(killed)
	if late > lease+1500*time.Millisecond {
		t.Errorf("the jobs ran elsewhere %v after the kill, expected within the lease of %v and a second", late, lease)
	}
	t.Logf("the jobs ran elsewhere %v after the kill, with a lease of %v", late, lease)
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// A server that is killed and comes back, with all it acknowledged, is waited for: the job that ran meanwhile is done once, and those that waited are done.
func TestAWorkerOutlivesItsServer(t *testing.T) {
	t.Parallel()
	server := launchRedis(t)
	queue := openQueue(t, server.url, patience)
	enqueue := func(n int) {
		t.Helper()
		if _, err := queue.Enqueue(t.Context(), "numbers", channellayer.Event{Type: "number", Value: n}); err != nil {
			t.Fatal(err)
		}
	}
	enqueue(1)
	enqueue(2)
	running, release := make(chan struct{}, 9), make(chan struct{})
	reports := make(chan worker.Report, 9)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	w := worker.New(numbers(func(context.Context, *consumer.Job, int) error {
		running <- struct{}{}
		<-release
		return nil
	}), worker.Config{Queue: queue, Logger: zap.NewNop(), Report: func(r worker.Report) { reports <- r }})
	go func() { ended <- w.Run(ctx) }()

	<-running
	server.kill()
	close(release) // the first job is done while there is nobody to tell
	server.start()
	for n := range 2 {
		select {
		case r := <-reports:
			if r.Err != nil || !r.Kept || r.Job.Attempt != 1 {
				t.Errorf("report %d: %+v, expected a job that was done at its first attempt", n, r)
			}
		case <-time.After(patience):
			t.Fatalf("%d of 2 jobs are done %v after the server's return", n, patience)
		}
	}
	enqueue(3)
	if r := <-reports; r.Err != nil || !r.Kept {
		t.Errorf("%+v, expected that all is as before", r)
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
