package engine

import (
	"errors"
	"runtime/debug"

	"github.com/portico-go/portico/protocol"
)

// sendAt is how many queued bytes leave without waiting for the end of a turn.
const sendAt = 64 << 10

var (
	// errFull is returned by push when the peer has too many bytes to read already,
	// and the event must not be lost.
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

	charged int // what of it the budget knows
	backlog
	room chan struct{} // closed when there is some, if somebody waits for it
}

// waiting returns how many bytes wait.
func (o *outgoing) waiting() int { return len(o.flight) - o.sent + len(o.next) - o.gone }

// release wakes those who wait for room. A nil o has none.
func (o *outgoing) release() {
	if o != nil && o.room != nil {
		close(o.room)
		o.room = nil
	}
}

// An urgency says what becomes of an event for which there is no room.
type urgency uint8

const (
	ordinary urgency = iota // what its Overflow says
	patient                 // it is not queued
	answers                 // it is queued, as are those below
	last                    // nobody is to wait for room any more
	final                   // the last, which leaves at once
)

// push queues the encoding of ev.
func (s *Stream) push(ev protocol.Event, as urgency) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.enqueue(ev, as)
}

// enqueue is push. s.mu is held.
func (s *Stream) enqueue(ev protocol.Event, as urgency) error {
	if s.broken || s.final {
		return protocol.ErrClosed
	}
	if s.out == nil {
		s.out = s.engine.getOutgoing()
	}
	o := s.out
	waiting := o.waiting()
	buf, err := s.encode(o.next, ev)
	n := len(buf) - len(o.next)
	switch {
	case err != nil || n == 0: // nothing to send
		if waiting == 0 {
			s.dropOutgoing()
		}
		if err != nil || as != final {
			return err
		}
	case waiting > 0 && waiting+n > s.engine.cfg.MaxQueued && as < answers && s.unsent():
		return s.enqueue(ev, as)
	default:
		if fits, err := s.admit(ev, n, as); !fits {
			return err
		}
		o.next = buf
		o.tidyIfWorth()
		if o.since != 0 {
			s.charge()
		}
	}
	if as >= last {
		o.release()
	}
	switch {
	case as == final:
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

// unsent sends what could have left already, and reports whether there was any. The
// peer is not to blame for that. s.mu is held.
func (s *Stream) unsent() bool {
	if s.held || len(s.out.flight) > 0 {
		return false
	}
	s.send()
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
			if len(o.next) == o.gone {
				s.dropOutgoing()
				return
			}
			o.since = o.begin()
			o.flight, o.next, o.sent = o.next, o.flight[:0], 0
		}
		n, err := s.sock.write(o.flight[o.sent:], s.ending)
		o.sent += n
		if n > 0 && o.waiting() <= s.engine.cfg.MaxQueued/2 {
			o.release()
		}
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
	s.out.release()
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

// written goes on with the end when the last byte is out. s.mu is held.
func (s *Stream) written() {
	if s.isOut() {
		s.box.Wake(sigWritten)
	}
}

// isOut ends the output behind the last byte, and reports whether the end can go on.
// s.mu is held.
func (s *Stream) isOut() bool {
	out := s.final && s.out == nil
	if out && !s.broken && !s.closedOut {
		s.closedOut = true
		s.sock.closeWrite()
	}
	return s.ending && (out || s.broken)
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
	*o = outgoing{flight: keep(o.flight), next: keep(o.next), backlog: o.backlog.emptied()}
	e.outgoings.Put(o)
}

// SendIfRoom implements protocol.WaitableTransport.
func (s *Stream) SendIfRoom(ev protocol.Event) (room <-chan struct{}, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err = s.enqueue(ev, patient); !errors.Is(err, errFull) {
		return nil, err
	}
	if s.out.room == nil {
		s.out.room = make(chan struct{})
	}
	return s.out.room, nil
}
