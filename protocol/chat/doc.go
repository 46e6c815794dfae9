// Package chat is a line protocol for people at a terminal: a WebSocket of text
// lines, with a handshake that can be typed. docs/chat-protocol.md specifies it.
//
//	/nick alice
//	/pass wonderland
//	/join /rooms/go
//	hello, everybody
//
// # Usage
//
// List it among the protocols of a server; its connections come to the application
// as "chat", with the lines of the handshake as headers: Nick, Pass, Authorization,
// Cookie, and those that [Config] lists.
//
//	protocol, err := chat.New(chat.Config{Headers: []string{"Accept-Language"}})
//
// # Concurrency and ordering
//
// A [Protocol] serves all connections. Events come in the order of the lines.
//
// # Limits
//
// A line has [MaxLine] bytes, the handshake the bytes of protocol.Limits.Handshake.
// Nothing of a line is kept before it is complete.
//
// # Extending
//
// The package is written against the same contract as a protocol of your own:
// protocol.Protocol, protocol.Handshake and protocol.Codec. It is a model to copy.
//
// # Errors
//
// A bad line before /join is a *protocol.Reject, one after it a *protocol.CloseError;
// the client gets both as a line that begins with /err. An event that cannot be sent
// is an error of Append, which then appends nothing.
package chat
