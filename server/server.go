package server

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/portico-go/portico/internal/engine"
	"github.com/portico-go/portico/internal/stack"
	"github.com/portico-go/portico/protocol"
	"github.com/portico-go/portico/protocol/chat"
)

// lastWords is how long the server outlives the last handler's time to return, so
// that it is logged.
const lastWords = 300 * time.Millisecond

// A Server serves one application over any number of protocols and listeners.
type Server struct {
	app          protocol.Application
	cfg          Config
	log          *zap.Logger
	protocols    []protocol.Protocol
	protocolsErr error

	limits   Limits
	timeouts Timeouts
	poller   *engine.Poller
	budget   *engine.Budget
	settings *protocol.Settings
	base     context.Context // the parent of all connections' contexts
	cancel   context.CancelCauseFunc

	draining atomic.Bool   // set with mu held
	over     chan struct{} // closed when draining and nothing is left

	mu     sync.Mutex
	used   bool
	ports  []*port
	conns  map[*conn]struct{}
	handed int                  // connections that the engine has
	perIP  map[netip.Prefix]int // connections by address, if anything limits them
}

// New returns a Server for app. What is wrong with either is an error of Serve.
func New(app protocol.Application, cfg Config) *Server {
	s := &Server{
		app:       app,
		cfg:       cfg,
		log:       cfg.Logger,
		protocols: cfg.Protocols,
		limits:    cfg.Limits.over(defaultLimits()),
		timeouts:  cfg.Timeouts.over(defaultTimeouts()),
		conns:     make(map[*conn]struct{}),
		perIP:     make(map[netip.Prefix]int),
		over:      make(chan struct{}),
	}
	s.budget = engine.NewBudget(s.limits.Buffered)
	if s.log == nil {
		s.log = defaultLogger()
	}
	if s.protocols == nil {
		var lines *chat.Protocol
		lines, s.protocolsErr = chat.New(chat.Config{})
		s.protocols = []protocol.Protocol{lines}
	}
	return s
}

// ListenAndServe is Serve on addresses: "host:port", ":port", "[::1]:port" or
// "unix:/path/of/socket".
func (s *Server) ListenAndServe(ctx context.Context, addrs ...string) error {
	listeners := make([]Listener, len(addrs))
	for i, addr := range addrs {
		listeners[i] = parseAddress(addr)
	}
	return s.Serve(ctx, listeners...)
}

// Serve checks the application and the configuration, runs the start hooks, opens
// the listeners, and serves until ctx is cancelled. Then it drains: it stops
// accepting, closes what is idle, tells WebSockets and terminals with 1001, ends streamed
// answers that go on by events alone, lets handlers finish within Timeouts.Shutdown,
// cancels the others with the cause protocol.ErrShutdown, waits until each handler had its
// Disconnect, and runs the stop hooks.
//
// It returns nil after that. All faults of the configuration come as one error
// before anything is opened; a listener that breaks, a stop hook that fails, and a
// handler that did not return within Timeouts.Handler are errors too. A Server
// serves once.
func (s *Server) Serve(ctx context.Context, listeners ...Listener) (err error) {
	s.mu.Lock()
	used := s.used
	s.used = true
	s.mu.Unlock()
	if used {
		return errors.New("server: Serve was called before: make another Server with New")
	}
	if err := s.check(listeners); err != nil {
		closeAll(listeners)
		return err
	}
	values := context.WithoutCancel(ctx)
	s.base, s.cancel = context.WithCancelCause(values)
	defer s.cancel(protocol.ErrShutdown)

	span, err := protocol.StartAll(ctx, s.app)
	if err != nil {
		closeAll(listeners)
		return err
	}
	defer func() { err = errors.Join(err, span.StopAll(values)) }()
	s.settings = &protocol.Settings{Values: span.Values, Observer: logObserver{s.log, s.cfg.Observer}, Context: s.base}

	if s.poller, err = engine.NewPoller(); err != nil {
		closeAll(listeners)
		return err
	}
	defer func() { err = errors.Join(err, s.poller.Close()) }()
	if err := s.open(ctx, listeners); err != nil {
		return err
	}
	return s.run(ctx)
}

// closeAll closes listeners that were handed to Serve.
func closeAll(listeners []Listener) {
	for _, l := range listeners {
		if l.Net != nil {
			_ = l.Net.Close() // nothing was accepted
		}
	}
}

// open opens all listeners, or none.
func (s *Server) open(ctx context.Context, listeners []Listener) error {
	for i, l := range listeners {
		p, err := s.openPort(ctx, l)
		if err != nil {
			for _, p := range s.ports {
				_ = p.ln.Close() // nothing was accepted
			}
			closeAll(listeners[i:])
			return err
		}
		s.ports = append(s.ports, p)
	}
	return nil
}

// openPort opens a listener, for polled connections if there can be any.
func (s *Server) openPort(ctx context.Context, l Listener) (*port, error) {
	ln, err := l.open(ctx)
	if err != nil {
		return nil, err
	}
	p := newPort(s, l, ln)
	if p.tls != nil || l.mayHaveProxies() {
		return p, nil
	}
	if p.ln, err = p.engine.Listen(ln); err != nil {
		_ = ln.Close() // nothing was accepted
		return nil, fmt.Errorf("server: cannot listen: %w", err)
	}
	return p, nil
}

// run accepts connections until ctx is cancelled or a listener breaks.
//
//nolint:contextcheck // what ends connections does not end with ctx
func (s *Server) run(ctx context.Context) error {
	broken := make(chan error, len(s.ports))
	var accepting sync.WaitGroup
	for _, p := range s.ports {
		s.log.Info("listening", zap.Stringer("address", p.ln.Addr()), zap.Strings("protocols", p.names))
		accepting.Go(func() {
			if err := p.accept(); err != nil {
				broken <- err
			}
		})
	}
	var err error
	select {
	case <-ctx.Done():
	case err = <-broken:
	}
	for _, p := range s.ports {
		_ = p.ln.Close() // what was accepted goes on
	}
	accepting.Wait()
	return errors.Join(err, s.drain())
}

// drain ends all connections.
func (s *Server) drain() error {
	s.beginDrain()
	if s.overWithin(s.timeouts.Shutdown) {
		return nil
	}
	s.log.Warn("handlers did not finish in time: their contexts are cancelled", zap.Duration("after", s.timeouts.Shutdown))
	s.abort()
	if s.overWithin(s.timeouts.Handler + lastWords) {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return fmt.Errorf("server: %d connections had handlers that did not return within %v of being cancelled",
		len(s.conns)+s.handed, s.timeouts.Handler)
}

// beginDrain tells everybody that the server shuts down.
func (s *Server) beginDrain() {
	s.mu.Lock()
	s.draining.Store(true)
	s.settle()
	conns := s.list()
	s.mu.Unlock()
	for _, c := range conns {
		c.drain()
	}
	for _, p := range s.ports {
		p.engine.Drain(p.timeouts.Shutdown / 2)
	}
}

// abort cancels what is still running.
func (s *Server) abort() {
	s.cancel(protocol.ErrShutdown)
	for _, p := range s.ports {
		p.engine.Cancel(protocol.ErrShutdown)
	}
	s.mu.Lock()
	conns := s.list()
	s.mu.Unlock()
	for _, c := range conns {
		c.abort(protocol.ErrShutdown)
	}
}

// overWithin reports whether everything is over before d is.
func (s *Server) overWithin(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-s.over:
		return true
	case <-timer.C:
		return false
	}
}

// list returns the connections. s.mu is held.
func (s *Server) list() []*conn {
	conns := make([]*conn, 0, len(s.conns))
	for c := range s.conns {
		conns = append(conns, c)
	}
	return conns
}

// settle closes over, once, when the server drains and nothing is left. s.mu is
// held.
func (s *Server) settle() {
	if !s.draining.Load() || len(s.conns)+s.handed > 0 {
		return
	}
	select {
	case <-s.over:
	default:
		close(s.over)
	}
}

// stuck is told of a handler that does not return.
func (s *Server) stuck(c *protocol.Conn, stack []byte) {
	s.log.Error("a handler does not return though its context is cancelled", append(about(c), zap.ByteString("stack", stack))...)
}

// watchHandler looks for a request's handler that has not returned after d.
func (s *Server) watchHandler(l *protocol.Lifecycle, d time.Duration) *time.Timer {
	return time.AfterFunc(d, func() { s.stuck(l.Conn(), stack.Of(l)) })
}

// addressKey is under what connections are counted per client: an IPv4 address, or
// an IPv6 /64, which is what one client has. One that is not valid is not counted.
func addressKey(ip netip.Addr) netip.Prefix {
	bits := ip.BitLen()
	if ip.Is6() {
		bits = 64
	}
	prefix, err := ip.WithZone("").Prefix(bits)
	if err != nil || !ip.IsValid() {
		return netip.Prefix{}
	}
	return prefix
}
