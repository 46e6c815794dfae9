package workqueuetest

import (
	"context"
	"errors"
	"time"

	"github.com/portico-go/portico/channellayer/workqueue"
)

// serverClauses are about several processes, and about a server that dies.
var serverClauses = []clause{
	{"processes share their jobs", "together", processesShare},
	{"the jobs of a process that dies run elsewhere", "dies", jobsOutliveTheirWorker},
	{"what was acknowledged outlives the server", "outage", jobsOutliveTheServer},
}

func processesShare(s *suite) {
	a, b := s.queue(workqueue.Limits{}), s.queue(workqueue.Limits{})
	s.put(a, "together", 1, workqueue.Key("k"))
	if r := s.put(b, "together", 2, workqueue.Key("k")); !r.Duplicate {
		s.Error("the other process enqueued a key again")
	}
	s.settle(b, s.expect(b, "together", 1, 1), workqueue.Outcome{Verdict: workqueue.Bury})
	s.stats(a, "together", 0, 1)
	taken := make(chan error, 1)
	go func() {
		_, err := b.Take(s.ctx, "together", 1)
		taken <- err
	}()
	s.pause(50 * time.Millisecond)
	s.put(a, "together", 3)
	if err := <-taken; err != nil {
		s.Error(err)
	}
}

func jobsOutliveTheirWorker(s *suite) {
	a, b := s.queue(short), s.queue(short)
	s.put(a, "dies", 1)
	s.expect(a, "dies", 1, 1)
	if err := a.Close(); err != nil {
		s.Fatal(err)
	}
	began := time.Now()
	s.settle(b, s.expect(b, "dies", 1, 2), workqueue.Outcome{})
	if took := time.Since(began); took > short.Lease+4*time.Second {
		s.Errorf("it took %v until somebody else had the job, expected the lease of %v and a second", took, short.Lease)
	}
}

func jobsOutliveTheServer(s *suite) {
	q := s.queue(workqueue.Limits{Lease: 2 * time.Second})
	s.put(q, "outage", 1)
	s.put(q, "outage", 2)
	s.put(q, "outage", 3, workqueue.Key("three"), workqueue.Delay(time.Millisecond))
	s.bury(q, "outage dead", 9, "why")
	leased := s.expect(q, "outage", 1, 1)

	s.Stop(s.t)
	ctx, cancel := context.WithTimeout(s.ctx, s.Patience)
	defer cancel()
	if _, err := q.Enqueue(ctx, "outage", number(4)); err == nil || ctx.Err() != nil {
		s.Errorf("enqueue without a server: %v, expected an error within %v", err, s.Patience)
	}
	if err := q.Extend(ctx, leased); err == nil || errors.Is(err, workqueue.ErrLeaseLost) {
		s.Errorf("extend without a server: %v, expected that nothing is known", err)
	}
	brief, done := context.WithTimeout(s.ctx, 300*time.Millisecond)
	defer done()
	if leases, err := q.Take(brief, "outage", 1); err == nil {
		s.Errorf("took %d jobs without a server", len(leases))
	}
	s.Start(s.t)

	s.eventually("the server is used again", func() bool {
		_, err := q.Stats(s.ctx, "outage")
		return err == nil
	}, func() {})
	if r := s.put(q, "outage", 5, workqueue.Key("three")); !r.Duplicate {
		s.Error("the server forgot a key")
	}
	attempts := map[int]int{}
	for len(attempts) < 3 {
		var leases []*workqueue.Lease
		s.eventually("Take works again", func() bool {
			var err error
			leases, err = q.Take(s.ctx, "outage", 1)
			return err == nil
		}, func() {})
		for _, l := range leases {
			attempts[s.value(l.Job)] = l.Job.Attempt
			s.settle(q, l, workqueue.Outcome{})
		}
	}
	if attempts[1] < 2 || attempts[2] < 1 || attempts[3] < 1 {
		s.Errorf("attempts %v, expected the job that was leased at its second", attempts)
	}
	s.stats(q, "outage", 0, 0)
	s.stats(q, "outage dead", 0, 1)
}
