package server

import (
	"time"

	"go.uber.org/zap"

	"github.com/portico-go/portico/protocol"
	"github.com/portico-go/portico/protocol/websocket"
)

// A Config says how a Server serves. Its zero value is safe and useful.
type Config struct {
	// Protocols are what is served besides HTTP and WebSocket. nil is chat, as
	// chat.Config's zero value has it; an empty slice is none. Of several protocols
	// that a connection's first bytes fit, the one listed first is taken.
	Protocols []protocol.Protocol
	// Limits bound what clients can make the server keep.
	Limits Limits
	// Timeouts bound how long things may take.
	Timeouts Timeouts
	// Compression says whether WebSockets may compress messages. The zero value is off.
	Compression websocket.Compression
	// Portable gives each connection of a message protocol a goroutine, as it is done
	// where there is no better way: with TLS, and on systems other than Linux. Elsewhere
	// an idle connection has none. It behaves the same; use it to find out whether it does.
	Portable bool
	// RootPath is the prefix under which the application is mounted, without a slash
	// at its end: a path outside of it is answered with 404.
	RootPath string
	// Logger gets the errors of applications, and at debug level what clients do
	// wrong. nil writes warnings and errors as JSON to standard error; zap.NewNop()
	// is silent. Queries, cookies and credentials are never logged.
	Logger *zap.Logger
	// Observer is told what happens to connections, for metrics; nil is nobody.
	Observer protocol.Observer
}

// Limits bound what clients can make a server keep. 0 stands for the default; a
// Listener can have its own.
type Limits struct {
	// Connections is how many connections there may be at a time: in Config of the
	// whole server, in Listener of that listener. Those over it are closed when
	// they are accepted. Default for the server: nine tenths of the descriptors that
	// the process may have; for a listener: the server's.
	Connections int
	// ConnectionsPerIP is how many of them may come from one IPv4 address or one
	// IPv6 /64. Default: no limit, as many people may share an address.
	ConnectionsPerIP int
	// Header is the size of an HTTP request's head, or of another protocol's
	// handshake, in bytes. Default 16 KiB.
	Header int
	// Body is the size of a request body that is read whole, in bytes, unless its
	// route says otherwise. Default 1 MiB.
	Body int64
	// Frame is the size of a WebSocket frame, or of a line, in bytes. Default 1 MiB.
	Frame int
	// Message is the size of a message of several frames in bytes. Default 1 MiB.
	Message int
	// Queue is how many bytes may wait for one client to read them. A client that
	// lets more pile up is closed with 1013. Default 1 MiB.
	Queue int
	// Buffered is how many bytes may wait for all clients of the server together. When
	// there are more, those that read slowest are closed. Only in Config: a Listener has
	// none of its own. Default 256 MiB.
	Buffered int
}

// Timeouts bound how long things may take. 0 stands for the default; a Listener
// can have its own.
type Timeouts struct {
	// Header is how long a machine may take for the first bytes of a connection, a
	// PROXY header, a TLS handshake, an HTTP request's head. Default 5 s.
	Header time.Duration
	// Terminal is how long a person at a terminal may take for the first byte, and
	// then for the handshake: it counts instead of Header on a listener that serves
	// one of Config.Protocols, until a connection turns out to be HTTP. Default 60 s.
	Terminal time.Duration
	// Handshake is how long the application may take to accept or refuse a
	// connection. Default 20 s.
	Handshake time.Duration
	// Idle is how long an HTTP connection may wait for its next request. Default 60 s.
	Idle time.Duration
	// Stall is how long a byte may wait for a client to read it, and how long a
	// client may take for the next part of a request body. Default 30 s.
	Stall time.Duration
	// Close is how long a peer may take to answer a close. Default 5 s.
	Close time.Duration
	// Ping is how long a WebSocket may be silent before it is sent a ping. Default
	// 20 s; negative is never.
	Ping time.Duration
	// Pong is how long it may then stay silent before it is taken for gone. Default 30 s.
	Pong time.Duration
	// Silence is how long a client of a message protocol may send no message before it
	// is closed with 1001. Default: for ever.
	Silence time.Duration
	// Lifetime is how long a connection of a message protocol may last before it is
	// closed with 1001. Default: for ever.
	Lifetime time.Duration
	// Handler is how long a handler may take to return when its context is
	// cancelled, before it is logged with its stack. Default 10 s.
	Handler time.Duration
	// Shutdown is how long handlers and requests may go on when the server shuts
	// down, before their contexts are cancelled; for half of that time a handler of a
	// message protocol can still send. Default 10 s.
	Shutdown time.Duration
}

// over returns l with the values of base where l has none.
func (l Limits) over(base Limits) Limits {
	inherit(&l.Connections, base.Connections)
	inherit(&l.ConnectionsPerIP, base.ConnectionsPerIP)
	inherit(&l.Header, base.Header)
	inherit(&l.Body, base.Body)
	inherit(&l.Frame, base.Frame)
	inherit(&l.Message, base.Message)
	inherit(&l.Queue, base.Queue)
	inherit(&l.Buffered, base.Buffered)
	return l
}

// over returns t with the values of base where t has none.
func (t Timeouts) over(base Timeouts) Timeouts {
	inherit(&t.Header, base.Header)
	inherit(&t.Terminal, base.Terminal)
	inherit(&t.Handshake, base.Handshake)
	inherit(&t.Idle, base.Idle)
	inherit(&t.Stall, base.Stall)
	inherit(&t.Close, base.Close)
	inherit(&t.Ping, base.Ping)
	inherit(&t.Pong, base.Pong)
	inherit(&t.Silence, base.Silence)
	inherit(&t.Lifetime, base.Lifetime)
	inherit(&t.Handler, base.Handler)
	inherit(&t.Shutdown, base.Shutdown)
	return t
}

func inherit[T int | int64 | time.Duration](field *T, base T) {
	if *field == 0 {
		*field = base
	}
}

func defaultLimits() Limits {
	return Limits{
		Connections: descriptorLimit() / 10 * 9,
		Header:      16 << 10,
		Body:        1 << 20,
		Frame:       1 << 20,
		Message:     1 << 20,
		Queue:       1 << 20,
		Buffered:    256 << 20,
	}
}

func defaultTimeouts() Timeouts {
	return Timeouts{
		Header:    5 * time.Second,
		Terminal:  60 * time.Second,
		Handshake: 20 * time.Second,
		Idle:      60 * time.Second,
		Stall:     30 * time.Second,
		Close:     5 * time.Second,
		Ping:      20 * time.Second,
		Pong:      30 * time.Second,
		Handler:   10 * time.Second,
		Shutdown:  10 * time.Second,
	}
}

// protocolLimits returns what of l concerns codecs.
func (l Limits) protocolLimits() protocol.Limits {
	return protocol.Limits{Handshake: l.Header, Frame: l.Frame, Message: l.Message}
}
