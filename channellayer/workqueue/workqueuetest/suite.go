package workqueuetest

import (
	"context"
	"testing"
	"time"

	"github.com/portico-go/portico/channellayer"
	"github.com/portico-go/portico/channellayer/workqueue"
)

// A Backend says how to make the stores that are tested.
type Backend struct {
	// Store returns a new store. All those of one space share their jobs and have the same limits, those of different ones know nothing of each other. A space is a short name of letters and digits.
	Store func(t *testing.T, space string, l workqueue.Limits) workqueue.Store
	// Stop takes the server away, as a crash would; Start brings it back at the same address, with all that it acknowledged. Both are nil for a store without a server.
	Stop, Start func(t *testing.T)
	// Patience is how long a clause waits for what should come, such as a connection after Start; zero means 15 s.
	Patience time.Duration
}

// Run runs every clause as a subtest.
func Run(t *testing.T, b Backend) {
	t.Helper()
	if b.Patience == 0 {
		b.Patience = 15 * time.Second
	}
	if (b.Stop == nil) != (b.Start == nil) {
		t.Fatal("workqueuetest: a Backend needs both of Stop and Start, or none of them")
	}
	run(t, b, jobClauses)
	run(t, b, leaseClauses)
	run(t, b, deadClauses)
	if b.Stop != nil {
		run(t, b, serverClauses)
	}
}

// A clause is one rule of the contract.
type clause struct {
	name  string
	space string
	hold  func(s *suite)
}

func run(t *testing.T, b Backend, clauses []clause) {
	t.Helper()
	for _, c := range clauses {
		t.Run(c.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 6*b.Patience)
			defer cancel()
			c.hold(&suite{TB: t, t: t, Backend: b, ctx: ctx, space: c.space})
		})
	}
}

// A suite is what one clause works with.
type suite struct {
	testing.TB
	Backend
	t     *testing.T
	ctx   context.Context //nolint:containedctx // the clause's own, passed to every call
	space string
}

// queue opens the clause's queue. With a server, further ones are as those of other processes.
func (s *suite) queue(l workqueue.Limits) *workqueue.Queue {
	s.Helper()
	q, err := workqueue.New(workqueue.Config{Store: s.Store(s.t, s.space, l)})
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() { _ = q.Close() })
	return q
}

// short are limits under which leases run out soon.
var short = workqueue.Limits{Lease: time.Second}

// number is an event with a number.
func number(n int) channellayer.Event { return channellayer.Event{Type: "number", Value: n} }

// put enqueues a number.
func (s *suite) put(q *workqueue.Queue, channel string, n int, options ...workqueue.Option) workqueue.Receipt {
	s.Helper()
	r, err := q.Enqueue(s.ctx, channel, number(n), options...)
	if err != nil {
		s.Fatalf("enqueue %d into %q: %v", n, channel, err)
	}
	if r.ID == "" {
		s.Fatalf("the receipt of %d has no ID", n)
	}
	return r
}

// take takes one job, and waits for it.
func (s *suite) take(q *workqueue.Queue, channel string) *workqueue.Lease {
	s.Helper()
	ctx, cancel := context.WithTimeout(s.ctx, s.Patience)
	defer cancel()
	leases, err := q.Take(ctx, channel, 1)
	if err != nil || len(leases) != 1 {
		s.Fatalf("took %d jobs of %q, expected 1 within %v: %v", len(leases), channel, s.Patience, err)
	}
	if leases[0].Term <= 0 {
		s.Fatalf("the lease has a Term of %v", leases[0].Term)
	}
	return leases[0]
}

// expect takes one job that has this number, and is at this attempt.
func (s *suite) expect(q *workqueue.Queue, channel string, n, attempt int) *workqueue.Lease {
	s.Helper()
	l := s.take(q, channel)
	if got := s.value(l.Job); got != n || l.Job.Attempt != attempt {
		s.Fatalf("got %d at attempt %d, expected %d at attempt %d", got, l.Job.Attempt, n, attempt)
	}
	return l
}

// done takes these numbers in this order, at their first attempt, and does them.
func (s *suite) done(q *workqueue.Queue, channel string, numbers ...int) {
	s.Helper()
	for _, n := range numbers {
		s.settle(q, s.expect(q, channel, n, 1), workqueue.Outcome{})
	}
}

func (s *suite) settle(q *workqueue.Queue, l *workqueue.Lease, o workqueue.Outcome) {
	s.Helper()
	if err := q.Settle(s.ctx, l, o); err != nil {
		s.Fatalf("settle %+v: %v", o, err)
	}
}

// empty fails the clause if a job waits, or will before d is over.
func (s *suite) empty(q *workqueue.Queue, channel string, d time.Duration) {
	s.Helper()
	s.pause(d)
	s.put(q, channel, -1)
	s.done(q, channel, -1)
}

// pause lets time pass.
func (s *suite) pause(d time.Duration) {
	select {
	case <-time.After(d):
	case <-s.ctx.Done():
	}
}

func (s *suite) value(j *workqueue.Job) int {
	s.Helper()
	n, err := workqueue.Value[int](j)
	if err != nil {
		s.Error(err)
	}
	return n
}

// stats expects so many jobs that are not done, and so many dead ones.
func (s *suite) stats(q *workqueue.Queue, channel string, undone, dead int) {
	s.Helper()
	var st workqueue.Stats
	s.eventually("the numbers are right", func() bool {
		var err error
		if st, err = q.Stats(s.ctx, channel); err != nil {
			s.Fatal(err)
		}
		return st.Waiting+st.Delayed+st.Running == undone && st.Dead == dead
	}, func() { s.Logf("%+v, expected %d undone and %d dead", st, undone, dead) })
}

// eventually waits until something holds that nobody reports.
func (s *suite) eventually(what string, holds func() bool, otherwise func()) {
	s.Helper()
	deadline := time.Now().Add(s.Patience)
	for pause := time.Millisecond; !holds(); pause = min(2*pause, 100*time.Millisecond) {
		if time.Now().After(deadline) {
			otherwise()
			s.Fatalf("after %v still not: %s", s.Patience, what)
		}
		s.pause(pause)
	}
}
