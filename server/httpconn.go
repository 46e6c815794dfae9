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
	"github.com/portico-go/portico/protocol"
)

// writePart is how much of a long answer a client must take within Timeouts.Stall.
const writePart = 64 << 10

// errDetached ends the reads of fasthttp on a connection that it gave away.
var errDetached = errors.New("server: the connection was given away")

// An httpConn is a conn as fasthttp sees it. It keeps the limits of time itself:
// fasthttp would set three deadlines for each request.
type httpConn struct {
	*conn
	reads, writes deadline
	wrote         time.Time // when the last write began
	inHead        bool      // a request's head is being read
	slowHead      bool      // and did not come in one piece

	detached bool              // what fasthttp has read is all that it gets
	upgraded bool              // it becomes a WebSocket, which closes it
	request  *protocol.Request // of what it becomes in place, else nil
	codec    protocol.Codec
	hijacked bool        // fasthttp gave it to a handler, perhaps for that
	ended    atomic.Bool // nothing more comes
	closing  sync.Once
	open     sync.WaitGroup // until Close

	polledHTTP
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

func newHTTPConn(c *conn) *httpConn {
	h, ok := c.at.httpConns.Get().(*httpConn)
	if !ok {
		h = new(httpConn)
	}
	h.conn = c
	h.open.Add(1)
	h.reads.of, h.writes.of, h.writes.write = c, c, true
	h.reads.base = time.Now()
	h.writes.base = h.reads.base
	return h
}

// recycle takes back what a polled connection does not need any more when it becomes a
// WebSocket: fasthttp is done with it, and nobody else knows of it. A handshake should
// leave little garbage, which counts in what an idle connection takes.
func (p *port) recycle(h *httpConn) {
	*h = httpConn{}
	p.httpConns.Put(h)
}

// active is called when the first byte of a request is there, or is the first of
// the connection to be read.
func (h *httpConn) active() {
	h.inHead, h.slowHead = true, false
	h.setIdle(false)
	if h.begun { // or its head was not read at all yet
		h.goesOn()
	}
	h.begun = true
}

// answered is called when a request was answered.
func (h *httpConn) answered() {
	h.inHead = false
	if h.polled != nil {
		h.between = true
		h.look()
		h.setIdle(len(h.held) == 0)
		return
	}
	if err := h.reads.extend(h.wrote, h.at.timeouts.Idle); err != nil {
		_ = h.conn.Close() // it would be for ever; the next Read sees it
	}
	h.setIdle(true)
}

// Read implements net.Conn. What is left of a head must come in time, counted from
// when its beginning did.
func (h *httpConn) Read(p []byte) (int, error) {
	if h.detached {
		return 0, errDetached
	}
	if h.between {
		return h.readHead(p)
	}
	if h.polled != nil && len(h.prefix) == 0 {
		if h.forced != nil {
			return 0, h.forced
		}
		if err := h.release(); err != nil { // it may wait
			return 0, err
		}
	}
	if h.inHead && !h.slowHead && len(h.prefix) == 0 {
		h.slowHead = true
		if err := h.reads.set(time.Now().Add(h.at.timeouts.Header)); err != nil {
			return 0, err
		}
		h.reads.forget()
	}
	h.head = 0 // what comes is part of this request
	n, err := h.conn.Read(p)
	if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
		h.ended.Store(true)
	}
	return n, err
}

// Write implements net.Conn. The client must take each part of it in time.
func (h *httpConn) Write(p []byte) (n int, err error) {
	switch {
	case h.polled == nil:
	case h.request != nil:
		return len(p), nil // fasthttp's answer to an upgrade in place: the codec has its own
	case h.holds(len(p)):
		h.held = append(h.held, p...)
		return len(p), nil
	case len(h.held) > 0:
		h.held = append(h.held, p...)
		return len(p), h.release()
	}
	return h.write(p)
}

func (h *httpConn) write(p []byte) (n int, err error) {
	stall := h.at.timeouts.Stall
	h.wrote = time.Now()
	if err := h.writes.extend(h.wrote, stall); err != nil {
		return 0, err
	}
	for len(p)-n > writePart {
		m, err := h.conn.Write(p[n : n+writePart])
		n += m
		if err == nil {
			err = h.writes.move(time.Now().Add(stall))
		}
		if err != nil {
			return n, err
		}
	}
	m, err := h.conn.Write(p[n:])
	return n + m, err
}

// SetReadDeadline implements net.Conn, for whoever reads a request's body.
func (h *httpConn) SetReadDeadline(t time.Time) error { return h.reads.lend(t) }

// SetWriteDeadline implements net.Conn, for whoever streams an answer.
func (h *httpConn) SetWriteDeadline(t time.Time) error { return h.writes.lend(t) }

// SetDeadline implements net.Conn. It is called before the connection is given away:
// who gets it sees to its deadlines.
func (h *httpConn) SetDeadline(t time.Time) error {
	h.reads.lent.Store(true)
	h.writes.lent.Store(true)
	return h.conn.SetDeadline(t)
}

// Close implements net.Conn. A client from which not everything was read gets its
// last answer before; what became a WebSocket goes on.
func (h *httpConn) Close() (err error) {
	if h.polled != nil {
		_ = h.release() // nobody is left to tell
	}
	if h.upgraded || h.rested {
		return nil
	}
	h.between = false
	h.closing.Do(func() {
		if !h.ended.Load() && !h.isIdle() {
			engine.Linger(h)
		}
		err = h.conn.Close()
		h.open.Done()
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
