package worker

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"go.uber.org/zap"

	"github.com/portico-go/portico/channellayer"
	"github.com/portico-go/portico/channellayer/workqueue"
	"github.com/portico-go/portico/protocol"
)

// A Config says how a [Worker] works. Queue is required; all else is useful as zero.
type Config struct {
	// Queue is where the jobs come from. The worker does not close it.
	Queue *workqueue.Queue
	// Policy is how the jobs of all channels are done.
	Policy Policy
	// Channels are the channels whose jobs are done here, each with what is different for it: zero fields are Policy's. Nil is all channels of the ChannelNameRouter.
	Channels map[string]Policy
	// Shutdown is how long handlers may go on when the worker shuts down, before their contexts are cancelled with protocol.ErrShutdown and their jobs given back. Default 10 s.
	Shutdown time.Duration
	// Handler is how long a handler may take to return when its context is cancelled, before it is logged, and its job left to others. Default 10 s.
	Handler time.Duration
	// Logger gets what fails, and the stacks of handlers that do not return: the ID, channel, type and attempt of the job, and the handler's error, but nothing of the job's value or header. Nil writes warnings and errors as JSON to standard error.
	Logger *zap.Logger
	// Observer is told what happens to the jobs' connections, as of a server's; nil is nobody.
	Observer protocol.Observer
	// Report is told of each attempt when it is over, by the goroutine that made it. It must be safe for concurrent use. Nil is nobody.
	Report func(Report)
}

// A Report says how one attempt ended.
type Report struct {
	Job *workqueue.Job
	// Outcome is what is to become of the job.
	Outcome workqueue.Outcome
	// Kept says that the queue has taken the outcome. If not, the job comes again.
	Kept bool
	// Err is why the attempt failed, nil if it did not.
	Err error
	// Took is how long the handler ran.
	Took time.Duration
}

// A Policy says how the jobs of a channel are done. Zero fields have the default.
type Policy struct {
	// Concurrency is how many run at a time in this worker. Default 1.
	Concurrency int
	// Attempts is how often a job is tried before it is dead. Attempts whose worker died count. Default 10.
	Attempts int
	// Backoff is the pause between them.
	Backoff Backoff
	// Timeout is how long an attempt may take before its context is cancelled with [ErrTimeout]. Default 30 minutes; negative is for ever.
	Timeout time.Duration
}

// A Backoff is a pause that doubles from First to Most. The pause is a random one between half of that and all of it, so that jobs that failed together are not tried together.
type Backoff struct {
	First time.Duration // default 1 s
	Most  time.Duration // default 5 minutes
}

// Pause returns how long to wait after attempt number n, from 1.
func (b Backoff) Pause(n int) time.Duration {
	b = b.over(defaultPolicy.Backoff)
	d := b.First
	for i := 1; i < n && d < b.Most; i++ {
		d *= 2
	}
	d = min(d, b.Most)
	return d - rand.N(d/2+1) //nolint:gosec // jitter is no secret
}

func (b Backoff) over(base Backoff) Backoff {
	inherit(&b.First, base.First)
	inherit(&b.Most, max(base.Most, b.First))
	return b
}

var defaultPolicy = Policy{
	Concurrency: 1,
	Attempts:    10,
	Backoff:     Backoff{First: time.Second, Most: 5 * time.Minute},
	Timeout:     30 * time.Minute,
}

const (
	defaultShutdown = 10 * time.Second
	defaultHandler  = 10 * time.Second
)

// over returns p with the values of base where p has none.
func (p Policy) over(base Policy) Policy {
	inherit(&p.Concurrency, base.Concurrency)
	inherit(&p.Attempts, base.Attempts)
	inherit(&p.Timeout, base.Timeout)
	p.Backoff = p.Backoff.over(base.Backoff)
	return p
}

func inherit[T int | time.Duration](field *T, base T) {
	if *field == 0 {
		*field = base
	}
}

// check returns what is wrong with the configuration by itself.
func (c *Config) check() error {
	var errs []error
	if c.Queue == nil {
		errs = append(errs, errors.New("worker: Config.Queue is nil: make one with workqueue.New"))
	}
	if c.Shutdown < 0 || c.Handler < 0 {
		errs = append(errs, fmt.Errorf("worker: Config.Shutdown (%v) and Handler (%v) must not be negative; 0 is the default", c.Shutdown, c.Handler))
	}
	errs = append(errs, c.Policy.check("Config.Policy"))
	for name, p := range c.Channels {
		if err := channellayer.CheckName(name); err != nil {
			errs = append(errs, fmt.Errorf("worker: Config.Channels: %w", err))
		}
		errs = append(errs, p.check(fmt.Sprintf("Config.Channels[%q]", name)))
	}
	return errors.Join(errs...)
}

func (p Policy) check(what string) error {
	if p.Concurrency < 0 || p.Attempts < 0 || p.Backoff.First < 0 || p.Backoff.Most < 0 {
		return fmt.Errorf("worker: %s has Concurrency %d, Attempts %d and Backoff %v to %v: none must be negative, and 0 is the default",
			what, p.Concurrency, p.Attempts, p.Backoff.First, p.Backoff.Most)
	}
	if p.Backoff.Most > 0 && p.Backoff.Most < p.Backoff.First {
		return fmt.Errorf("worker: %s has a Backoff from %v to %v: the first pause must not be longer than the longest", what, p.Backoff.First, p.Backoff.Most)
	}
	return nil
}
