package worker

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/portico-go/portico/protocol"
)

// ErrTimeout is the cause with which the context of a handler is cancelled that took longer than Policy.Timeout.
var ErrTimeout = errors.New("worker: the job took too long")

// A Worker does jobs. Make it with [New].
type Worker struct {
	app protocol.Application
	cfg Config
	log *zap.Logger

	base   context.Context // the parent of all jobs' contexts
	giveUp context.CancelFunc
	values []protocol.Binding

	mu      sync.Mutex // guards what follows
	used    bool
	running map[*attempt]struct{}
	over    chan struct{} // closed when the worker drains and nothing runs; nil before
}

// New returns a Worker for app. What is wrong with either is an error of Run.
func New(app protocol.Application, cfg Config) *Worker {
	w := &Worker{app: app, cfg: cfg, log: cfg.Logger, running: make(map[*attempt]struct{})}
	if w.log == nil {
		w.log = defaultLogger()
	}
	inherit(&w.cfg.Shutdown, defaultShutdown)
	inherit(&w.cfg.Handler, defaultHandler)
	return w
}

// Run checks the application and the configuration, runs the start hooks, and does jobs until ctx is cancelled. Then it drains: it takes no more jobs, lets handlers finish
// within Config.Shutdown, cancels the others with the cause protocol.ErrShutdown and gives their jobs back, as if they had not been tried, waits until each handler had its Disconnect, and runs the stop hooks.
//
// If the application is a router.ProtocolTypeRouter only what is under "channel" is used, so a server may serve the same one. Hooks that the two share, such as those of middleware around
// the router, run for each of them.
//
// It returns nil after that. All faults of the configuration come as one error before any job is taken; a stop hook that fails, a handler that did not return within Config.Handler, and that the queue
// was closed are errors too. A Worker runs once.
func (w *Worker) Run(ctx context.Context) (err error) {
	w.mu.Lock()
	used := w.used
	w.used = true
	w.mu.Unlock()
	if used {
		return errors.New("worker: Run was called before: make another Worker with New")
	}
	app, err := branch(w.app)
	if err != nil {
		return errors.Join(err, w.cfg.check())
	}
	channels, err := w.cfg.policies(app)
	if err = errors.Join(w.cfg.check(), err, protocol.Check(app)); err != nil {
		return err
	}
	values := context.WithoutCancel(ctx)
	w.base, w.giveUp = context.WithCancel(values)
	defer w.giveUp()
	span, err := protocol.StartAll(ctx, app)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, span.StopAll(values)) }()
	w.app, w.values = app, span.Values
	return w.work(ctx, channels)
}

// work takes jobs until ctx is cancelled, or the queue is closed.
//
//nolint:contextcheck // what ends the jobs does not end with ctx
func (w *Worker) work(ctx context.Context, channels map[string]Policy) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var taking sync.WaitGroup
	for name, policy := range channels {
		w.log.Info("working", zap.String("channel", name), zap.Int("concurrency", policy.Concurrency))
		l := &lane{w: w, name: name, policy: policy, slots: make(chan struct{}, policy.Concurrency)}
		taking.Go(func() {
			if err := l.run(ctx); err != nil {
				stop(err)
			}
		})
	}
	taking.Wait()
	err := w.drain()
	if cause := context.Cause(ctx); !errors.Is(cause, context.Canceled) && !errors.Is(cause, context.DeadlineExceeded) {
		err = errors.Join(cause, err)
	}
	return err
}

// drain ends what runs.
func (w *Worker) drain() error {
	w.mu.Lock()
	w.over = make(chan struct{})
	w.settle()
	w.mu.Unlock()
	if w.overWithin(w.cfg.Shutdown) {
		return nil
	}
	running := w.list()
	w.log.Warn("jobs did not finish in time: their contexts are cancelled", zap.Int("jobs", len(running)), zap.Duration("after", w.cfg.Shutdown))
	for _, a := range running {
		a.life.Cancel(protocol.ErrShutdown)
	}
	if w.overWithin(w.cfg.Handler) {
		return nil
	}
	stuck := w.list()
	if len(stuck) == 0 {
		return nil
	}
	var all sync.WaitGroup
	for _, a := range stuck {
		all.Go(a.abandon)
	}
	all.Wait()
	return fmt.Errorf("worker: the handlers of %d jobs did not return within %v of being cancelled", len(stuck), w.cfg.Handler)
}

// overWithin reports whether nothing runs any more before d is over.
func (w *Worker) overWithin(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-w.over:
		return true
	case <-timer.C:
		return false
	}
}

func (w *Worker) begin(a *attempt) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.running[a] = struct{}{}
}

func (w *Worker) end(a *attempt) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.running, a)
	w.settle()
}

// settle closes over when the worker drains and nothing is left. w.mu is held.
func (w *Worker) settle() {
	if w.over != nil && len(w.running) == 0 {
		select {
		case <-w.over:
		default:
			close(w.over)
		}
	}
}

func (w *Worker) list() []*attempt {
	w.mu.Lock()
	defer w.mu.Unlock()
	all := make([]*attempt, 0, len(w.running))
	for a := range w.running {
		all = append(all, a)
	}
	return all
}
