package worker

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"go.uber.org/zap"

	"github.com/portico-go/portico/channellayer/workqueue"
	"github.com/portico-go/portico/protocol"
)

// A lane takes the jobs of one channel.
type lane struct {
	w      *Worker
	name   string
	policy Policy
	slots  chan struct{} // one element for each job that runs, or that is being waited for
}

const (
	pauseFirst = 50 * time.Millisecond
	pauseMost  = 2 * time.Second
)

// run takes jobs until ctx ends. It returns an error only if the queue was closed.
func (l *lane) run(ctx context.Context) error {
	failures := 0
	for {
		n := l.reserve(ctx)
		if n == 0 {
			return nil
		}
		leases, err := l.w.cfg.Queue.Take(ctx, l.name, n)
		l.free(n - len(leases))
		if errors.Is(err, workqueue.ErrClosed) {
			return err
		}
		for _, lease := range leases {
			l.start(ctx, lease)
		}
		switch {
		case err == nil && failures > 0:
			l.w.log.Warn("the queue can be reached again", zap.String("channel", l.name))
			failures = 0
		case err != nil && ctx.Err() == nil:
			if failures++; failures == 1 {
				l.w.log.Warn("the queue cannot be reached: trying again until it can", zap.String("channel", l.name), zap.Error(err))
			}
			pause(ctx, failures)
		}
	}
}

// pause waits for longer after each failure, to a limit, and no longer than ctx lives.
func pause(ctx context.Context, failures int) {
	d := min(pauseFirst<<min(failures-1, 10), pauseMost)
	timer := time.NewTimer(d/2 + rand.N(d)) //nolint:gosec // jitter is no secret
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// reserve waits until a job may run, and returns how many may. It is 0 when ctx ends.
func (l *lane) reserve(ctx context.Context) int {
	select {
	case l.slots <- struct{}{}:
	case <-ctx.Done():
		return 0
	}
	if ctx.Err() != nil {
		l.free(1)
		return 0
	}
	for n := 1; ; n++ {
		select {
		case l.slots <- struct{}{}:
		default:
			return n
		}
	}
}

func (l *lane) free(n int) {
	for range n {
		<-l.slots
	}
}

// start runs a job on a goroutine of its own, or gives it back if it comes too late.
func (l *lane) start(ctx context.Context, lease *workqueue.Lease) {
	a := newAttempt(l, lease)
	l.w.begin(a)
	go func() {
		defer l.w.end(a)
		defer l.free(1)
		if ctx.Err() != nil {
			a.settle(workqueue.Outcome{Verdict: workqueue.Release}, nil)
			a.life.End(protocol.ErrShutdown)
			return
		}
		a.run()
	}()
}
