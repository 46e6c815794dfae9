package engine

import (
	"context"
	"errors"
	"net"
	"sync"
	"time"

	"github.com/portico-go/portico/internal/mailbox"
	"github.com/portico-go/portico/protocol"
)

// Incoming is a connection whose handshake was read.
type Incoming struct {
	// Conn is the connection; the stream closes it. Its CloseWrite, if it has one,
	// half-closes it.
	Conn net.Conn
	// Watch tells of a hang-up while nobody reads; nil is never.
	Watch *Watch
	// Leftover is what was read behind the handshake. It is not kept.
	Leftover []byte
	// Request is what the connection asks for.
	Request *protocol.Request
	// Codec is the connection's own.
	Codec protocol.Codec
}

// A Stream is one connection that speaks a codec.
type Stream struct {
	engine *Engine
	box    mailbox.Box
	life   *protocol.Lifecycle
	codec  protocol.Codec
	conn   net.Conn
	in     incoming
	out    outgoing
	awaits bool // the peer answers a Close

	emitted func(protocol.Event) error // emit, as a value that is made once

	answered chan struct{} // closed when the answer is queued, or never will be
	drained  chan struct{} // closed when the last byte is out and the reader was woken
	ended    chan struct{} // closed when Disconnect was delivered

	mu        sync.Mutex
	answer    answer
	connected bool        // Connect has returned
	full      bool        // the peer was found to be slow
	finishing bool        // the last turn is queued
	ending    bool        // the last turn runs
	cause     error       // why it is finishing, unless the Lifecycle knows
	limit     *time.Timer // of the handshake, then of the end
	stuck     *time.Timer // looks for a handler that does not return
}

// An answer is what became of the handshake.
type answer uint8

const (
	pending answer = iota
	accepted
	refused
)

var (
	_ protocol.Transport = (*Stream)(nil)
	_ mailbox.Owner      = (*Stream)(nil)
)

// Serve runs a connection until it is over and its handler got its Disconnect.
// ctx is the server's: its values and cancellation are the connection's.
//
//nolint:contextcheck // a Lifecycle has the connection's own context
func (e *Engine) Serve(ctx context.Context, in Incoming, app protocol.Application) {
	s := newStream(e, in)
	life, err := protocol.NewLifecycle(ctx, in.Request, s, e.cfg.Settings)
	s.life = life
	s.mu.Lock()
	s.limit = time.AfterFunc(e.cfg.HandshakeTimeout, s.handshakeOver)
	s.mu.Unlock()
	draining := e.add(s)
	defer e.remove(s)
	in.Watch.Notify(s.hungUp)
	defer in.Watch.Stop()

	switch {
	case err != nil:
		life.Terminate(err)
	case draining:
		life.Terminate(protocol.ErrShutdown)
	case life.Open(app) == nil:
		_ = life.Deliver(&protocol.Connect{}) // an error was answered
	}
	s.run(in.Leftover)
}

func newStream(e *Engine, in Incoming) *Stream {
	s := &Stream{
		engine:   e,
		codec:    in.Codec,
		conn:     in.Conn,
		answered: make(chan struct{}),
		drained:  make(chan struct{}),
		ended:    make(chan struct{}),
	}
	if c, ok := in.Codec.(protocol.CloseAnswerer); ok {
		s.awaits = c.AnswersClose()
	}
	s.out = outgoing{
		engine:  e,
		conn:    in.Conn,
		codec:   in.Codec,
		failed:  s.writeFailed,
		flushed: make(chan struct{}),
		held:    true,
		inTurn:  true,
	}
	s.out.writer = s.out.write
	s.emitted = s.emit
	s.in.buffers = &e.buffers
	s.box.Init(s)
	return s
}

// run goes on after Connect has returned, until the end.
func (s *Stream) run(leftover []byte) {
	s.mu.Lock()
	s.connected = true
	s.settle()
	s.mu.Unlock()
	s.out.release()
	s.box.Release()

	<-s.answered
	s.read(leftover)

	<-s.drained
	linger(s.conn)
	_ = s.conn.Close() // the peer has all it gets
	<-s.ended
}

// HandleEvent implements mailbox.Owner.
func (s *Stream) HandleEvent(ev protocol.Event) {
	s.out.begin()
	if _, ok := ev.(shutdown); ok {
		s.life.Terminate(protocol.ErrShutdown)
		return
	}
	_ = s.life.Deliver(ev) // an error was answered
}

// TurnOver implements mailbox.Owner.
func (s *Stream) TurnOver() { s.out.turnOver() }

// Post implements protocol.Transport.
func (s *Stream) Post(ev protocol.Event) error { return s.box.Post(ev) }

// Flush implements protocol.Transport.
func (s *Stream) Flush() error {
	s.out.flush()
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
		err := s.out.push(ev, true, false)
		if err == nil {
			s.setAnswer(accepted)
		}
		return err
	case protocol.StepRefuse:
		return s.sendLast(ev, true)
	case protocol.StepEnd, protocol.StepAnswer:
		return s.sendLast(ev, false)
	}
	err := s.out.push(ev, false, false)
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
	err := s.out.push(ev, true, refusal)
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
		close(s.answered)
		s.settle()
	}
}

// settle stops the handshake's timer when the handshake is over. s.mu is held.
func (s *Stream) settle() {
	if s.answer == accepted && s.connected && !s.finishing {
		s.limit.Stop()
	}
}

// handshakeOver refuses a connection whose application took too long to answer,
// or to return from Connect.
func (s *Stream) handshakeOver() {
	s.mu.Lock()
	over := s.answer == refused || s.finishing || s.answer == accepted && s.connected
	s.mu.Unlock()
	if over {
		return
	}
	s.expireIn(s.engine.cfg.CloseTimeout) // the refusal's response hooks may block
	s.life.Terminate(protocol.ErrHandshakeTimeout)
	s.out.release()
	s.cancel(protocol.ErrHandshakeTimeout)
}

// tooSlow closes a connection whose peer does not read.
func (s *Stream) tooSlow() {
	if o := s.engine.cfg.Settings.Observer; o != nil {
		o.Observe(protocol.Observation{Kind: protocol.Dropped, Conn: s.life.Conn(), Err: protocol.ErrSlow})
	}
	s.life.Terminate(protocol.ErrSlow)
}
