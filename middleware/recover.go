package middleware

import (
	"context"
	"net/http"
	"runtime/debug"

	"go.uber.org/zap"

	"github.com/portico-go/portico/protocol"
)

// RecoverConfig says what happens with a panic. Its zero value turns it into a
// *protocol.PanicError, which the server logs and answers as 500 or 1011.
type RecoverConfig struct {
	// Logger writes each panic with its stack, at error level, and the server
	// then does not write it again. nil leaves it to the server.
	Logger *zap.Logger
	// Answer returns the error that ends the connection instead: a
	// *protocol.Reject with a page of one's own, say. nil, or an Answer that
	// returns nil, stands for 500, or 1011 if the connection was accepted. It is
	// called concurrently.
	Answer func(scope *protocol.Scope, p *protocol.PanicError) error
}

// Recover returns a middleware that turns a panic of what is inside, in Open or
// while an event is handled, into an error. A server does that for the whole
// connection anyway; Recover adds an answer and a logger of one's own for a part of
// the tree, and lets middleware around it see an error in place of a panic. It
// works on every protocol.
func Recover(c RecoverConfig) protocol.Middleware {
	return Around{
		Name: "Recover",
		Open: func(ctx context.Context, scope *protocol.Scope, conn *protocol.Conn, inner protocol.Application) (handler protocol.Handler, err error) {
			r := &recovering{config: &c, scope: scope, conn: conn}
			defer r.recoverTo(&err)
			if r.inner, err = inner.Open(ctx, scope, conn); err != nil || r.inner == nil {
				return nil, err
			}
			return r, nil
		},
	}.Middleware()
}

// recovering is a handler whose panics become errors.
type recovering struct {
	config *RecoverConfig
	scope  *protocol.Scope
	conn   *protocol.Conn
	inner  protocol.Handler
}

// Handle implements protocol.Handler.
func (r *recovering) Handle(ctx context.Context, ev protocol.Event) (err error) {
	defer r.recoverTo(&err)
	return r.inner.Handle(ctx, ev)
}

func (r *recovering) recoverTo(err *error) {
	if v := recover(); v != nil {
		*err = r.answer(&protocol.PanicError{Value: v, Stack: debug.Stack()})
	}
}

func (r *recovering) answer(p *protocol.PanicError) error {
	if r.config.Logger != nil {
		r.config.Logger.Error("panic",
			zap.Error(p),
			zap.ByteString("stack", p.Stack),
			zap.String("protocol", r.scope.Protocol()),
			zap.String("route", r.scope.Route()),
			zap.String("conn", r.conn.ID()),
		)
	}
	if r.config.Answer != nil {
		if err := r.config.Answer(r.scope, p); err != nil {
			return err
		}
	}
	switch state := r.conn.State(); {
	case r.config.Logger == nil:
		return p
	case state == protocol.StateConnecting:
		return &protocol.Reject{Status: http.StatusInternalServerError}
	case state == protocol.StateAccepted:
		return &protocol.CloseError{Code: protocol.CloseInternalError, Reason: "internal error"}
	default:
		return nil // it is over, and written down
	}
}
