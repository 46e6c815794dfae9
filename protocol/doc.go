// Package protocol is portico's contract: what a connection is, and what servers,
// routers, middleware and consumers may expect of each other.
//
// # What it is
//
// Every connection becomes a [Scope]: an HTTP request, a WebSocket, a chat client,
// a background job. An [Application] opens it and returns a [Handler], which gets
// the connection's events one at a time and sends its own through the [Conn].
// Routers, middleware and consumers are all Applications.
//
// # Usage
//
//	hello := protocol.ApplicationFunc(func(_ context.Context, scope *protocol.Scope, conn *protocol.Conn) (protocol.Handler, error) {
//		return protocol.HandlerFunc(func(_ context.Context, ev protocol.Event) error {
//			switch ev := ev.(type) {
//			case *protocol.Connect:
//				return conn.Accept("", nil)
//			case *protocol.Message:
//				return conn.Send(ev) // echo
//			}
//			return nil
//		}), nil
//	})
//
// Most programs use the packages consumer, router and middleware instead, which
// are written against this one.
//
// # Concurrency and ordering
//
// Open is called concurrently for different connections. A connection's events
// are handled one at a time, in order, from one mailbox: the peer's messages, the
// channel layer's, timers. Conn may be used from any goroutine. A Scope is
// immutable.
//
// # Limits
//
// A handler that is busy stops the reading from its own connection and no other.
// Sends never block; a connection whose peer does not read is closed.
//
// # Extending
//
// A protocol of your own is three small interfaces: [Detector], [Handshake],
// [Codec], joined in a [Protocol]. A server of your own implements [Transport] and
// drives a [Lifecycle].
//
// # Errors
//
// Handlers return errors: a [*Reject] before the connection is accepted, a
// [*CloseError] after; anything else, a panic included, is logged once and answered
// as 500 or 1011.
package protocol
