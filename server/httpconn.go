package server

import (
	"crypto/tls"
	"errors"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/portico-go/portico/internal/engine"
)

// writePart is how much of a long answer a client must take within stall.
const writePart = 64 << 10

// errDetached ends the reads of fasthttp on a connection that it gave away.
var errDetached = errors.New("server: the connection was given away")

// An httpConn is a conn as fasthttp sees it.
type httpConn struct {
	*conn
	stall    time.Duration // of each part of a long answer
	detached bool          // what fasthttp has read is all that it gets
	upgraded bool          // it becomes a WebSocket, which closes it
	hijacked bool          // fasthttp gave it to a handler, perhaps for that
	ended    atomic.Bool   // nothing more comes
	closing  sync.Once
	closed   chan struct{} // closed by Close
}

// A tlsConn is an httpConn in the form in which fasthttp recognises TLS.
type tlsConn struct{ *httpConn }

// Handshake is over already.
func (c tlsConn) Handshake() error { return nil }

// ConnectionState returns the state of TLS.
func (c tlsConn) ConnectionState() tls.ConnectionState { return *c.state }

// httpConnOf returns the connection that fasthttp was given.
func httpConnOf(c net.Conn) *httpConn {
	if t, ok := c.(tlsConn); ok {
		return t.httpConn
	}
	h, _ := c.(*httpConn)
	return h
}

// Read implements net.Conn.
func (h *httpConn) Read(p []byte) (int, error) {
	if h.detached {
		return 0, errDetached
	}
	n, err := h.conn.Read(p)
	if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
		h.ended.Store(true)
	}
	return n, err
}

// Write implements net.Conn. fasthttp bounds the time of a whole answer; a client
// that takes each part of a long one in time may take longer.
func (h *httpConn) Write(p []byte) (n int, err error) {
	for len(p)-n > writePart {
		m, err := h.conn.Write(p[n : n+writePart])
		n += m
		if err == nil {
			err = h.SetWriteDeadline(time.Now().Add(h.stall))
		}
		if err != nil {
			return n, err
		}
	}
	m, err := h.conn.Write(p[n:])
	return n + m, err
}

// Close implements net.Conn. A client from which not everything was read gets its
// last answer before; what became a WebSocket goes on.
func (h *httpConn) Close() (err error) {
	if h.upgraded {
		return nil
	}
	h.closing.Do(func() {
		if !h.ended.Load() && !h.isIdle() {
			engine.Linger(h)
		}
		err = h.conn.Close()
		close(h.closed)
	})
	return err
}

// drain returns what fasthttp has read of a connection that it gives away.
func (h *httpConn) drain(buffered net.Conn) (read []byte) {
	h.detached = true
	for buf := make([]byte, 512); ; {
		n, err := buffered.Read(buf)
		read = append(read, buf[:n]...)
		if err != nil {
			return append(read, h.prefix...) // errDetached, and what it did not even read
		}
	}
}
