package middleware

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/portico-go/portico/protocol"
)

// HandshakeTimeout returns a middleware that refuses with 503 a connection that is
// neither accepted nor refused d after it reached the middleware: a WebSocket
// without an answer, a request whose response has not begun. The refusal is sent
// whatever the handler does, and then the context that what is inside got is
// cancelled with protocol.ErrHandshakeTimeout as its cause. Where a server cannot
// write while a handler runs, as with a buffered HTTP request, the refusal leaves
// when the handler returns.
//
// It is for routes that need less time than the server's own limit allows, and
// works on every protocol. An accepted connection has no timeout of this any more.
func HandshakeTimeout(d time.Duration) protocol.Middleware {
	var fault error
	if d <= 0 {
		fault = fmt.Errorf("middleware: HandshakeTimeout needs a positive duration, not %v", d)
	}
	return Around{
		Name:  "HandshakeTimeout",
		Check: fault,
		Open: func(ctx context.Context, scope *protocol.Scope, conn *protocol.Conn, inner protocol.Application) (protocol.Handler, error) {
			timed, cancel := context.WithCancelCause(ctx)
			timer := time.AfterFunc(d, func() { //nolint:contextcheck // response hooks get the connection's
				if refuseLate(conn) {
					cancel(protocol.ErrHandshakeTimeout)
				}
			})
			stop := func() { timer.Stop() }
			scope.OnClose(func(context.Context, error) { stop(); cancel(nil) }) //nolint:contextcheck // it gets a context of its own
			err := scope.OnResponse(func(context.Context, *protocol.Head) error { stop(); return nil })
			if err != nil {
				return nil, err
			}
			handler, err := inner.Open(timed, scope, conn)
			if err != nil || handler == nil {
				stop()
				return nil, err
			}
			return &timedHandler{inner: handler, conn: conn, ctx: timed}, nil
		},
	}.Middleware()
}

// refuseLate refuses a connection that has no answer yet and reports whether it did.
func refuseLate(conn *protocol.Conn) bool {
	_ = conn.Send(&protocol.Reject{Status: http.StatusServiceUnavailable, Err: protocol.ErrHandshakeTimeout}) // it may have been answered meanwhile
	return conn.State() == protocol.StateRefused
}

// A timedHandler hands its inner handler contexts that end with the handshake's
// until there is an answer.
type timedHandler struct {
	inner protocol.Handler
	conn  *protocol.Conn
	ctx   context.Context // of the handshake; nil when it is over
}

// Handle implements protocol.Handler.
func (h *timedHandler) Handle(ctx context.Context, ev protocol.Event) error {
	if h.ctx != nil && h.conn.State() != protocol.StateConnecting {
		h.ctx = nil
	}
	if h.ctx == nil {
		return h.inner.Handle(ctx, ev)
	}
	return h.inner.Handle(endingWith(ctx, h.ctx), ev)
}

// endingWith returns a context that also ends with the handshake's. It is cancelled
// by nothing else, as what a handler starts may keep it.
func endingWith(ctx, handshake context.Context) context.Context {
	both, cancel := context.WithCancelCause(ctx)
	context.AfterFunc(handshake, func() { cancel(context.Cause(handshake)) })
	return both
}
