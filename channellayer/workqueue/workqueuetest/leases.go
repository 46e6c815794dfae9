package workqueuetest

import (
	"errors"
	"time"

	"github.com/portico-go/portico/channellayer/workqueue"
)

// leaseClauses are about a job that somebody has.
var leaseClauses = []clause{
	{"a job that is done is gone", "done", doneIsGone},
	{"a job is tried again", "retry", jobsAreRetried},
	{"an attempt that is given back does not count", "release", releasesDoNotCount},
	{"a lease that runs out is given to another", "lost", leasesRunOut},
	{"a lease that is extended holds", "extend", extensionsHold},
	{"a lease is settled once", "settled", leasesAreSettledOnce},
}

func doneIsGone(s *suite) {
	q := s.queue(short)
	s.put(q, "done", 1)
	s.done(q, "done", 1)
	s.empty(q, "done", 3*short.Lease)
	s.stats(q, "done", 0, 0)
}

func jobsAreRetried(s *suite) {
	q := s.queue(workqueue.Limits{})
	r := s.put(q, "retry", 1)
	began := time.Now()
	for attempt := 1; attempt <= 3; attempt++ {
		l := s.expect(q, "retry", 1, attempt)
		if l.Job.ID != r.ID {
			s.Errorf("attempt %d has ID %s, expected %s", attempt, l.Job.ID, r.ID)
		}
		s.settle(q, l, workqueue.Outcome{Verdict: workqueue.Retry, After: 400 * time.Millisecond, Error: "not yet"})
		s.stats(q, "retry", 1, 0)
	}
	if took := time.Since(began); took < 800*time.Millisecond {
		s.Errorf("two retries after 400 ms each took %v", took)
	}
	l := s.expect(q, "retry", 1, 4)
	s.settle(q, l, workqueue.Outcome{Verdict: workqueue.Retry})
	s.settle(q, s.expect(q, "retry", 1, 5), workqueue.Outcome{})
	s.stats(q, "retry", 0, 0)
}

func releasesDoNotCount(s *suite) {
	q := s.queue(workqueue.Limits{})
	s.put(q, "release", 1)
	for range 3 {
		s.settle(q, s.expect(q, "release", 1, 1), workqueue.Outcome{Verdict: workqueue.Release})
	}
	s.settle(q, s.expect(q, "release", 1, 1), workqueue.Outcome{Verdict: workqueue.Retry})
	s.settle(q, s.expect(q, "release", 1, 2), workqueue.Outcome{Verdict: workqueue.Release})
	s.settle(q, s.expect(q, "release", 1, 2), workqueue.Outcome{})
	s.stats(q, "release", 0, 0)
}

func leasesRunOut(s *suite) {
	q := s.queue(short)
	s.put(q, "lost", 1)
	began := time.Now()
	first := s.expect(q, "lost", 1, 1)
	second := s.expect(q, "lost", 1, 2)
	if took := time.Since(began); took < short.Lease*9/10 {
		s.Errorf("the lease of %v ran out after %v", short.Lease, took)
	}
	for _, err := range []error{
		q.Settle(s.ctx, first, workqueue.Outcome{}), q.Extend(s.ctx, first),
		q.Settle(s.ctx, first, workqueue.Outcome{Verdict: workqueue.Bury}),
		q.Settle(s.ctx, first, workqueue.Outcome{Verdict: workqueue.Release}),
		q.Settle(s.ctx, first, workqueue.Outcome{Verdict: workqueue.Retry}),
	} {
		if !errors.Is(err, workqueue.ErrLeaseLost) {
			s.Errorf("a lost lease: %v, expected ErrLeaseLost", err)
		}
	}
	s.stats(q, "lost", 1, 0)
	s.settle(q, second, workqueue.Outcome{})
	s.stats(q, "lost", 0, 0)

	s.put(q, "lost", 2)
	s.expect(q, "lost", 2, 1)
	s.settle(q, s.expect(q, "lost", 2, 2), workqueue.Outcome{Verdict: workqueue.Release})
	s.settle(q, s.expect(q, "lost", 2, 2), workqueue.Outcome{Verdict: workqueue.Retry})
	s.settle(q, s.expect(q, "lost", 2, 3), workqueue.Outcome{})
}

func extensionsHold(s *suite) {
	q := s.queue(short)
	s.put(q, "extend", 1)
	l := s.take(q, "extend")
	for range 6 {
		s.pause(short.Lease / 2)
		if err := q.Extend(s.ctx, l); err != nil {
			s.Fatal(err)
		}
		if l.Term <= 0 {
			s.Fatalf("an extended lease has a Term of %v", l.Term)
		}
	}
	s.empty(q, "extend", 0)
	s.settle(q, l, workqueue.Outcome{Verdict: workqueue.Retry})
	s.settle(q, s.expect(q, "extend", 1, 2), workqueue.Outcome{})
	s.stats(q, "extend", 0, 0)
}

func leasesAreSettledOnce(s *suite) {
	q := s.queue(workqueue.Limits{})
	s.put(q, "settled", 1)
	for i, v := range []workqueue.Verdict{workqueue.Retry, workqueue.Release, workqueue.Bury} {
		if i > 0 {
			s.put(q, "settled", 1+i)
		}
		l := s.take(q, "settled")
		s.settle(q, l, workqueue.Outcome{Verdict: v, After: time.Hour})
		if err := q.Settle(s.ctx, l, workqueue.Outcome{Verdict: v}); !errors.Is(err, workqueue.ErrLeaseLost) {
			s.Errorf("verdict %d for the second time: %v, expected ErrLeaseLost", v, err)
		}
		if v == workqueue.Release {
			s.settle(q, s.take(q, "settled"), workqueue.Outcome{})
		}
	}
	s.stats(q, "settled", 1, 1)
}
