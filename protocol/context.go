package protocol

import (
	"context"
	"sync/atomic"
	"time"
)

// connContext is a Conn as its context: it needs no memory of its own. Most
// connections are never waited for and end once, so the cancellable context of the
// standard library, with its place in the parent's list, is made only when somebody
// asks for it.
type connContext Conn

type cancelContext struct {
	context.Context
	cancel context.CancelCauseFunc
}

// Deadline implements context.Context.
func (c *connContext) Deadline() (time.Time, bool) { return (*Conn)(c).parent().Deadline() }

// Done implements context.Context.
func (c *connContext) Done() <-chan struct{} { return c.current(true).Done() }

// Err implements context.Context.
func (c *connContext) Err() error { return c.current(false).Err() }

// Value implements context.Context. Once there is an inner context the lookup
// goes through it, so that context.Cause and derived contexts find it.
func (c *connContext) Value(key any) any { return c.current(false).Value(key) }

// current returns the inner context, which it makes if it is needed, and else the
// parent, which tells the same as long as the connection lives.
func (c *connContext) current(needed bool) context.Context {
	c.mu.Lock()
	defer c.mu.Unlock()
	conn := (*Conn)(c)
	if conn.rare == nil || conn.rare.inner == nil {
		parent := conn.ancestor()
		if !needed && !c.cancelled {
			return parent
		}
		ctx, cancel := context.WithCancelCause(parent)
		conn.others().inner = &cancelContext{ctx, cancel}
		if c.cancelled {
			cancel(conn.cause())
		}
	}
	return conn.rare.inner.Context
}

// parent returns the context from which the connection's inherits.
func (c *Conn) parent() context.Context {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ancestor()
}

// ancestor is parent. c.mu is held.
func (c *Conn) ancestor() context.Context {
	if c.rare != nil && c.rare.parent != nil {
		return c.rare.parent
	}
	return c.req.common.settings.parent()
}

// context returns the connection's context.
func (c *Conn) context() context.Context { return (*connContext)(c) }

// cancel cancels the context; the first cause stays. c.mu is held.
func (c *Conn) cancel(cause error) {
	c.setCause(cause)
	if !c.cancelled && c.rare != nil && c.rare.inner != nil {
		c.rare.inner.cancel(c.rare.cause)
	}
	c.cancelled = true
}

// cleanupContext is the context of cleanups: the values of the connection's, not
// its cancellation, and CleanupTimeout to live, from when the first of them looks
// at it. Few do, so the clock is read and a timer made only then.
type cleanupContext struct {
	parent context.Context               // perhaps cancelled
	inner  atomic.Pointer[timeToCleanUp] // nil until it is needed
}

type timeToCleanUp struct {
	context.Context
	cancel context.CancelFunc
}

// Deadline implements context.Context.
func (c *cleanupContext) Deadline() (time.Time, bool) { return c.current().Deadline() }

// Done implements context.Context.
func (c *cleanupContext) Done() <-chan struct{} { return c.current().Done() }

// Err implements context.Context.
func (c *cleanupContext) Err() error { return c.current().Err() }

// Value implements context.Context.
func (c *cleanupContext) Value(key any) any { return c.current().Value(key) }

func (c *cleanupContext) current() context.Context {
	if inner := c.inner.Load(); inner != nil {
		return inner
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(c.parent), CleanupTimeout)
	if !c.inner.CompareAndSwap(nil, &timeToCleanUp{ctx, cancel}) {
		cancel() // somebody else was faster
	}
	return c.inner.Load()
}

// release stops the timer, if there is one.
func (c *cleanupContext) release() {
	if inner := c.inner.Load(); inner != nil {
		inner.cancel()
	}
}
