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

// incoming is what was read and not decoded yet. Only the reader touches it, and
// the turn that it runs.
type incoming struct {
	buffers *bufferPool
	buf     []byte
	busy    bool // the last read filled its buffer
}

// space returns where to read to: behind what is there, at most 64 KiB.
func (in *incoming) space() []byte {
	switch {
	case in.buf == nil:
		in.buf = in.buffers.get()
	case len(in.buf) == 0 && cap(in.buf) >= largeBuffer && !in.busy:
		in.free()
		in.buf = in.buffers.get()
	case in.busy && cap(in.buf) < largeBuffer:
		in.move(in.buffers.getLarge())
	case len(in.buf) == cap(in.buf):
		in.move(make([]byte, 0, 2*cap(in.buf)))
	}
	return in.buf[len(in.buf):min(cap(in.buf), len(in.buf)+largeBuffer)]
}

// move moves what is there to another buffer.
func (in *incoming) move(to []byte) {
	to = append(to, in.buf...)
	in.buffers.put(in.buf)
	in.buf = to
}

// grew says that n bytes were read into space.
func (in *incoming) grew(n, space int) {
	in.buf = in.buf[:len(in.buf)+n]
	in.busy = n == space
}

// consumed says that n bytes were decoded.
func (in *incoming) consumed(n int) {
	rest := copy(in.buf, in.buf[n:])
	in.buf = in.buf[:rest]
}

// free gives the buffer back.
func (in *incoming) free() {
	in.buffers.put(in.buf)
	in.buf = nil
}

// read reads and decodes until the connection finishes.
func (s *Stream) read(leftover []byte) {
	defer s.in.free()
	turn := s.turn // one function value for all turns
	if len(leftover) > 0 {
		s.in.buf = append(s.in.buf, leftover...)
		if s.box.Do(turn) != nil {
			return
		}
	}
	for !s.isFinishing() {
		space := s.in.space()
		n, err := s.conn.Read(space)
		if n > 0 {
			s.in.grew(n, len(space))
			if s.box.Do(turn) != nil {
				return
			}
		}
		if err != nil {
			s.readFailed(err)
			return
		}
	}
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

// turn decodes what was read; it runs in the mailbox.
func (s *Stream) turn() {
	s.out.begin()
	n, err := s.decode()
	s.in.consumed(n)
	if err == nil && len(s.in.buf) > s.engine.cfg.MaxPending {
		err = protocol.Closef(protocol.CloseMessageTooBig, "message too big")
	}
	switch {
	case err == nil:
	case errors.Is(err, errPeerClosed):
		s.finish(nil)
	default:
		s.life.Terminate(err)
		s.finish(err) // RFC 6455, section 7.1.7: nothing more is read
	}
}

// decode is Codec.Decode with a net below.
func (s *Stream) decode() (n int, err error) {
	defer func() {
		if v := recover(); v != nil {
			n, err = len(s.in.buf), &protocol.PanicError{Value: v, Stack: debug.Stack()}
			if o := s.engine.cfg.Settings.Observer; o != nil {
				o.Observe(protocol.Observation{Kind: protocol.Failed, Conn: s.life.Conn(), Err: err})
			}
		}
	}()
	return s.codec.Decode(s.in.buf, s.emitted)
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
	default:
		if conn.State() < protocol.StateClosing {
			_ = s.life.Deliver(ev) // an error was answered
		}
	}
	return nil
}
