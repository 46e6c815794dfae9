package worker

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/portico-go/portico/channellayer"
	"github.com/portico-go/portico/channellayer/workqueue"
	"github.com/portico-go/portico/protocol"
)

// errLeaseRanOut is why a job is dead whose workers all died, or were cut off, and none could say why.
var errLeaseRanOut = errors.New("worker: the lease of its last attempt ran out: the worker died, or could not reach the queue")

// An attempt is one job being done once. It is the transport of the job's connection.
type attempt struct {
	lane  *lane
	lease *workqueue.Lease
	life  *protocol.Lifecycle
	fault error // of the request
	began time.Time

	mu       sync.Mutex // guards what follows
	settled  bool       // an outcome was claimed: there is no other one
	handled  bool       // the handler has returned from the job
	rejected *protocol.Reject
}

func newAttempt(l *lane, lease *workqueue.Lease) *attempt {
	a := &attempt{lane: l, lease: lease, began: time.Now()}
	req := &protocol.Request{Protocol: protocolName, Channel: l.name, Headers: headers(lease.Job.Header)}
	settings := &protocol.Settings{Values: l.w.values, Observer: (*observer)(a)}
	a.life, a.fault = protocol.NewLifecycle(l.w.base, req, a, settings)
	return a
}

// headers returns the fields of a job's header that can be header fields of a connection.
func headers(h channellayer.Header) protocol.Headers {
	var block strings.Builder
	for _, f := range h {
		line := f.Key + ": " + f.Value + "\r\n"
		if _, err := protocol.ParseHeaders(line); protocol.IsToken(f.Key) && err == nil && !strings.ContainsAny(f.Value, "\r\n") {
			block.WriteString(line)
		}
	}
	all, err := protocol.ParseHeaders(block.String())
	if err != nil {
		return protocol.Headers{} // each line was checked
	}
	return all
}

// run does the job and settles it.
func (a *attempt) run() {
	job, policy := a.lease.Job, a.lane.policy
	switch {
	case job.Attempt > policy.Attempts:
		err := errLeaseRanOut
		if job.Error != "" {
			err = errors.New(job.Error)
		}
		a.bury(err)
		return
	case !job.Expires.IsZero() && time.Now().After(job.Expires):
		a.bury(workqueue.ErrExpired)
		return
	}
	released := a.keep()
	err := a.handle()
	a.mu.Lock()
	a.handled = true
	a.mu.Unlock()
	if cause := context.Cause(a.life.Context()); err != nil && cause != nil && errors.Is(err, context.Canceled) {
		err = cause
	}
	released()
	a.settle(a.outcome(err), err)
	a.life.End(err)
}

// bury ends a job that is not tried any more.
func (a *attempt) bury(err error) {
	a.settle(workqueue.Outcome{Verdict: workqueue.Bury, Error: err.Error()}, err)
	a.life.End(err)
}

// handle opens the application for the job and lets it handle it. What the response hooks do is part of the job.
func (a *attempt) handle() error {
	if a.fault != nil {
		return a.fault
	}
	if err := a.life.Open(a.lane.w.app); err != nil {
		return err
	}
	if err := a.life.Deliver(a.lease.Job); err != nil {
		return err
	}
	err := a.life.Conn().Send(&done{head: protocol.Head{Status: 200}})
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.rejected != nil && errors.Is(err, protocol.ErrClosed) {
		return a.rejected // the application has said no, in spite of returning nil
	}
	return err
}

// outcome decides what becomes of the job.
func (a *attempt) outcome(err error) workqueue.Outcome {
	if err == nil {
		return workqueue.Outcome{}
	}
	o := workqueue.Outcome{Error: err.Error()}
	after, given := workqueue.RetryDelay(err)
	switch {
	case errors.Is(context.Cause(a.life.Context()), protocol.ErrShutdown):
		o.Verdict = workqueue.Release
	case permanent(err), a.lease.Job.Attempt >= a.lane.policy.Attempts:
		o.Verdict = workqueue.Bury
	default:
		o.Verdict, o.After = workqueue.Retry, a.lane.policy.Backoff.Pause(a.lease.Job.Attempt)
		if given {
			o.After = after
		}
	}
	return o
}

// permanent reports whether it is the job's own fault that it failed.
func permanent(err error) bool {
	if workqueue.IsPermanent(err) {
		return true
	}
	r, ok := errors.AsType[*protocol.Reject](err)
	return ok && r.StatusOrDefault() < 500
}

// done answers a job that was handled, so that response hooks run and the connection was accepted.
type done struct{ head protocol.Head }

// EventType implements protocol.Event.
func (*done) EventType() string { return "job.done" }

// Step implements protocol.Stepper.
func (*done) Step() protocol.Step { return protocol.StepAnswer }

// Answer implements protocol.Answer.
func (d *done) Answer() *protocol.Head { return &d.head }

var errNobody = errors.New("worker: a job has no client to send to: use the channel layer")

// Send implements protocol.Transport.
func (a *attempt) Send(ev protocol.Event) error {
	switch ev := ev.(type) {
	case *done:
		return nil
	case *protocol.Reject:
		a.mu.Lock()
		defer a.mu.Unlock()
		a.rejected = ev
		return nil
	}
	return errNobody
}

// Flush implements protocol.Transport.
func (a *attempt) Flush() error { return nil }

// Post implements protocol.Transport. A job is the only event of its connection.
func (a *attempt) Post(protocol.Event) error { return protocol.ErrClosed }
