package server

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/portico-go/portico/internal/engine"
	"github.com/portico-go/portico/protocol"
	"github.com/portico-go/portico/protocol/http"
)

// longAgo is a deadline that ends a Read which waits.
var longAgo = time.Unix(1, 0)

// A conn is an accepted connection. It hands out again what was read to find out
// its protocol, and knows the addresses behind a proxy.
type conn struct {
	accepted
	visit // if it is polled

	idle   atomic.Bool // waits for a request or its first bytes: may be closed at any time
	typing atomic.Bool // in the handshake of a codec protocol: may be refused at any time

	mu sync.Mutex
	calls
}

// accepted is what a conn is made of.
type accepted struct {
	net.Conn // the socket, or TLS over it
	socket   net.Conn
	at       *port
	watch    *engine.Watch
	peer     *protocol.PeerCredentials
	state    *tls.ConnectionState // nil without TLS
	polled   *engine.Conn         // socket, if it is polled; else nil
	client   netip.AddrPort       // not valid for a unix socket
	server   netip.AddrPort
	prefix   []byte       // read, to be read again
	counted  netip.Prefix // under what it is counted per client
}

// calls are the requests of a conn, guarded by its lock.
type calls struct {
	served   bool // nobody reads or writes any more
	requests []request
	cause    error // why requests are cancelled, also those to come
}

// A request is one that is being served. A streaming handler may outlast its
// answer, so there may be several, also when the connection is over.
type request struct {
	life  *protocol.Lifecycle
	stuck *time.Timer // looks for a handler that ignores its cancellation
}

// Read implements net.Conn.
func (c *conn) Read(p []byte) (int, error) {
	if len(c.prefix) > 0 {
		n := copy(p, c.prefix)
		if c.prefix = c.prefix[n:]; len(c.prefix) == 0 {
			c.prefix = nil
		}
		return n, nil
	}
	return c.Conn.Read(p)
}

// RemoteAddr implements net.Conn: the client's address.
func (c *conn) RemoteAddr() net.Addr {
	if c.client.IsValid() {
		return net.TCPAddrFromAddrPort(c.client)
	}
	return c.socket.RemoteAddr()
}

// AddrPorts implements http.Addressed.
func (c *conn) AddrPorts() (client, server netip.AddrPort) { return c.client, c.server }

// LocalAddr implements net.Conn: the address that the client connected to.
func (c *conn) LocalAddr() net.Addr {
	if c.server.IsValid() {
		return net.TCPAddrFromAddrPort(c.server)
	}
	return c.socket.LocalAddr()
}

// CloseWrite half-closes the connection.
func (c *conn) CloseWrite() error {
	if w, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return w.CloseWrite()
	}
	return errors.ErrUnsupported
}

// more reads more bytes behind prefix, at most up to max in all.
func (c *conn) more(most int) error {
	if len(c.prefix) >= most {
		return io.ErrShortBuffer
	}
	if len(c.prefix) == cap(c.prefix) {
		grown := make([]byte, len(c.prefix), min(most, max(512, 2*cap(c.prefix))))
		copy(grown, c.prefix)
		c.prefix = grown
	}
	n, err := c.Conn.Read(c.prefix[len(c.prefix):cap(c.prefix)])
	c.prefix = c.prefix[:len(c.prefix)+n]
	if n > 0 {
		return nil
	}
	return err
}

// within bounds all reads and writes from now on; 0 is without bounds.
func (c *conn) within(d time.Duration) error {
	if d == 0 {
		return c.Conn.SetDeadline(time.Time{})
	}
	return c.Conn.SetDeadline(time.Now().Add(d))
}

// secure speaks TLS from now on.
func (c *conn) secure(ctx context.Context, cfg *tls.Config) error {
	inner := &replay{Conn: c.socket, prefix: c.prefix}
	t := tls.Server(inner, cfg)
	if err := t.HandshakeContext(ctx); err != nil {
		return err
	}
	state := t.ConnectionState()
	c.Conn, c.prefix, c.state = t, nil, &state
	return nil
}

// replay is a socket of which something was read already.
type replay struct {
	net.Conn
	prefix []byte
}

// Read implements net.Conn.
func (r *replay) Read(p []byte) (int, error) {
	if len(r.prefix) > 0 {
		n := copy(p, r.prefix)
		r.prefix = r.prefix[n:]
		return n, nil
	}
	return r.Conn.Read(p)
}

// setIdle says whether nothing is lost when the connection is closed.
func (c *conn) setIdle(idle bool) {
	c.idle.Store(idle)
	if idle && c.at.srv.draining.Load() {
		_ = c.socket.Close() // nothing is lost
	}
}

// isIdle reports whether nothing is lost when the connection is closed.
func (c *conn) isIdle() bool { return c.idle.Load() }

// setTyping says whether the connection is in a handshake that can be refused.
func (c *conn) setTyping(typing bool) {
	c.idle.Store(false)
	c.typing.Store(typing)
	if typing && c.at.srv.draining.Load() {
		c.hurry()
	}
}

// hurry ends a handshake.
func (c *conn) hurry() {
	if c.polled != nil {
		c.polled.Hurry()
		return
	}
	_ = c.Conn.SetReadDeadline(longAgo) // on a closed socket it has ended
}

// drain ends the connection if nothing is being worked on, and answers that would go on
// for good. It may have become a stream by now, and be nobody's.
func (c *conn) drain() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, r := range c.requests {
		http.EndStream(r.life.Conn())
	}
	switch {
	case c.socket == nil:
	case c.idle.Load():
		_ = c.socket.Close() // nothing is lost
	case c.typing.Load():
		c.hurry()
	}
}

// abort cancels what is being worked on, and closes the socket: whoever reads or writes
// sees it.
func (c *conn) abort(cause error) {
	c.cancel(cause)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.socket != nil {
		_ = c.socket.Close()
	}
}

// begin notes a request.
func (c *conn) begin(l *protocol.Lifecycle) {
	c.mu.Lock()
	c.requests = append(c.requests, request{life: l})
	cause := c.cause
	c.mu.Unlock()
	if cause != nil { // the client was gone before its request was read
		c.cancel(cause)
	}
}

// end forgets a request.
func (c *conn) end(l *protocol.Lifecycle) {
	c.mu.Lock()
	i := slices.IndexFunc(c.requests, func(r request) bool { return r.life == l })
	if stuck := c.requests[i].stuck; stuck != nil {
		stuck.Stop()
	}
	c.requests = slices.Delete(c.requests, i, i+1)
	over := c.served && len(c.requests) == 0
	c.mu.Unlock()
	if over {
		c.at.srv.remove(c)
	}
}

// close ends what is left of the connection itself; it is over when its requests
// are.
func (c *conn) close() {
	c.watch.Stop()
	_ = c.Conn.Close() // a second time, mostly
	c.mu.Lock()
	c.served = true
	over := len(c.requests) == 0
	c.mu.Unlock()
	if over {
		c.at.srv.remove(c)
	}
}

// HungUp cancels the requests of a client that is gone.
func (c *conn) HungUp() { c.cancel(protocol.ErrReset) }

// cancel cancels the connection's requests, and looks for handlers that go on
// regardless.
func (c *conn) cancel(cause error) {
	c.mu.Lock()
	c.cause = cause
	lives := make([]*protocol.Lifecycle, len(c.requests))
	for i := range c.requests {
		r := &c.requests[i]
		lives[i] = r.life
		if r.stuck == nil {
			r.stuck = c.at.srv.watchHandler(r.life, c.at.timeouts.Handler)
		}
	}
	c.mu.Unlock()
	for _, l := range lives {
		l.Cancel(cause)
	}
}
