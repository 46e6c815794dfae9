package workqueue

import (
	"errors"
	"fmt"
	"time"
)

// Errors that callers test for with errors.Is. The returned errors say more.
var (
	// ErrClosed is returned by every call on a queue that was closed.
	ErrClosed = errors.New("workqueue: closed")
	// ErrFull is matched by the [FullError] of a channel that holds as many jobs as it may.
	ErrFull = errors.New("workqueue: channel full")
	// ErrLeaseLost means that the lease of a job ran out, and that it was given to somebody else, or is settled.
	ErrLeaseLost = errors.New("workqueue: the lease is lost")
	// ErrNoJob means that a channel has no dead job of that ID.
	ErrNoJob = errors.New("workqueue: no such job")
	// ErrExpired is why a job is dead that was not started before its [Expiry].
	ErrExpired = errors.New("workqueue: it was not started before it expired")
	// ErrNotInspectable means that the store is no [Inspector].
	ErrNotInspectable = errors.New("workqueue: the store cannot show what it keeps")
)

// A FullError says that a job was not taken because its channel holds as many as it may. errors.Is(err, ErrFull) is true for it.
type FullError struct {
	Channel  string
	Capacity int // Limits.Capacity
}

// Error names the channel and its capacity.
func (e *FullError) Error() string {
	return fmt.Sprintf("workqueue: channel %q is full (%d jobs are not done): its workers are too few or too slow, or its capacity is too small", e.Channel, e.Capacity)
}

// Unwrap returns ErrFull.
func (e *FullError) Unwrap() error { return ErrFull }

// Permanent returns err as one that trying again cannot mend: a job that fails with it is dead at once. It returns nil for nil.
func Permanent(err error) error {
	if err == nil {
		return nil
	}
	return &verdict{error: err, permanent: true}
}

// IsPermanent reports whether err is or wraps one of [Permanent].
func IsPermanent(err error) bool {
	v, ok := errors.AsType[*verdict](err)
	return ok && v.permanent
}

// RetryAfter returns err as one after which the job should be tried again when d is over, instead of when the worker would do so. It returns nil for nil.
func RetryAfter(err error, d time.Duration) error {
	if err == nil {
		return nil
	}
	return &verdict{error: err, after: max(d, 0)}
}

// RetryDelay returns the d of [RetryAfter] if err is or wraps one.
func RetryDelay(err error) (d time.Duration, ok bool) {
	v, ok := errors.AsType[*verdict](err)
	if !ok || v.permanent {
		return 0, false
	}
	return v.after, true
}

// A verdict is an error with what is to become of the job.
type verdict struct {
	error
	permanent bool
	after     time.Duration
}

// Unwrap returns the error that the verdict is about.
func (v *verdict) Unwrap() error { return v.error }
