// Package server serves an application on sockets: HTTP, WebSocket, chat and
// protocols of your own, on one port or on many.
//
// # What it is
//
// A [Server] puts listeners, protocols and the application together. On each
// connection it reads, in this order, the PROXY header if the listener believes
// one, TLS, and the first bytes, which tell the protocol once and for all.
//
// # Usage
//
//	app := router.ProtocolTypeRouter{"http": site, "websocket": sockets, "chat": terminals}
//	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
//	defer stop()
//	err := server.New(app, server.Config{}).ListenAndServe(ctx, ":8000")
//
// A [Listener] says more than an address: which protocols, TLS, whose PROXY
// headers are believed, limits of its own.
//
//	srv.Serve(ctx, server.Listener{Address: ":443", TLS: cfg}, server.Listener{Network: "unix", Address: "/run/app.sock"})
//
// # What is served
//
// HTTP, WebSocket and Config.Protocols (chat, if that is nil), as far as the
// application has them: if a router.ProtocolTypeRouter is at its root, what that
// does not have is not served, and a connection that speaks it is closed, or is
// answered by HTTP if it looks like a request. What a Listener names explicitly
// must be there, or Serve returns an error before it listens.
//
// # Concurrency and ordering
//
// Connections are served concurrently; each one's events are handled in order. A
// peer that resets its connection, or hangs up, cancels its context at once with
// protocol.ErrReset, also while a handler runs or Open blocks (on Linux; elsewhere
// when something is next read or written). A FIN alone is a half-close: what came
// before it is handled and answered.
//
// # Limits
//
// [Limits] and [Timeouts] bound what clients can take, with safe defaults. A machine
// has 5 seconds for its first bytes and its request's head. A person at a terminal
// has 60 for the first byte and 60 for the handshake; since a connection that has
// sent nothing may be either, a listener that serves chat or another of
// Config.Protocols waits 60 seconds for the first byte.
//
// # Extending
//
// List a protocol of your own in Config.Protocols; Config.Observer sees what metrics
// need.
//
// # Errors
//
// Serve returns nil after a clean shutdown. Errors of applications are answered and
// logged, once each, with route and connection id; they never end the server.
package server
