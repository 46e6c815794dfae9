package protocol

// A Protocol is what a server needs to speak a protocol on its own connections:
// list it in server.Config.Protocols, and its connections reach the application
// under its name. One Protocol value serves all connections, so its methods are
// called concurrently.
type Protocol interface {
	Detector

	// Name is what Scope.Protocol returns and what ProtocolTypeRouter looks up.
	Name() string
	// New returns the two halves of a new connection. A server's limits have their
	// values; whoever else calls New may leave zeros (see Limits.WithDefaults).
	New(limits Limits) (Handshake, Codec)
}

// A Detector tells from the first bytes of a connection whether it speaks a
// protocol.
type Detector interface {
	// Detect looks at the bytes that a connection began with, of which there is at
	// least one. It must come to a Yes or No within MaxDetect bytes. It does not
	// keep or change prefix.
	Detect(prefix []byte) Verdict
}

// MaxDetect is how many bytes a Detector gets at the most.
const MaxDetect = 64

// A Verdict is what a Detector says.
type Verdict uint8

// The verdicts.
const (
	No   Verdict = iota // the connection does not speak the protocol
	Yes                 // it does
	More                // more bytes are needed to tell
)

// A Handshake turns the first bytes of a connection into a scope.
type Handshake interface {
	// Decode consumes bytes of in and returns how many. It is called again with
	// what was left and more behind it, until it returns a Request or an error.
	// The server fills the addresses and TLS state of the Request. Nothing of the
	// Request may alias in.
	//
	// An error refuses the connection with RejectOf(err), whose answer the codec
	// encodes; what the client sent behind it is discarded.
	Decode(in []byte) (req *Request, n int, err error)
}

// A Codec is the wire format of one connection, without any input or output of
// its own: bytes in, events out, and back. Decode is called by one goroutine at a
// time and Append by one at a time, but the two may run concurrently with each
// other, so their state must be apart.
type Codec interface {
	// Decode consumes bytes of in, calls emit for each event that they complete,
	// and returns how many were consumed. What is left is presented again with
	// more behind it; a codec for large messages consumes what it has and keeps
	// it, so that the rest stays short. A *Ping it emits is answered with a *Pong,
	// a *Close with a *Close, and a *Pong without data is dropped; all else goes to the handler. Events and their bytes
	// are valid until emit returns; they may alias in, which Decode may change.
	//
	// An error of emit is returned at once, with the bytes consumed so far. A
	// *CloseError of its own says what the peer did wrong and ends the connection.
	// Limits are checked before memory is allocated.
	Decode(in []byte, emit func(Event) error) (n int, err error)

	// Append appends the encoding of an outgoing event to dst: *Accept, *Reject,
	// *Message, *Close, *Ping, *Pong. An event that the protocol cannot express
	// appends nothing, or is an error if it would be lost without notice. See
	// Message.AppendEncoding for messages that go to many connections.
	Append(dst []byte, ev Event) ([]byte, error)
}

// A CloseAnswerer is a Codec of a protocol with a closing handshake. A connection
// with any other Codec is over as soon as its Close was sent.
type CloseAnswerer interface {
	Codec
	// AnswersClose reports whether the peer answers a Close with one of its own, for
	// which the server waits a while before it closes the connection.
	AnswersClose() bool
}

// A PingAnswerer is a Codec of a protocol whose peers answer a Ping by themselves.
// The server sends one to a peer that is silent, and closes the connection if it
// stays so. Peers of any other Codec, a person at a terminal for one, may be silent.
type PingAnswerer interface {
	Codec
	// AnswersPing reports whether the peer answers a Ping.
	AnswersPing() bool
}

// Limits bound what a peer can make a server keep. 0 stands for the default.
type Limits struct {
	// Handshake is the size of a handshake in bytes. Default 16 KiB.
	Handshake int
	// Frame is the payload of one frame, or one line, in bytes. Default 1 MiB; a
	// line-based protocol may have a smaller one of its own.
	Frame int
	// Message is the size of a message of several frames in bytes. Default 1 MiB.
	Message int
}

// WithDefaults returns the limits with the defaults in place of zeros.
func (l Limits) WithDefaults() Limits {
	set := func(field *int, value int) {
		if *field == 0 {
			*field = value
		}
	}
	set(&l.Handshake, 16<<10)
	set(&l.Frame, 1<<20)
	set(&l.Message, 1<<20)
	return l
}
