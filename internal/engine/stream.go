package engine

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync"

	"github.com/portico-go/portico/internal/mailbox"
	"github.com/portico-go/portico/protocol"
)

// Incoming is a connection whose handshake was read.
type Incoming struct {
	// Conn is the connection; the stream closes it. Its CloseWrite, if it has one,
	// half-closes it.
	Conn net.Conn
	// Socket is the plain stream socket beneath Conn, if nothing is between the two
	// but what was read already: then the engine's Poller can take it over. Else nil.
	Socket net.Conn
	// Watch tells of a hang-up while nobody reads; nil is never.
	Watch *Watch
	// Leftover is what was read behind the handshake. It is not kept.
	Leftover []byte
	// Request is what the connection asks for.
	Request *protocol.Request
	// Codec is the connection's own.
	Codec protocol.Codec
}

// A socket moves the bytes of one stream. The stream's lock is held when begin, write,
// closeWrite and abandon are called, and abandon may be called again.
type socket interface {
	// begin lets reading begin. A second call has no effect.
	begin()
	// read reads and decodes what there is; it is called in a turn.
	read(s *Stream, sig mailbox.Signals)
	// discard reads what a peer sends that has been told everything; it is called in a
	// turn of a stream that lingers.
	discard(s *Stream)
	// write writes from p without waiting, as much as goes. errBlocked says that the
	// stream is resumed when more goes; then it comes with what is left of the same p. last
	// says that the end of the output follows at once, and may leave together with it.
	write(p []byte, last bool) (n int, err error)
	// closeWrite ends the output, behind what was written.
	closeWrite()
	// abandon breaks the connection off; it is still to be shut.
	abandon()
	// runners run the stream's mailbox.
	runners() *mailbox.Runners
	// shut is called once, in the last turn: it closes the socket, when the peer had
	// time to see the end of the output unless the connection is broken. Then it calls
	// Stream.partOver.
	shut(s *Stream, broken bool)
}

// The signals that wake a stream.
const (
	sigRead    mailbox.Signals = 1 << iota // there is something to read
	sigHangup                              // read to the end: no other signal will come
	sigSend                                // somebody sent something
	sigWritten                             // what was queued at the end is out, or never will be
)

// A Stream is one connection that speaks a codec. There may be a million of them:
// what is only needed while something happens is borrowed, and nil in between.
type Stream struct {
	engine *Engine
	life   protocol.Lifecycle
	codec  protocol.Codec
	sock   socket
	box    mailbox.Box

	mu    sync.Mutex // guards what follows
	timer timer
	out   *outgoing
	cause *error // why it is finishing, unless the Lifecycle knows; nil is no reason
	deadlines
	early  mailbox.Signals // those that came before it was open
	answer answer
	left   int8 // of the handler and the socket, those that are not over
	flags
}

// flags say where a stream is in its life.
type flags struct {
	awaits    bool // the peer answers a Close
	message   bool // this turn had a message; only turns touch it
	open      bool // connected, accepted, and not finishing: may read
	full      bool // the peer was found to be slow
	closing   bool // a refusal or a close is sent
	finishing bool // the last turn is queued
	endsNext  bool // and it is the next one
	ending    bool // the last turn runs, or has run
	ended     bool // the handler had its Disconnect
	shutting  bool // all is written, as far as that went
	lingering bool // the socket waits for the peer to hang up
	held      bool // Connect has not returned: nothing leaves
	inTurn    bool // a turn runs, which sends at its end
	listed    bool // the sweep will look
	closedOut bool // the output was ended
	final     bool // nothing can be sent any more
	broken    bool // nothing that was sent leaves any more
}

// An answer is what became of the handshake.
type answer uint8

const (
	pending answer = iota
	accepted
	refused
)

var (
	_ protocol.WaitableTransport = (*Stream)(nil)
	_ mailbox.Sleeper            = (*Stream)(nil)
)

// Serve opens app for a connection, and connects it; then it returns, and the
// connection goes on until it is over, which Config.Over is told. ctx is the
// server's: its values and cancellation are the connection's.
//
//nolint:contextcheck // a Lifecycle has the connection's own context
func (e *Engine) Serve(ctx context.Context, in Incoming, app protocol.Application) {
	s := e.newStream(in.Codec)
	err := s.life.Init(ctx, in.Request, s, e.cfg.Settings)
	if full := s.attach(in); full != nil && err == nil {
		err = &protocol.Reject{Status: http.StatusServiceUnavailable, Err: full}
	}
	draining := e.add(s)
	s.mu.Lock()
	s.limit = e.in(e.cfg.HandshakeTimeout)
	s.arm()
	s.mu.Unlock()
	switch {
	case err != nil:
		s.life.Terminate(err)
	case draining:
		s.life.Terminate(protocol.ErrShutdown)
	case s.life.Open(app) == nil:
		_ = s.life.Deliver(&protocol.Connect{}) // an error was answered
	}
	s.goOn()
}

func (e *Engine) newStream(codec protocol.Codec) *Stream {
	s := &Stream{engine: e, codec: codec, left: 2, flags: flags{held: true, inTurn: true}}
	if c, ok := codec.(protocol.CloseAnswerer); ok {
		s.awaits = c.AnswersClose()
	}
	s.box.Init(s)
	return s
}

// attach gives s its socket: the event-driven one if there can be one. An error
// says that the process has no room for it; then s can still be refused.
func (s *Stream) attach(in Incoming) error {
	err := errors.ErrUnsupported
	if s.engine.cfg.Poller != nil && in.Socket != nil {
		err = s.adopt(in)
	}
	if err == nil {
		return nil
	}
	p := newPiped(s, in)
	s.sock = p
	p.watching()
	if errors.Is(err, errors.ErrUnsupported) {
		return nil
	}
	return err
}

// goOn goes on after Connect has returned.
func (s *Stream) goOn() {
	s.mu.Lock()
	s.held = false
	s.send()
	s.settle()
	s.mu.Unlock()
	s.box.Release()
}

// begin begins a turn.
func (s *Stream) begin() {
	s.mu.Lock()
	s.inTurn = true
	s.mu.Unlock()
}

// HandleEvent implements mailbox.Owner.
func (s *Stream) HandleEvent(ev protocol.Event) {
	s.begin()
	if _, ok := ev.(mailbox.Shutdown); ok {
		s.life.Terminate(protocol.ErrShutdown)
		return
	}
	_ = s.life.Deliver(ev) // an error was answered
}

// HandleSignals implements mailbox.Sleeper.
func (s *Stream) HandleSignals(sig mailbox.Signals) {
	s.mu.Lock()
	s.inTurn = true
	input := sig&(sigRead|sigHangup) != 0
	reads, lingers := input && s.open, input && s.lingering
	if input {
		if !reads {
			s.early |= sig
		}
		s.pong = 0
		s.heard = s.engine.now()
	}
	s.mu.Unlock()
	switch {
	case reads:
		s.sock.read(s, sig)
	case lingers:
		s.sock.discard(s)
	}
	if sig&sigWritten != 0 {
		s.shut()
	}
}

// TurnOver implements mailbox.Owner.
func (s *Stream) TurnOver() {
	s.mu.Lock()
	s.inTurn = false
	if s.message {
		s.message = false
		s.active = s.heard
	}
	if !s.endsNext { // else what is to leave does so with the end
		s.send()
	}
	s.mu.Unlock()
}

// Runners implements mailbox.Owner.
func (s *Stream) Runners() *mailbox.Runners { return s.sock.runners() }

// Post implements protocol.Transport.
func (s *Stream) Post(ev protocol.Event) error { return s.box.Post(ev) }

// Flush implements protocol.Transport.
func (s *Stream) Flush() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.send()
	return nil
}

// Send implements protocol.Transport.
func (s *Stream) Send(ev protocol.Event) error {
	step := protocol.StepData
	if stepper, ok := ev.(protocol.Stepper); ok {
		step = stepper.Step()
	}
	switch step {
	case protocol.StepAccept:
		err := s.push(ev, answers)
		if err == nil {
			s.setAnswer(accepted)
		}
		return err
	case protocol.StepRefuse:
		return s.sendLast(ev, true)
	case protocol.StepEnd, protocol.StepAnswer:
		return s.sendLast(ev, false)
	}
	err := s.push(ev, ordinary)
	if errors.Is(err, errFull) {
		s.mu.Lock()
		defer s.mu.Unlock()
		if !s.full {
			s.full = true
			go s.tooSlow() // not here: the Conn's lock is held
		}
		return protocol.ErrSlow
	}
	return err
}

// sendLast queues a refusal or a close, and sees to the end.
func (s *Stream) sendLast(ev protocol.Event, refusal bool) error {
	as := last
	if refusal {
		as = final
	}
	err := s.push(ev, as)
	if refusal {
		s.setAnswer(refused)
	}
	s.expireIn(s.engine.cfg.CloseTimeout)
	if refusal || !s.awaits || err != nil {
		s.finish(nil)
	}
	return err
}

func (s *Stream) setAnswer(a answer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.answer == pending {
		s.answer = a
		s.settle()
	}
}

// settle lets reading begin when the handshake is over. s.mu is held.
func (s *Stream) settle() {
	switch {
	case s.answer == refused || s.finishing:
		s.sock.begin() // to see to the end
	case s.answer == accepted && !s.held && !s.open:
		s.open = true
		if !s.closing {
			s.limit = 0
		}
		if s.engine.cfg.Lifetime > 0 {
			s.lifetime = s.engine.in(s.engine.cfg.Lifetime)
		}
		s.heard = s.engine.now()
		s.active = s.heard
		s.arm()
		s.sock.begin()
		if s.early != 0 {
			s.box.Wake(s.early)
		}
	}
}

// handshakeOver refuses a connection whose application took too long to answer,
// or to return from Connect.
func (s *Stream) handshakeOver() {
	s.mu.Lock()
	over := s.answer == refused || s.finishing || s.open
	s.mu.Unlock()
	if over {
		return
	}
	s.expireIn(s.engine.cfg.CloseTimeout) // the refusal's response hooks may block
	s.life.Terminate(protocol.ErrHandshakeTimeout)
	s.mu.Lock()
	s.held = false
	s.send()
	s.mu.Unlock()
	s.cancel(protocol.ErrHandshakeTimeout)
}

// tooSlow closes a connection whose peer does not read.
func (s *Stream) tooSlow() {
	s.observeDrops(1, protocol.ErrSlow)
	s.life.Terminate(protocol.ErrSlow)
}
