package protocol

import "context"

// An Overflow says what becomes of a message for a client that lets too many bytes
// wait already. Whatever is dropped is told to the Observer, as Dropped.
type Overflow uint8

// The choices.
const (
	CloseSlow  Overflow = iota // the client is closed with 1013 and the cause ErrSlow: the default
	DropNewest                 // the new message is dropped; Send returns nil
	DropOldest                 // messages that wait are dropped, the oldest first; what is being sent already stays
)

var overflowKey = NewKey[Overflow]("protocol.overflow")

// OnOverflow returns a middleware for connections whose messages may be lost if the
// client is slow: positions and prices, of which the next one makes up for the last.
// Of several on the way to a handler the innermost counts.
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
	return Description{Name: "OnOverflow", Inner: []Inner{{App: a.inner}}}
}

// Overflow returns what OnOverflow declared for the connection, for transports.
func (c *Conn) Overflow() Overflow {
	c.rec.mu.Lock()
	defer c.rec.mu.Unlock()
	o, _ := find[Overflow](c.rec.values, &overflowKey.id)
	return o
}
