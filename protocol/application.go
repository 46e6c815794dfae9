package protocol

import "context"

// An Application is anything that can serve a connection: a router, what a
// middleware returns, a consumer. Whoever implements it can be put wherever
// another one stands.
type Application interface {
	// Open is called once per connection, when its scope is known and before
	// anything is accepted. It may block, for a database lookup say; its ctx is
	// the connection's and is cancelled with a cause when the handshake's limit
	// is over, the peer resets the connection, or the server shuts down.
	//
	// The Handler it returns receives the connection's events and exactly one
	// Disconnect. An error refuses the connection: a *Reject says how, an error
	// for which IsNoRoute is true lets an outer router go on, and anything else
	// is logged and answered as 500. Open is called concurrently for different
	// connections.
	Open(ctx context.Context, scope *Scope, conn *Conn) (Handler, error)
}

// ApplicationFunc is an Application that is a function.
type ApplicationFunc func(ctx context.Context, scope *Scope, conn *Conn) (Handler, error)

// Open calls f.
func (f ApplicationFunc) Open(ctx context.Context, scope *Scope, conn *Conn) (Handler, error) {
	return f(ctx, scope, conn)
}

// A Handler receives one connection's events, one at a time and in order, so it
// needs no locks for what belongs to the connection.
type Handler interface {
	// Handle handles one event. ev, and the byte slices in it, are valid until
	// Handle returns. While it runs no more is read from the connection, so a
	// slow handler slows its own client only.
	//
	// A returned error ends the connection: before the handshake is answered it
	// becomes a refusal (see RejectOf), afterwards a close (see CloseOf).
	Handle(ctx context.Context, ev Event) error
}

// HandlerFunc is a Handler that is a function.
type HandlerFunc func(ctx context.Context, ev Event) error

// Handle calls f.
func (f HandlerFunc) Handle(ctx context.Context, ev Event) error { return f(ctx, ev) }

// A Middleware returns an Application that does something around another one.
// What it returns should implement Described, so that Check can see a wrong
// order before the server listens.
type Middleware func(Application) Application

// Chain joins middlewares into one; the first is the outermost.
func Chain(mws ...Middleware) Middleware {
	return func(app Application) Application {
		for i := len(mws) - 1; i >= 0; i-- {
			app = mws[i](app)
		}
		return app
	}
}
