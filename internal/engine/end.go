package engine

import (
	"errors"
	"io"
	"net"
	"os"
	"time"

	"github.com/portico-go/portico/protocol"
)

const (
	lingerTime  = time.Second // how long a peer may take to see the end and hang up
	lingerBytes = 1 << 20     // how much it may send meanwhile
)

// longAgo is a deadline that ends a Read which waits.
var longAgo = time.Unix(1, 0)

// finish makes the end the stream's last turn, behind what is in the mailbox.
// cause is why, unless the Lifecycle knows already.
func (s *Stream) finish(cause error) {
	s.mu.Lock()
	if s.finishing {
		s.mu.Unlock()
		return
	}
	s.finishing, s.cause = true, cause
	if s.answer == pending {
		s.answer = refused
		close(s.answered) // nobody needs to wait for one
	}
	s.mu.Unlock()
	s.box.Close(s.end)
}

// end is the last turn: what is queued is written, as far as the peer takes it in
// time, and the handler gets its Disconnect.
func (s *Stream) end() {
	s.mu.Lock()
	s.ending = true
	s.mu.Unlock()
	s.expireIn(s.engine.cfg.CloseTimeout)
	s.out.finish()
	<-s.out.flushed
	_ = s.conn.SetReadDeadline(longAgo) // wakes the reader; on a closed socket it woke already
	close(s.drained)

	s.mu.Lock()
	s.limit.Stop()
	s.watchHandler() // for Disconnect
	s.mu.Unlock()
	s.life.End(s.cause)
	s.mu.Lock()
	s.stuck.Stop()
	s.mu.Unlock()
	close(s.ended)
}

// expireIn gives the peer d to let the connection come to its end.
func (s *Stream) expireIn(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.limit.Stop()
	s.limit = time.AfterFunc(d, s.expire)
}

// expire ends the patience with a peer that does not let the connection end. While
// the server drains a running handler keeps its context until the drain's deadline.
func (s *Stream) expire() {
	if s.engine.isDraining() {
		_ = s.conn.Close() // whoever reads or writes sees it
		s.finish(nil)
		return
	}
	s.mu.Lock()
	cause := s.cause
	s.mu.Unlock()
	s.abort(cause)
}

// hungUp is called when the peer is gone, also while nobody reads or writes.
func (s *Stream) hungUp() {
	s.mu.Lock()
	ending := s.ending
	s.mu.Unlock()
	if !ending { // at the end a hang-up is what should happen
		s.abort(protocol.ErrReset)
	}
}

// writeFailed is called when a write failed or took too long.
func (s *Stream) writeFailed(err error) {
	cause := protocol.ErrReset
	if errors.Is(err, os.ErrDeadlineExceeded) {
		cause = protocol.ErrSlow
	}
	s.abort(cause)
}

// abort ends the connection without a word to the peer.
func (s *Stream) abort(cause error) {
	s.cancel(cause)
	_ = s.conn.Close() // whoever reads or writes sees it
	s.finish(cause)
}

// cancel cancels the connection's context, and watches the handler from then on.
func (s *Stream) cancel(cause error) {
	s.life.Cancel(cause)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stuck == nil {
		s.watchHandler()
	}
}

// watchHandler looks for a handler that runs too long, from now on. s.mu is held.
func (s *Stream) watchHandler() {
	if s.stuck != nil {
		s.stuck.Stop()
	}
	s.stuck = time.AfterFunc(s.engine.cfg.HandlerTimeout, s.reportStuck)
}

func (s *Stream) reportStuck() {
	select {
	case <-s.ended:
	default:
		s.engine.cfg.OnStuck(s.life.Conn(), StackOf(s.life))
	}
}

// Linger half-closes a connection to which everything was written, and reads what
// the peer still sends until it hangs up, for a second at the most: a socket that
// is closed with unread input is reset, and the peer may lose what was sent to it.
func Linger(conn net.Conn) {
	if c, ok := conn.(writeCloser); ok && c.CloseWrite() == nil {
		linger(conn)
	}
}

// linger is Linger for a connection that is half-closed.
func linger(conn net.Conn) {
	if _, ok := conn.(writeCloser); !ok {
		return
	}
	if err := conn.SetReadDeadline(time.Now().Add(lingerTime)); err != nil {
		return
	}
	_, _ = io.CopyN(io.Discard, conn, lingerBytes) // whatever it is, it comes too late
}
