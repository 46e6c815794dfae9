// Package websocket speaks RFC 6455 on the server's side, without any input or
// output of its own: bytes in, events out, and back.
//
// # Usage
//
// An [Upgrader] checks the handshake of an HTTP request and returns the [Codec] of
// the connection. The server feeds it with what the socket brings, and writes what
// it appends:
//
//	upgrader := websocket.NewUpgrader(websocket.Config{})
//	if websocket.IsUpgrade(req.Headers) {
//		codec, err := upgrader.Upgrade(req) // err is a *protocol.Reject
//	}
//	n, err := codec.Decode(in, deliver)
//	out, err = codec.Append(out, &protocol.Accept{Subprotocol: "chat"})
//
// Applications do not use this package: they get events and answer through a
// protocol.Conn.
//
// # Concurrency and ordering
//
// An Upgrader is safe for concurrent use. A Codec's Decode and Append may run
// concurrently with each other, each called by one goroutine at a time. Events come
// in the order of the wire, with control frames between the fragments of a message
// before the message.
//
// # Limits
//
// A frame's and a message's size are checked when the frame's header is there,
// before anything is allocated; what is allocated then grows with what has arrived,
// whatever the header promises. Text is validated as it arrives. A message of one
// frame is bound by both limits. Between messages a Codec has 32 bytes.
//
// # Compression
//
// permessage-deflate (RFC 7692) is off unless [Compression] is enabled, and then
// used with clients that offer it. No message refers to those before it, in either
// direction: context takeover, which would keep a window of 32 KiB or more for every
// connection, is never agreed to. A compressed message stays compressed until all of
// it has arrived; Limits.Frame and Limits.Message bound what arrives, Limits.Message
// and Compression.MaxRatio what it inflates to, while it is inflated. What inflating
// and compressing needs is borrowed for as long as a message takes. A
// protocol.SharedMessage is framed once and compressed once, whatever the number of
// its receivers.
//
// # Extending
//
// No other extension is negotiated: reserved bits without a meaning are an error.
//
// # Errors
//
// A bad handshake is a *protocol.Reject, a bad frame a *protocol.CloseError. An
// event that cannot be sent is an error of Append, which then appends nothing.
package websocket
