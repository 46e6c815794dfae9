package engine

import (
	"errors"
	"io"
	"os"
	"runtime/debug"

	"github.com/portico-go/portico/protocol"
)

// errPeerClosed stops the decoding behind the peer's Close.
var errPeerClosed = errors.New("engine: the peer has closed")

// heardFrom begins a turn in which something was read.
func (s *Stream) heardFrom() {
	s.mu.Lock()
	s.inTurn = true
	s.pong = 0
	s.heard = s.engine.now()
	s.mu.Unlock()
}

func (s *Stream) isFinishing() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.finishing
}

// readFailed sees to the end of the input.
func (s *Stream) readFailed(err error) {
	switch {
	case errors.Is(err, io.EOF):
		// A half-close: posted mail is still handled and answered.
		s.expireIn(s.engine.cfg.HandlerTimeout)
		code := protocol.CloseNoStatus
		if s.awaits {
			code = protocol.CloseAbnormal // RFC 6455, section 7.1.5
		}
		s.finish(&protocol.CloseError{Code: code, Remote: true, Err: io.EOF})
	case errors.Is(err, os.ErrDeadlineExceeded) && s.isFinishing():
		// The last turn has woken the reader.
	default:
		s.abort(protocol.ErrReset)
	}
}

// decode decodes what was read; it runs in a turn.
func (s *Stream) decode(in *incoming) {
	n, err := s.events(in)
	in.consumed(n)
	if err == nil && len(in.buf) > s.engine.cfg.MaxPending {
		err = protocol.Closef(protocol.CloseMessageTooBig, "message too big")
	}
	switch {
	case err == nil:
	case errors.Is(err, errPeerClosed):
		in.last = true
		s.finish(nil)
	default:
		s.life.Terminate(err)
		s.finish(err) // RFC 6455, section 7.1.7: nothing more is read
	}
}

// events is Codec.Decode with a net below.
func (s *Stream) events(in *incoming) (n int, err error) {
	defer func() {
		if v := recover(); v != nil {
			n, err = len(in.buf), &protocol.PanicError{Value: v, Stack: debug.Stack()}
			if o := s.engine.cfg.Settings.Observer; o != nil {
				o.Observe(protocol.Observation{Kind: protocol.Failed, Conn: s.life.Conn(), Err: err})
			}
		}
	}()
	return s.codec.Decode(in.buf, in.emit)
}

// emit takes an event from the codec. Once the connection is closing only the
// peer's Close counts.
func (s *Stream) emit(ev protocol.Event) error {
	conn := s.life.Conn()
	switch e := ev.(type) {
	case *protocol.Close:
		s.life.PeerClosed(e)
		return errPeerClosed
	case *protocol.Ping:
		_ = conn.Send(&protocol.Pong{Data: e.Data}) // too late, or the peer is slow: both are seen to
	case *protocol.Pong:
		if len(e.Data) > 0 { // else it answers the engine's ping, and was heard
			_ = s.life.Deliver(ev)
		}
	default:
		s.message = true
		_ = s.life.Deliver(ev) // an error was answered; nothing is delivered while it closes
	}
	return nil
}
