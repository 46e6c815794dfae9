package protocol

import (
	"context"
	"fmt"
)

// An Overflow says what becomes of a message for a client that lets too many bytes
// wait already. Whatever is lost is told to the Observer, once for each message, as
// Dropped.
type Overflow uint8

// The choices.
const (
	// DefaultOverflow is, for a message, what OnOverflow declared for its connection;
	// and CloseSlow where nothing was declared.
	DefaultOverflow Overflow = iota
	// CloseSlow closes the client with 1013 and the cause ErrSlow; Send returns
	// ErrSlow. Such a message is not lost for the sake of another.
	CloseSlow
	// DropNewest drops the new message; Send returns nil. What waits is kept.
	DropNewest
	// DropOldest drops messages with the same choice that wait, the oldest first. What
	// is being sent already stays. If that is not enough the new message is dropped.
	DropOldest
	// KeepLatest lets a message take the place of the one that waits with the same Key
	// and this choice, as soon as bytes wait for the client: who reads slowly reads less,
	// and only what holds still. The older message is dropped (ErrReplaced) and the new
	// one is queued at the end, so what arrives comes in the order in which it was sent.
	// A message without a Key replaces nothing and is never replaced. If too much waits
	// all the same the client is closed, as with CloseSlow.
	KeepLatest
)

// String returns the choice's name.
func (o Overflow) String() string {
	names := [...]string{"default", "close as slow", "drop newest", "drop oldest", "keep latest"}
	if int(o) >= len(names) {
		return "unknown"
	}
	return names[o]
}

var overflowKey = NewKey[Overflow]("protocol.overflow")

// OnOverflow returns a middleware for connections whose messages may be lost if the
// client is slow: positions and prices, of which the next one makes up for the last.
// Of several on the way to a handler the innermost counts, and what a Message says
// of itself counts before all of them.
func OnOverflow(o Overflow) Middleware {
	return func(inner Application) Application { return &overflowApp{o, inner} }
}

// An overflowApp declares an Overflow before it opens what is inside.
type overflowApp struct {
	overflow Overflow
	inner    Application
}

// Open implements Application.
func (a *overflowApp) Open(ctx context.Context, scope *Scope, conn *Conn) (Handler, error) {
	scope.Record(overflowKey.Of(a.overflow))
	return a.inner.Open(ctx, scope, conn)
}

// Describe implements Described.
func (a *overflowApp) Describe() Description {
	d := Description{Name: "OnOverflow", Inner: []Inner{{App: a.inner}}}
	if a.overflow > KeepLatest {
		d.Err = fmt.Errorf("protocol: OnOverflow(%d): there is no such choice", a.overflow)
	}
	return d
}

// Overflow returns what becomes of messages that do not say so themselves, for
// transports. It is never DefaultOverflow.
func (c *Conn) Overflow() Overflow {
	c.rec.mu.Lock()
	defer c.rec.mu.Unlock()
	if o, _ := find[Overflow](c.rec.values(), &overflowKey.id); o != DefaultOverflow {
		return o
	}
	return CloseSlow
}
