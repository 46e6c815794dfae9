package middleware

import (
	"context"

	"github.com/portico-go/portico/protocol"
)

// A Transform is a middleware that looks at a connection's scope while the
// connection opens, and then is out of the way: events go from the server
// straight to the consumer.
type Transform struct {
	// Name says what it is, in errors and listings: "session".
	Name string
	// Provides lists the keys that scopes have behind it.
	Provides []protocol.AnyKey
	// Requires lists the keys that scopes must have when they reach it.
	Requires []protocol.AnyKey
	// Scope returns the scope for what is inside, often scope.With(…), or an error
	// that refuses the connection, often a *protocol.Reject. It may block; ctx is
	// the connection's. What is to be added to the answer goes into a hook of
	// scope.OnResponse, what is to be undone at the end into scope.OnClose. It is
	// called concurrently for different connections.
	Scope func(ctx context.Context, scope *protocol.Scope) (*protocol.Scope, error)
	// Check, if set, is a fault in the middleware's configuration, which a server
	// reports before it listens.
	Check error
}

// Middleware lifts the transform to a middleware that describes itself.
func (t Transform) Middleware() protocol.Middleware {
	return func(inner protocol.Application) protocol.Application {
		return &transformed{t: t, inner: inner}
	}
}

// transformed is an application behind a Transform.
type transformed struct {
	t     Transform
	inner protocol.Application
}

var _ protocol.Described = (*transformed)(nil)

// Open implements protocol.Application.
func (a *transformed) Open(ctx context.Context, scope *protocol.Scope, conn *protocol.Conn) (protocol.Handler, error) {
	scope, err := a.t.Scope(ctx, scope)
	if err != nil {
		return nil, err
	}
	return a.inner.Open(ctx, scope, conn)
}

// Describe implements protocol.Described.
func (a *transformed) Describe() protocol.Description {
	return protocol.Description{
		Name:     a.t.Name,
		Provides: a.t.Provides,
		Requires: a.t.Requires,
		Err:      a.t.Check,
		Inner:    []protocol.Inner{{App: a.inner}},
	}
}

// An Around is a middleware that does something around each event, such as
// saving a changed session, timing or recovering.
type Around struct {
	// Name says what it is, in errors and listings: "recover".
	Name string
	// Provides lists the keys that scopes have behind it.
	Provides []protocol.AnyKey
	// Requires lists the keys that scopes must have when they reach it.
	Requires []protocol.AnyKey
	// Open opens the inner application and returns a handler around the one that
	// it returned, or that one itself.
	Open func(ctx context.Context, scope *protocol.Scope, conn *protocol.Conn, inner protocol.Application) (protocol.Handler, error)
	// Check is as for Transform.
	Check error
}

// Middleware lifts the Around to a middleware that describes itself.
func (m Around) Middleware() protocol.Middleware {
	return func(inner protocol.Application) protocol.Application {
		return &surrounded{m: m, inner: inner}
	}
}

// surrounded is an application behind an Around.
type surrounded struct {
	m     Around
	inner protocol.Application
}

var _ protocol.Described = (*surrounded)(nil)

// Open implements protocol.Application.
func (a *surrounded) Open(ctx context.Context, scope *protocol.Scope, conn *protocol.Conn) (protocol.Handler, error) {
	return a.m.Open(ctx, scope, conn, a.inner)
}

// Describe implements protocol.Described.
func (a *surrounded) Describe() protocol.Description {
	return protocol.Description{
		Name:     a.m.Name,
		Provides: a.m.Provides,
		Requires: a.m.Requires,
		Err:      a.m.Check,
		Inner:    []protocol.Inner{{App: a.inner}},
	}
}
