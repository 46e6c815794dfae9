package protocol

import (
	"crypto/tls"
	"net/netip"
	"strings"
)

// A Framing says what a protocol's messages look like on the wire, so that a
// consumer can render one value for each.
type Framing string

// The framings that portico's own protocols have.
const (
	FramingNone    Framing = ""        // no messages: HTTP, jobs
	FramingMessage Framing = "message" // messages of any content: WebSocket
	FramingLine    Framing = "line"    // one line of text each: chat
)

// A Request is what a connection asked for when it opened, the same for every
// protocol. A protocol fills it and hands it to NewScope or NewLifecycle, which copy
// the fields and keep the strings; nothing in it may alias a recycled buffer. What a
// connection keeps of it is as small as can be, so a Request itself is made anew
// for whoever asks for it.
type Request struct {
	// Protocol names the protocol: "http", "websocket", "chat", "channel".
	Protocol string
	// Framing says what the connection's messages look like.
	Framing Framing
	// Version is the protocol's version if it has one: "1.0" or "1.1" for HTTP.
	Version string
	// Method is HTTP's method, "GET" for a WebSocket handshake, else empty.
	Method string
	// Scheme is "http", "https", "ws", "wss", "chat", …
	Scheme string
	// Target is the path with the query, as the client sent it: "/a%20b?c=d".
	Target string
	// RootPath is the prefix of the path under which the application is mounted,
	// without a slash at its end. A path outside of it is refused with 404.
	RootPath string
	// Headers are the client's header fields, without those that are about the
	// connection alone in a protocol that outlives its handshake: see the protocol. A
	// protocol without headers offers the lines of its handshake as headers.
	Headers Headers
	// Subprotocols are the WebSocket subprotocols the client offered, in its order.
	Subprotocols []string
	// Client is the address of the peer; it is not valid for a unix socket.
	Client netip.AddrPort
	// Server is the address on which the connection was accepted; it is not
	// valid for a unix socket.
	Server netip.AddrPort
	// Peer is who is at the other end of a unix socket, nil elsewhere.
	Peer *PeerCredentials
	// TLS is the state of the TLS connection, nil without TLS.
	TLS *tls.ConnectionState
	// Channel is the name of the channel that a "channel" scope works on.
	Channel string
}

// Own copies the target and the header fields into one piece, if they alias what is
// used again.
func (r *Request) Own() {
	var b strings.Builder
	b.Grow(len(r.Target) + len(r.Headers.block))
	b.WriteString(r.Target)
	b.WriteString(r.Headers.block)
	r.split(b.String())
}

// split makes both, of which the target is the beginning, the request's text.
func (r *Request) split(both string) {
	r.Headers = Headers{block: both[len(r.Target):]}
	r.Target = both[:len(r.Target)]
}

// Shrink leaves out the header fields whose names keep does not want, and copies what
// is left together with the target into one piece. A protocol whose connections last
// calls it for what only its handshake needed.
func (r *Request) Shrink(keep func(name string) bool) {
	var room [16]string
	kept, size := room[:0], len(r.Target)
	for name, line := range r.Headers.lines() {
		if keep(name) {
			kept = append(kept, line)
			size += len(line)
		}
	}
	var b strings.Builder
	b.Grow(size)
	b.WriteString(r.Target)
	for _, line := range kept {
		b.WriteString(line)
	}
	r.split(b.String())
}

// PeerCredentials are what the kernel says of the process at the other end of a
// unix socket.
type PeerCredentials struct {
	PID int32
	UID uint32
	GID uint32
}
