package protocol

import "time"

// An Event is something that happens on a connection, in either direction. Events
// are pointers to structs; protocols and applications add their own types.
type Event interface {
	// EventType names the event in messages and logs: "message", "http.request".
	EventType() string
}

// A Step is what sending an event does to the connection's state.
type Step uint8

// The steps. An event without a Step method is StepData.
const (
	StepData   Step = iota // something in between: needs an accepted connection
	StepAccept             // answers the handshake or request; data may follow
	StepAnswer             // a whole answer in one: nothing may follow
	StepRefuse             // refuses the handshake or request
	StepEnd                // the last event of an accepted connection
)

// A Stepper is an outgoing event that is not StepData.
type Stepper interface {
	Event
	Step() Step
}

// A Head is the status and the headers of an answer, as response hooks see them.
type Head struct {
	// Status is the HTTP status; 101 for a WebSocket that is accepted, 200 for
	// another protocol's accepted handshake.
	Status int
	// Header has the fields to be sent. Protocols that have no headers in their
	// answer leave them out.
	Header Fields
}

// An Answer is an outgoing event that carries the head of an answer. Response
// hooks run on it before it is sent.
type Answer interface {
	Stepper
	// Answer returns the head, for hooks to change.
	Answer() *Head
}

// Connect is the first event of a connection with a handshake: its handler joins
// groups, and accepts or refuses.
type Connect struct{}

// Disconnect is the last event of every Handler: whatever happened, it comes
// exactly once, and never while another event is being handled. The connection's
// context is already cancelled; the one that comes with Disconnect is not, and
// lives for CleanupTimeout.
type Disconnect struct {
	// Accepted reports whether the connection was ever accepted.
	Accepted bool
	// Code is the close code: the peer's, or the server's own; CloseNoStatus if
	// the peer closed without one, CloseAbnormal if the connection broke.
	Code CloseCode
	// Reason is the text that came with the code.
	Reason string
	// Cause says why the connection ended: a *CloseError, a *Reject, ErrReset,
	// ErrShutdown, ErrHandshakeTimeout, a handler's error, …
	Cause error
}

// A Message is one message in either direction. As an incoming event its Data is
// valid until Handle returns; as an outgoing one Data is copied.
type Message struct {
	// Binary says that Data is not text. Text is always valid UTF-8.
	Binary bool
	// Overflow is, for an outgoing message, what becomes of it if the client is slow.
	// 0 is what OnOverflow declared for the connection.
	Overflow Overflow
	// Data is the content.
	Data []byte
	// Key is, for an outgoing message, what it is the latest word about: see
	// KeepLatest. It is not sent. "" is nothing.
	Key string

	shared *encodings // of a SharedMessage, else nil
}

// Ping asks the peer for a sign of life. Peers' pings are answered by the server;
// no handler sees them.
type Ping struct{ Data []byte }

// Pong answers a Ping with its data. The server asks with empty pings, whose answers no
// handler sees; those to an application's pings with data reach the handler.
type Pong struct{ Data []byte }

// Accept answers a handshake with yes.
type Accept struct {
	// Subprotocol is the one chosen of those that the client offered, or "".
	Subprotocol string
	// Head has the headers of the answer. Status is set by portico.
	Head Head
}

// Close ends an accepted connection; before it was accepted, it refuses it, mostly
// with status 403 (see RejectOf). Codecs emit it when the peer closes.
type Close struct {
	Code   CloseCode // 0 is CloseNormal when sent
	Reason string    // at most 123 bytes are sent (RFC 6455, section 5.5)
}

// A Timer is the event of Conn.PostAfter when no other is needed.
type Timer struct {
	// Name tells timers apart.
	Name string
	// At is when the timer fired.
	At time.Time
}

// EventType implements Event.
func (*Connect) EventType() string { return "connect" }

// EventType implements Event.
func (*Disconnect) EventType() string { return "disconnect" }

// EventType implements Event.
func (*Message) EventType() string { return "message" }

// EventType implements Event.
func (*Ping) EventType() string { return "ping" }

// EventType implements Event.
func (*Pong) EventType() string { return "pong" }

// EventType implements Event.
func (*Accept) EventType() string { return "accept" }

// EventType implements Event.
func (*Close) EventType() string { return "close" }

// EventType implements Event.
func (*Timer) EventType() string { return "timer" }

// Step implements Stepper.
func (*Accept) Step() Step { return StepAccept }

// Answer implements Answer.
func (a *Accept) Answer() *Head { return &a.Head }

// Step implements Stepper.
func (*Close) Step() Step { return StepEnd }
