package workqueue

import (
	"context"
	"fmt"
	"time"
)

// A Store keeps the jobs of a [Queue] and leases them out. It knows nothing of what is in them, and decides nothing: when a job is tried again and when it is dead
// is the worker's decision. channellayer/redis has a store, [Memory] is one, and workqueuetest proves another one.
//
// Names and sizes have been checked when a store gets them. All methods may be called by many goroutines at a time, and return when their context ends; all but
// Take also within seconds without that, when the server has gone silent. A store connects again by itself. After Close every method returns [ErrClosed].
type Store interface {
	// Put keeps a job as one that was never attempted (its Attempt and Error are not looked at), and returns when it is as durable as the server makes it. It may start when delay is over.
	// If once is true and the channel was given a job with this ID within Limits.Window, whatever has become of that, it does nothing and returns false.
	// Otherwise a channel with Limits.Capacity jobs that are not done is a [*FullError].
	// A job that the server can never take is an error that matches channellayer.ErrTooLarge. The job is the store's from now on, also if it fails.
	Put(ctx context.Context, job *Job, delay time.Duration, once bool) (added bool, err error)
	// Take leases up to most jobs of a channel, at least one, to the caller for Limits.Lease: what has waited longest first, and what somebody else's lease has run out for as soon as
	// the store notices, which must be within a second. It waits until there is one, and then for no more. If ctx ends it returns the context's error and no job; jobs that come at that moment are given back as by Release.
	// Attempt of the job counts the leases that were not released.
	Take(ctx context.Context, channel string, most int) ([]*Lease, error)
	// Settle ends a lease. It is an error that matches [ErrLeaseLost] if the lease ran out and somebody else has the job, or has settled it; then it changes nothing. Whether a lease that ran
	// out without anybody noticing counts as lost is up to the store.
	Settle(ctx context.Context, l *Lease, o Outcome) error
	// Extend makes a lease end Limits.Lease from now. Its errors are those of Settle.
	Extend(ctx context.Context, l *Lease) error
	// Close ends the calls that wait, disconnects, and returns when no goroutine of the store is left. What it leased out stays so until the leases run out. Closing again does nothing.
	Close() error
}

// A Lease is a job that one worker has, until it settles it or Term is over.
type Lease struct {
	Job *Job
	// Term is for how long the lease holds, from when Take was about to return or from the last Extend.
	Term time.Duration
	// Token is the store's own.
	Token any
}

// A Verdict says what becomes of a job that was attempted.
type Verdict uint8

// The verdicts.
const (
	// Done forgets the job.
	Done Verdict = iota
	// Retry makes the job wait for Outcome.After, and then be leased again.
	Retry
	// Release gives it back, to be leased at once, as if this attempt had not been: the next one has the same number.
	Release
	// Bury makes it a dead job. Over Limits.Dead the oldest dead job of the channel is dropped.
	Bury
)

// An Outcome is how an attempt ended. Its zero value is Done.
type Outcome struct {
	Verdict Verdict
	// After is how long a Retry waits.
	After time.Duration
	// Error says why the attempt failed. A store keeps it with Bury, and may keep it with Retry.
	Error string
}

// An Inspector is a [Store] that can show what it keeps, and change it. A dead job has been buried; what is not done is waiting, delayed or running.
type Inspector interface {
	// Stats counts the jobs of a channel. One that nobody used is empty, and no error.
	Stats(ctx context.Context, channel string) (Stats, error)
	// Dead returns dead jobs of a channel, the one that died first first: those after the first skip ones, at most most.
	Dead(ctx context.Context, channel string, skip, most int) ([]*DeadJob, error)
	// Revive makes a dead job a waiting one that was never attempted, whatever Capacity says. Without such a dead job the error matches [ErrNoJob].
	Revive(ctx context.Context, channel, id string) error
	// Remove forgets a dead job. Without such a one the error matches ErrNoJob.
	Remove(ctx context.Context, channel, id string) error
}

// Stats are the numbers of a channel's jobs. The sum of the first three is exact; a store may count a delayed job as a waiting or running one.
type Stats struct {
	Waiting int // may start now
	Delayed int // may start later: Delay, or tried again
	Running int // leased
	Dead    int
}

// A DeadJob is one that was given up. Its Error says why, and Attempt how often it was tried.
type DeadJob struct {
	*Job
	Died time.Time
}

// Defaults of [Limits].
const (
	DefaultCapacity = 100_000
	DefaultDead     = 10_000
	DefaultLease    = 30 * time.Second
	DefaultWindow   = 10 * time.Minute
)

// Limits are what all stores have. The zero value is useful. Processes that share a store's server must have the same.
type Limits struct {
	// Capacity is how many jobs of one channel may be not done; zero means 100,000.
	Capacity int
	// Dead is how many dead jobs of one channel are kept; zero means 10,000.
	Dead int
	// Lease is how long a worker has a job without extending the lease: so long it takes at the most until the jobs of a worker that died run elsewhere. Zero means 30 s. It should be
	// several times as long as a pause of the network.
	Lease time.Duration
	// Window is how long a [Key] is known; zero means ten minutes.
	Window time.Duration
}

// WithDefaults returns the limits with the defaults in place of zeros, or an error that names the one that is negative.
func (l Limits) WithDefaults() (Limits, error) {
	if l.Capacity < 0 || l.Dead < 0 || l.Lease < 0 || l.Window < 0 {
		return l, fmt.Errorf("workqueue: limits: Capacity (%d), Dead (%d), Lease (%v) and Window (%v) must not be negative; zero means the default",
			l.Capacity, l.Dead, l.Lease, l.Window)
	}
	if l.Capacity == 0 {
		l.Capacity = DefaultCapacity
	}
	if l.Dead == 0 {
		l.Dead = DefaultDead
	}
	if l.Lease == 0 {
		l.Lease = DefaultLease
	}
	if l.Window == 0 {
		l.Window = DefaultWindow
	}
	return l, nil
}
