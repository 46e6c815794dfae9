package server

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/valyala/fasthttp"
	"go.uber.org/zap"

	"github.com/portico-go/portico/internal/engine"
	"github.com/portico-go/portico/protocol"
	"github.com/portico-go/portico/protocol/http"
	"github.com/portico-go/portico/protocol/websocket"
)

// A port is an open listener with what it serves.
type port struct {
	srv       *Server
	listener  Listener
	ln        net.Listener
	tls       *tls.Config // nil without
	limits    Limits
	timeouts  Timeouts
	names     []string // what is served
	protocols []protocol.Protocol
	engine    *engine.Engine
	http      *fasthttp.Server // nil if neither HTTP nor WebSocket is served
	front     *http.Front      // nil if HTTP is not served
	upgrader  *websocket.Upgrader
	requests  sync.Pool // of handshakes
	httpConns sync.Pool // of connections that became WebSockets
	conns     sync.Pool // of connections that became streams

	open int // connections; guarded by Server.mu
}

func newPort(s *Server, l Listener, ln net.Listener) *port {
	p := &port{
		srv:      s,
		listener: l,
		ln:       ln,
		tls:      l.tlsConfig(),
		limits:   l.Limits.over(s.limits),
		timeouts: l.Timeouts.over(s.timeouts),
		names:    s.served(l),
	}
	for _, proto := range s.protocols {
		if slices.Contains(p.names, proto.Name()) {
			p.protocols = append(p.protocols, proto)
		}
	}
	poller := s.poller
	if s.cfg.Portable {
		poller = nil
	}
	p.engine = engine.New(engine.Config{
		Settings:         s.settings,
		HandshakeTimeout: p.timeouts.Handshake,
		CloseTimeout:     p.timeouts.Close,
		WriteTimeout:     p.timeouts.Stall,
		HandlerTimeout:   p.timeouts.Handler,
		MaxQueued:        p.limits.Queue,
		Budget:           s.budget,
		MaxPending:       p.limits.Frame + 64<<10,
		PingInterval:     p.timeouts.Ping,
		PongTimeout:      p.timeouts.Pong,
		IdleTimeout:      p.timeouts.Silence,
		Lifetime:         p.timeouts.Lifetime,
		Poller:           poller,
		Over:             p.over,
		OnStuck:          s.stuck,
	})
	if slices.Contains(p.names, websocket.Name) {
		p.upgrader = websocket.NewUpgrader(websocket.Config{
			Limits:      p.limits.protocolLimits(),
			Compression: s.cfg.Compression,
		})
	}
	if slices.Contains(p.names, httpName) || p.upgrader != nil {
		p.serveHTTP(slices.Contains(p.names, httpName))
	}
	return p
}

const (
	firstBackoff = 5 * time.Millisecond
	lastBackoff  = time.Second
	warnEvery    = time.Minute // that connections cannot be accepted
)

// accept accepts connections until the listener is closed, which is no error.
func (p *port) accept() error {
	backoff := time.Duration(0)
	var warned time.Time
	for {
		c, err := p.ln.Accept()
		switch {
		case err == nil:
			backoff = 0
			p.admit(c)
		case errors.Is(err, net.ErrClosed):
			return nil
		case !temporary(err):
			return err
		default:
			if time.Since(warned) > warnEvery {
				warned = time.Now()
				p.srv.log.Warn("cannot accept connections for now", zap.Stringer("address", p.ln.Addr()), zap.Error(err))
			}
			backoff = min(max(2*backoff, firstBackoff), lastBackoff)
			time.Sleep(backoff)
		}
	}
}

// temporary reports whether accepting may go well later: too many descriptors, or
// a connection that was gone before it was accepted.
func temporary(err error) bool {
	var t interface{ Temporary() bool }
	return errors.As(err, &t) && t.Temporary()
}

// admit serves a connection, or closes it if there are too many.
func (p *port) admit(socket net.Conn) {
	c := p.newConn(socket)
	if !p.srv.add(c) {
		_ = socket.Close() // it was never served
		return
	}
	if c.polled == nil {
		go p.serve(c)
		return
	}
	if !p.srv.count(c) || c.start() != nil {
		c.leave()
	}
}

// newConn returns the conn of an accepted socket.
func (p *port) newConn(socket net.Conn) *conn {
	c, ok := p.conns.Get().(*conn)
	if !ok {
		c = new(conn)
	}
	a := accepted{Conn: socket, socket: socket, at: p}
	if polled, ok := socket.(*engine.Conn); ok {
		a.polled = polled
		a.client, a.server = polled.AddrPorts()
		a.peer = credentials(socket)
	} else {
		a.client, a.server = addressOf(socket.RemoteAddr()), addressOf(socket.LocalAddr())
	}
	c.mu.Lock()
	c.accepted = a
	c.mu.Unlock()
	c.typing.Store(false)
	c.idle.Store(true)
	return c
}

// add takes c in, unless there are too many connections.
func (s *Server) add(c *conn) bool {
	p := c.at
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.draining.Load():
		return false
	case len(s.conns)+s.handed >= s.limits.Connections, p.open >= p.limits.Connections:
		s.log.Debug("closed a connection: there are too many", zap.Stringer("address", p.ln.Addr()))
		return false
	}
	s.conns[c] = struct{}{}
	p.open++
	return true
}

// count counts a connection for its client, whose address is known now, unless
// there are too many of them.
func (s *Server) count(c *conn) bool {
	most, key := c.at.limits.ConnectionsPerIP, addressKey(c.client.Addr())
	if most == 0 || !key.IsValid() {
		return true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.perIP[key] >= most {
		return false
	}
	s.perIP[key]++
	c.counted = key
	return true
}

// remove is called when a connection is over.
func (s *Server) remove(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, c)
	s.uncount(c.at, c.counted)
}

// handOver is called when the engine takes a connection: what it needs to know of
// it is in its request, and c can go.
func (s *Server) handOver(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, c)
	s.handed++
}

// over is called when the engine is done with a connection.
func (p *port) over(c *protocol.Conn) {
	var key netip.Prefix
	if p.limits.ConnectionsPerIP > 0 {
		key = addressKey(c.Client().Addr())
	}
	p.srv.mu.Lock()
	defer p.srv.mu.Unlock()
	p.srv.handed--
	p.srv.uncount(p, key)
}

// uncount is called when a connection is over. s.mu is held.
func (s *Server) uncount(p *port, key netip.Prefix) {
	p.open--
	if key.IsValid() {
		if s.perIP[key]--; s.perIP[key] == 0 {
			delete(s.perIP, key)
		}
	}
	s.settle()
}

// serve serves one connection.
func (p *port) serve(c *conn) {
	handedOver := false
	defer func() {
		if v := recover(); v != nil { // of a Detector or Handshake
			p.srv.log.Error("a protocol panicked", zap.Any("panic", v), zap.Stack("stack"))
		}
		if !handedOver {
			c.close()
		}
	}()
	c.watch = p.srv.poller.Watch(c.socket)
	c.peer = credentials(c.socket)
	proto, err := p.begin(p.srv.base, c)
	switch {
	case err != nil:
		p.lost(c, err)
	case proto == nil:
		handedOver = p.serveHTTPConn(c)
	default:
		handedOver = p.serveCodec(c, proto)
	}
}

// lost says why a connection is closed early.
func (p *port) lost(c *conn, err error) {
	if ce := p.srv.log.Check(zap.DebugLevel, "closed a connection before it said what it wants"); ce != nil {
		ce.Write(zap.Stringer("client", c.client), zap.Error(err))
	}
}

// begin reads what comes before the protocol itself: the PROXY header, TLS, and
// the bytes that tell the protocol, nil for HTTP.
func (p *port) begin(ctx context.Context, c *conn) (protocol.Protocol, error) {
	if err := c.within(p.timeouts.Header); err != nil {
		return nil, err
	}
	if p.listener.believes(c.client.Addr()) {
		if err := c.readProxyHeader(); err != nil {
			return nil, err
		}
	}
	if !p.srv.count(c) {
		return nil, errTooMany
	}
	if p.tls != nil {
		if err := c.secure(ctx, p.tls); err != nil {
			return nil, err
		}
	}
	return p.firstBytes(c)
}

// errTooMany is why a connection is closed whose client has too many.
var errTooMany = errors.New("server: the client has too many connections")

// errUnknownProtocol is why a connection is closed that speaks nothing served here.
var errUnknownProtocol = errors.New("server: the first bytes fit no protocol that is served here")

// firstBytes waits for the bytes that tell the protocol.
func (p *port) firstBytes(c *conn) (protocol.Protocol, error) {
	if len(p.protocols) > 0 { // it may be a person who begins to type
		if err := c.within(p.timeouts.Terminal); err != nil {
			return nil, err
		}
	}
	for {
		if len(c.prefix) > 0 {
			proto, isHTTP, decided := p.detect(c.prefix[:min(len(c.prefix), protocol.MaxDetect)])
			switch {
			case decided && proto == nil && !isHTTP:
				return nil, errUnknownProtocol
			case decided:
				return proto, nil
			}
		}
		if err := c.more(p.limits.Header); err != nil {
			return nil, err
		}
	}
}
