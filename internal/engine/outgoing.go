package engine

import (
	"errors"
	"runtime/debug"

	"github.com/portico-go/portico/protocol"
)

// sendAt is how many queued bytes leave without waiting for the end of a turn.
const sendAt = 64 << 10

var (
	// errFull is returned by push when the peer has too many bytes to read already.
	errFull = errors.New("engine: the queue to the peer is full")
	// errBlocked is returned by a socket that takes no more bytes for now.
	errBlocked = errors.New("engine: the socket is full")
)

// outgoing is the queue of bytes for one peer, guarded by the stream's lock. A
// stream to whose peer everything was sent has none.
type outgoing struct {
	flight []byte // what is being written
	sent   int    // how much of it is out
	next   []byte // what was queued meanwhile
	since  moment // when the oldest byte was found to wait, or 0
	behind moment // when the first byte of next was queued behind flight

	charged int   // what of it the budget knows
	marks   []int // where the messages in next begin, while flight is being written
}

// waiting returns how many bytes wait.
func (o *outgoing) waiting() int { return len(o.flight) - o.sent + len(o.next) }

// push queues the encoding of ev. A last event is queued even if the queue is
// full; one that is final leaves at once, and nothing comes behind it.
func (s *Stream) push(ev protocol.Event, last, final bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.broken || s.final {
		return protocol.ErrClosed
	}
	if s.out == nil {
		s.out = s.engine.getOutgoing()
	}
	o := s.out
	before, waiting := len(o.next), o.waiting()
	buf, err := s.encode(o.next, ev)
	switch {
	case err != nil || len(buf) == before: // nothing to send
		if waiting == 0 {
			s.dropOutgoing()
		}
		if err != nil || !final {
			return err
		}
	case !last && waiting > 0 && waiting+len(buf)-before > s.engine.cfg.MaxQueued:
		if !s.makeRoom(len(buf) - before) {
			return errFull
		}
		if buf, err = s.encode(o.next, ev); err != nil { // again: what it was behind has moved
			return err
		}
		s.queue(buf)
	default:
		s.queue(buf)
		if o.since != 0 {
			s.charge()
		}
	}
	switch {
	case final:
		s.final, s.held = true, false
		s.send()
		s.written()
	case s.held:
	case len(buf) >= sendAt:
		s.send()
	case !s.inTurn:
		s.box.Wake(sigSend) // what others send meanwhile leaves with it
	case !s.listed:
		s.listed = true
		s.engine.sweep.add(s)
	}
	return nil
}

// queue makes buf, which has a message more, the queue behind what is being written.
// s.mu is held.
func (s *Stream) queue(buf []byte) {
	o := s.out
	if len(o.flight) > 0 {
		if len(o.next) == 0 {
			o.behind = s.engine.now()
		}
		o.marks = append(o.marks, len(o.next))
	}
	o.next = buf
}

// makeRoom drops what waits longest, if the connection is one that can lose it, and
// reports whether there is room for n bytes then. What is being written stays, and
// so does what is behind marks: an answer, for one. s.mu is held.
func (s *Stream) makeRoom(n int) bool {
	o := s.out
	if len(o.marks) == 0 || o.marks[0] != 0 || s.life.Conn().Overflow() != protocol.DropOldest {
		return false
	}
	excess := o.waiting() + n - s.engine.cfg.MaxQueued
	drop, cut := 0, 0
	for drop < len(o.marks) && cut < excess {
		drop++
		cut = len(o.next)
		if drop < len(o.marks) {
			cut = o.marks[drop]
		}
	}
	if cut < excess {
		return false
	}
	o.next = append(o.next[:0], o.next[cut:]...)
	o.marks = append(o.marks[:0], o.marks[drop:]...)
	for i := range o.marks {
		o.marks[i] -= cut
	}
	go s.observeDrop() // not here: locks are held
	return true
}

// encode is Codec.Append with a net below: it is also called where nothing else
// would catch a panic.
func (s *Stream) encode(dst []byte, ev protocol.Event) (buf []byte, err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &protocol.PanicError{Value: v, Stack: debug.Stack()}
		}
	}()
	return s.codec.Append(dst, ev)
}

// send writes what is queued until the socket takes no more. s.mu is held.
func (s *Stream) send() {
	if s.held || s.broken {
		return
	}
	for o := s.out; o != nil; {
		if o.sent == len(o.flight) {
			if len(o.next) == 0 {
				s.dropOutgoing()
				return
			}
			o.flight, o.next, o.sent = o.next, o.flight[:0], 0
			o.marks = o.marks[:0]
			o.since, o.behind = o.behind, 0
		}
		n, err := s.sock.write(o.flight[o.sent:])
		o.sent += n
		switch {
		case err == nil:
		case errors.Is(err, errBlocked):
			if o.since == 0 {
				o.since = s.engine.now()
			}
			s.charge()
			s.arm()
			return
		default:
			s.broken = true
			go s.abort(protocol.ErrReset) // not here: the Conn's lock may be held
			return
		}
	}
}

// charge lets the budget know what waits, if it does not know it well enough. s.mu
// is held.
func (s *Stream) charge() {
	o := s.out
	is := o.waiting() / chargeStep * chargeStep
	if is != o.charged {
		s.engine.cfg.Budget.charge(s, o.charged, is)
		o.charged = is
	}
}

// uncharge is called when nothing waits any more. s.mu is held.
func (s *Stream) uncharge() {
	if s.out != nil && s.out.charged > 0 {
		s.engine.cfg.Budget.charge(s, s.out.charged, 0)
		s.out.charged = 0
	}
}

// dropOutgoing gives the queue back. s.mu is held.
func (s *Stream) dropOutgoing() {
	s.uncharge()
	s.engine.putOutgoing(s.out)
	s.out = nil
}

// resume goes on to write when the socket can take more, or when a turn takes long.
func (s *Stream) resume() {
	s.mu.Lock()
	s.listed = false
	s.send()
	s.written()
	s.mu.Unlock()
}

// written sees to the end when the last byte is out. s.mu is held.
func (s *Stream) written() {
	out := s.final && s.out == nil
	if out && !s.broken && !s.closedOut {
		s.closedOut = true
		s.sock.closeWrite()
	}
	if s.ending && (out || s.broken) {
		s.box.Wake(sigWritten)
	}
}

func (e *Engine) getOutgoing() *outgoing {
	if o, ok := e.outgoings.Get().(*outgoing); ok {
		return o
	}
	return &outgoing{next: make([]byte, 0, 512)}
}

// putOutgoing takes o back, whose buffers nobody uses any more.
func (e *Engine) putOutgoing(o *outgoing) {
	keep := func(b []byte) []byte {
		if cap(b) > largeBuffer {
			return nil
		}
		return b[:0]
	}
	*o = outgoing{flight: keep(o.flight), next: keep(o.next), marks: o.marks[:0]}
	e.outgoings.Put(o)
}
