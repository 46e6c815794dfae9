// Package engine runs the connections of message protocols: it moves bytes between
// a socket and a codec, and events between the codec and an application.
//
// # What it is
//
// A [Stream] is one connection. It implements protocol.Transport, drives a
// protocol.Lifecycle, and takes its turns through a mailbox, so that what the peer
// sent, what was posted and the end never overlap. An [Engine] is what the streams
// of one listener share. A [Poller] tells streams what their sockets are ready for:
// an idle one has no goroutine, no buffer and no timer of the runtime. Before it is a
// stream, a polled socket is a [Conn], which works for a [Guest].
//
// # Usage
//
//	poller, err := engine.NewPoller()
//	e := engine.New(engine.Config{Settings: settings, Poller: poller, Over: over})
//	…
//	e.Serve(ctx, engine.Incoming{Conn: conn, Socket: conn, Request: req, Codec: codec}, app)
//
// # Concurrency and ordering
//
// A stream's first turn opens the application and connects it. What it sends waits
// until Connect has returned, with the answer first; then mail that came meanwhile
// is handled; then reading starts. An event of the poller starts a turn on a new
// goroutine. A turn reads and decodes at most 64 KiB and then queues behind the others;
// its replies leave in one write, at its end, at 64 KiB, on Flush, or after a
// millisecond if a handler takes longer. A FIN of the peer is a half-close: what came before it is
// handled and answered. The end is the last turn: what is queued is written, the
// socket is closed, and the handler gets its Disconnect.
//
// # Limits
//
// What is queued for a peer is bounded in bytes, and in time by the oldest byte:
// a peer that reads too slowly is closed and never holds up a handler. What the
// codec leaves of the input is bounded too. A [Budget] bounds what is queued for all
// peers. A handshake, a close, a peer's silence, a connection's idleness and its life
// have deadlines, which are up to a tenth of a second late.
//
// # Extending
//
// What moves bytes is a socket: a descriptor on Linux, and piped for any net.Conn,
// also one in memory, with a goroutine that reads and one for each write. All else
// is the same for both.
//
// # Errors
//
// The cause of a connection's end is in its Disconnect: protocol.ErrReset,
// protocol.ErrSlow, protocol.ErrHandshakeTimeout, protocol.ErrShutdown, or a
// *protocol.CloseError.
package engine
