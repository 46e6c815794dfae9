package engine

import (
	"io"
	"net"
	"time"

	"github.com/portico-go/portico/protocol"
)

const (
	lingerTime  = time.Second // how long a peer may take to see the end and hang up
	lingerBytes = 1 << 20     // how much it may send meanwhile
)

// finish makes the end the stream's last turn, behind what is in the mailbox.
// cause is why, unless the Lifecycle knows already.
func (s *Stream) finish(cause error) {
	s.mu.Lock()
	if s.finishing {
		s.mu.Unlock()
		return
	}
	s.finishing, s.open = true, false
	if cause != nil {
		reason := cause // here, so that it is on the heap only if there is one
		s.cause = &reason
	}
	if s.answer == pending {
		s.answer = refused // nobody needs to wait for one
	}
	s.settle()
	s.endsNext = s.box.Close(s.end)
	s.mu.Unlock()
}

// end is the last turn: what is queued is written, as far as the peer takes it in
// time, and the handler gets its Disconnect. Nothing can be queued any more.
func (s *Stream) end() {
	s.mu.Lock()
	s.ending, s.closing, s.final, s.held = true, true, true, false
	s.limit = s.engine.in(s.engine.cfg.CloseTimeout)
	s.arm()
	s.out.release()
	s.send()
	out := s.isOut()
	s.mu.Unlock()
	if out {
		s.shut()
	}
}

// shut goes on with the last turn when all is written, as far as that went.
func (s *Stream) shut() {
	s.mu.Lock()
	if s.shutting {
		s.mu.Unlock()
		return
	}
	s.shutting, s.limit = true, 0
	s.stuck = s.engine.in(s.engine.cfg.HandlerTimeout) // for Disconnect
	s.arm()
	broken := s.broken
	s.mu.Unlock()
	s.sock.shut(s, broken)
	s.life.End(s.reason())
	s.mu.Lock()
	s.stuck, s.ended = 0, true
	s.mu.Unlock()
	s.partOver()
}

// partOver is called when the handler had its Disconnect, and when the socket is
// closed.
func (s *Stream) partOver() {
	s.mu.Lock()
	s.left--
	over := s.left == 0
	if over {
		s.disarm()
	}
	s.mu.Unlock()
	if over {
		s.engine.remove(s)
		s.engine.cfg.Over(s.life.Conn())
	}
}

// reason returns why the stream is finishing, unless the Lifecycle knows. It does not
// change once the stream is.
func (s *Stream) reason() error {
	if s.cause == nil {
		return nil
	}
	return *s.cause
}

// expireIn gives the peer d to let the connection come to its end.
func (s *Stream) expireIn(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closing = true
	s.limit = s.engine.in(d)
	s.arm()
}

// expire ends the patience with a peer that does not let the connection end. While
// the server drains a running handler keeps its context until the drain's deadline.
func (s *Stream) expire() {
	s.mu.Lock()
	cause := s.reason()
	s.mu.Unlock()
	if s.engine.isDraining() {
		s.breakOff()
		s.finish(nil)
		return
	}
	s.abort(cause)
}

// hungUp is called when the peer is gone, also while nobody reads or writes.
func (s *Stream) hungUp() {
	s.mu.Lock()
	known := s.ending || s.broken // at the end it is what should happen; and to abandon a socket hangs it up again
	s.mu.Unlock()
	if !known {
		s.abort(protocol.ErrReset)
	}
}

// abort ends the connection without a word to the peer.
func (s *Stream) abort(cause error) {
	s.cancel(cause)
	s.breakOff()
	s.finish(cause)
}

// breakOff breaks the connection off: whoever reads or writes sees it.
func (s *Stream) breakOff() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.broken = true
	s.uncharge()
	s.out.release()
	s.out = nil // not to be used again: it may be being written
	s.sock.abandon()
	s.written()
}

// cancel cancels the connection's context, and watches the handler from then on.
func (s *Stream) cancel(cause error) {
	s.life.Cancel(cause)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stuck == 0 && !s.ended {
		s.stuck = s.engine.in(s.engine.cfg.HandlerTimeout)
		s.arm()
	}
}

// Linger half-closes a connection to which everything was written, and reads what
// the peer still sends until it hangs up, for a second at the most: a socket that
// is closed with unread input is reset, and the peer may lose what was sent to it.
func Linger(conn net.Conn) {
	c, ok := conn.(writeCloser)
	if !ok || c.CloseWrite() != nil || conn.SetReadDeadline(time.Now().Add(lingerTime)) != nil {
		return
	}
	_, _ = io.CopyN(io.Discard, conn, lingerBytes) // whatever it is, it comes too late
}

// A writeCloser is a connection that can be half-closed.
type writeCloser interface{ CloseWrite() error }
