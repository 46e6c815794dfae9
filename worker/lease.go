package worker

import (
	"context"
	"errors"
	"time"

	"go.uber.org/zap"

	"github.com/portico-go/portico/channellayer/workqueue"
)

// keep extends the lease while the handler runs, and cancels the handler when its time is over or the lease is lost. The function that it returns ends that.
func (a *attempt) keep() (release func()) {
	ctx, cancel := context.WithCancel(a.lane.w.base)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		a.extend(ctx)
	}()
	return func() {
		cancel()
		<-ended
	}
}

// extend returns when ctx ends, or when the lease is not to be kept any more.
func (a *attempt) extend(ctx context.Context) {
	timeout := never()
	if d := a.lane.policy.Timeout; d > 0 {
		timeout = time.NewTimer(d)
	}
	defer timeout.Stop()
	late := never()
	defer func() { late.Stop() }()
	held := time.Now()
	beat := time.NewTimer(a.lease.Term / 3)
	defer beat.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timeout.C:
			a.life.Cancel(ErrTimeout)
			late = time.NewTimer(a.lane.w.cfg.Handler)
		case <-late.C:
			a.logStuck("its job is left to others")
			return
		case <-beat.C:
			next, ok := a.beat(ctx, &held)
			if !ok {
				return
			}
			beat.Reset(next)
		}
	}
}

// never is a timer that does not fire.
func never() *time.Timer {
	t := time.NewTimer(time.Hour)
	t.Stop()
	return t
}

// beat extends the lease once, and returns when to do so again. It is false when the lease is lost: held says since when it holds.
func (a *attempt) beat(ctx context.Context, held *time.Time) (next time.Duration, ok bool) {
	term := a.lease.Term
	until := held.Add(term)
	within, cancel := context.WithDeadline(ctx, until)
	defer cancel()
	began := time.Now()
	err := a.lane.w.cfg.Queue.Extend(within, a.lease)
	switch {
	case err == nil:
		*held = began
		return term / 3, true
	case ctx.Err() != nil:
		return 0, false
	case errors.Is(err, workqueue.ErrLeaseLost), errors.Is(err, workqueue.ErrClosed), !time.Now().Before(until):
		a.log().Warn("the lease of a job is lost: another worker does it", zap.Error(err))
		a.life.Cancel(workqueue.ErrLeaseLost)
		return 0, false
	}
	return min(term/12, time.Until(until)), true
}

// claim reports whether the caller is the one who settles the job.
func (a *attempt) claim() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	first := !a.settled
	a.settled = true
	return first
}

// settle tells the queue what becomes of the job, for as long as it may take until the lease runs out, and everybody else.
func (a *attempt) settle(o workqueue.Outcome, why error) {
	if !a.claim() {
		return
	}
	took := time.Since(a.began)
	var err error
	if lost := context.Cause(a.life.Context()); errors.Is(lost, workqueue.ErrLeaseLost) {
		err = lost
	} else {
		err = a.tell(o)
	}
	a.logOutcome(o, why, err)
	if report := a.lane.w.cfg.Report; report != nil {
		report(Report{Job: a.lease.Job, Outcome: o, Kept: err == nil, Err: why, Took: took})
	}
}

// tell settles the lease, again and again while the queue cannot be reached.
func (a *attempt) tell(o workqueue.Outcome) error {
	ctx, cancel := context.WithTimeout(a.lane.w.base, a.lease.Term)
	defer cancel()
	for failures := 1; ; failures++ {
		err := a.lane.w.cfg.Queue.Settle(ctx, a.lease, o)
		if err == nil || errors.Is(err, workqueue.ErrLeaseLost) || errors.Is(err, workqueue.ErrClosed) {
			return err
		}
		pause(ctx, failures)
		if ctx.Err() != nil {
			return err
		}
	}
}

// abandon gives a job back whose handler does not return.
func (a *attempt) abandon() {
	a.logStuck("its job is given back")
	a.settle(workqueue.Outcome{Verdict: workqueue.Release}, nil)
}
