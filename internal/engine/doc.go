// Package engine runs the connections of message protocols: it moves bytes between
// a socket and a codec, and events between the codec and an application.
//
// # What it is
//
// A [Stream] is one connection. It implements protocol.Transport, drives a
// protocol.Lifecycle, and takes its turns through a mailbox, so that what the peer
// sent, what was posted and the end never overlap. An [Engine] is what the streams
// of one server share.
//
// # Usage
//
//	e := engine.New(engine.Config{Settings: settings})
//	…
//	e.Serve(ctx, engine.Incoming{Conn: conn, Request: req, Codec: codec}, app) // a goroutine per connection
//
// # Concurrency and ordering
//
// A stream's first turn opens the application and connects it. What it sends waits
// until Connect has returned, with the answer first; then mail that came meanwhile
// is handled; then reading starts. A turn decodes at most 64 KiB, and its replies
// leave in one write. A FIN of the peer is a half-close: what came before it is
// handled and answered. The end is the last turn: what is queued is written, the
// socket is closed, and the handler gets its Disconnect.
//
// # Limits
//
// What is queued for a peer is bounded in bytes, and in time by the oldest byte:
// a peer that reads too slowly is closed and never holds up a handler. What the
// codec leaves of the input is bounded too. A handshake and a close have deadlines.
//
// # Extending
//
// This is the portable path: a goroutine per connection on any net.Conn, also one
// in memory. What reads (Stream.run) and what writes (outgoing) know nothing
// of each other but the stream's mailbox and its lock.
//
// # Errors
//
// The cause of a connection's end is in its Disconnect: protocol.ErrReset,
// protocol.ErrSlow, protocol.ErrHandshakeTimeout, protocol.ErrShutdown, or a
// *protocol.CloseError.
package engine
