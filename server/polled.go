package server

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"time"

	"go.uber.org/zap"

	"github.com/portico-go/portico/internal/engine"
	"github.com/portico-go/portico/protocol"
)

// A phase is what a polled connection waits for. It holds no goroutine meanwhile.
type phase uint8

const (
	phaseDetect    phase = iota // the first bytes
	phaseHandshake              // the rest of a handshake
	phaseHTTP                   // a request, or the rest of its head
	phaseLeft                   // nothing: it is over, or somebody else has it
)

// A visit is what a polled connection has on top of others.
type visit struct {
	phase     phase
	parked    bool   // half of something waits for its rest, which must come in time
	late      bool   // what was waited for did not come in time
	full      bool   // there are as many bytes as there may be
	ended     error  // why no more bytes come
	buf       []byte // where prefix lies
	handshake protocol.Handshake
	codec     protocol.Codec
	http      *httpConn
}

var _ engine.Guest = (*conn)(nil)

// start has a polled connection get its turns.
func (c *conn) start() error {
	wait := c.at.timeouts.Header
	if len(c.at.protocols) > 0 { // it may be a person who begins to type
		wait = c.at.timeouts.Terminal
	}
	return c.polled.Start(c, time.Now(), wait)
}

// Turn implements engine.Guest: it goes on as far as the bytes go that have come.
func (c *conn) Turn(late bool) (left bool) {
	if c.phase == phaseLeft {
		return true
	}
	defer func() {
		if v := recover(); v != nil { // of a Detector or Handshake
			c.at.srv.log.Error("a protocol panicked", zap.Any("panic", v), zap.Stack("stack"))
			c.leave()
		}
	}()
	c.late = late
	for more := true; more; {
		more = c.fill()
		if c.advance(); c.phase == phaseLeft { // what there is belongs to others
			c.at.retire(c)
			return false
		}
	}
	if len(c.prefix) == 0 {
		c.free()
	}
	return false
}

// free gives the buffer back.
func (c *conn) free() {
	if c.buf != nil {
		c.polled.Free(c.buf)
		c.buf, c.prefix = nil, nil
	}
}

// fill reads what there is behind what is left. It reports whether there may be more.
func (c *conn) fill() (more bool) {
	c.buf = c.buf[:copy(c.buf[:cap(c.buf)], c.prefix)]
	c.buf, c.full, c.ended = c.polled.Fill(c.buf, c.at.limits.Header)
	c.prefix = c.buf
	return c.full
}

// advance goes from phase to phase until more bytes are needed.
func (c *conn) advance() {
	for before := phaseLeft; c.phase != before; {
		before = c.phase
		switch c.phase {
		case phaseDetect:
			c.detect()
		case phaseHandshake:
			c.shakeHands()
		case phaseHTTP:
			c.serveRequests()
		case phaseLeft:
		}
	}
}

// leave ends the connection.
func (c *conn) leave() {
	c.phase = phaseLeft
	c.free()
	c.close()
}

// detect finds out what the connection speaks.
func (c *conn) detect() {
	p := c.at
	if len(c.prefix) > 0 {
		proto, speaksHTTP, decided := p.detect(c.prefix[:min(len(c.prefix), protocol.MaxDetect)])
		switch {
		case !decided:
		case speaksHTTP:
			c.phase, c.http = phaseHTTP, newHTTPConn(c)
			return
		case proto != nil:
			c.phase = phaseHandshake
			c.handshake, c.codec = proto.New(p.limits.protocolLimits())
			c.polled.Park(time.Now(), p.timeouts.Terminal)
			c.setTyping(true)
			return
		default:
			p.lost(c, errUnknownProtocol)
			c.leave()
			return
		}
	}
	if c.late || c.ended != nil {
		p.lost(c, c.ended)
		c.leave()
	}
}

// shakeHands goes on with the handshake of a codec protocol.
func (c *conn) shakeHands() {
	req, n, err := c.handshake.Decode(c.prefix)
	c.prefix = c.prefix[n:]
	if req == nil && err == nil {
		switch {
		case c.late:
			err = c.at.lateHandshake()
		case c.ended != nil:
			err = io.EOF
		case c.full && n == 0:
			err = errLongHandshake()
		default:
			return
		}
	}
	c.setTyping(false)
	c.phase = phaseLeft
	switch {
	case err == nil:
		c.complete(req)
		c.become(req, c.codec)
		return
	case !errors.Is(err, io.EOF):
		engine.Refuse(c, c.codec, err, c.at.timeouts.Close)
	}
	c.close()
}

// become makes the connection a stream.
func (c *conn) become(req *protocol.Request, codec protocol.Codec) {
	c.phase = phaseLeft
	buf := c.buf
	c.buf = nil
	if !c.at.run(c, req, codec) {
		c.close()
	}
	c.polled.Free(buf)
}

// retire takes c back if it has become a stream: nobody needs it any more. Of those who
// may still know it, who ends connections finds nothing to end.
func (p *port) retire(c *conn) {
	if !c.polled.Given() {
		return
	}
	c.mu.Lock()
	c.accepted, c.visit, c.calls = accepted{at: p}, visit{}, calls{}
	c.mu.Unlock()
	p.conns.Put(c)
}

// serveRequests answers the requests whose heads are there. fasthttp reads them, and
// returns when it finds none.
func (c *conn) serveRequests() {
	h := c.http
	if h.look(); h.head == 0 {
		switch {
		case c.ended == nil && !c.late && !c.full:
			c.await()
			return
		case len(c.prefix) == 0:
			c.leave()
			return
		}
	}
	switch h.serve(); {
	case h.upgraded && !h.hijacked:
		req, codec := h.request, h.codec
		c.http = nil
		c.at.recycle(h)
		c.become(req, codec)
	case h.hijacked:
		c.phase = phaseLeft
		if !h.upgraded {
			go func() { // a handler has it
				h.open.Wait()
				c.close()
			}()
		}
	case h.rested:
		c.parked = false
		if c.late = false; c.ended != nil {
			c.leave()
			return
		}
		c.await()
	default:
		c.leave()
	}
}

// await sees to it that a request, or the rest of its head, comes in time.
func (c *conn) await() {
	switch {
	case len(c.prefix) == 0:
		c.polled.Park(c.http.wrote, c.at.timeouts.Idle)
	case !c.parked:
		c.parked = true
		c.setIdle(false)
		c.polled.Park(time.Now(), c.at.timeouts.Header)
	}
}

// headEnd returns the length of the request's head that b begins with, or 0 if it is
// not complete. What is left of an empty line before it counts.
func headEnd(b []byte) int {
	i := 0
	for i < len(b) && (b[i] == '\r' || b[i] == '\n') {
		i++
	}
	for {
		end := bytes.IndexByte(b[i:], '\n')
		if end < 0 {
			return 0
		}
		i += end + 1
		switch rest := b[i:]; {
		case len(rest) > 0 && rest[0] == '\n':
			return i + 1
		case len(rest) > 1 && rest[0] == '\r' && rest[1] == '\n':
			return i + 2
		}
	}
}

// errLongHandshake is the answer to a handshake without an end.
func errLongHandshake() error {
	return protocol.Rejectf(http.StatusRequestHeaderFieldsTooLarge, "the handshake is too long")
}

// lateHandshake is the answer to a handshake that was not completed in time.
func (p *port) lateHandshake() error {
	if p.srv.draining.Load() {
		return protocol.ErrShutdown
	}
	return &protocol.Reject{ // the client's fault, as opposed to an application that takes too long
		Status: http.StatusRequestTimeout,
		Reason: "the handshake took too long",
		Err:    protocol.ErrHandshakeTimeout,
	}
}
