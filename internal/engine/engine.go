package engine

import (
	"sync"
	"time"

	"github.com/portico-go/portico/internal/mailbox"
	"github.com/portico-go/portico/internal/wheel"
	"github.com/portico-go/portico/protocol"
)

// A Config says how an Engine treats its streams. The zero value of a field
// stands for its default.
type Config struct {
	// Settings are what all connections of the server share. Required.
	Settings *protocol.Settings
	// HandshakeTimeout is how long an application may take from Open to its
	// answer. Default 20 s.
	HandshakeTimeout time.Duration
	// CloseTimeout is how long a peer may take to answer a close, and to read what
	// was sent before it. Default 5 s.
	CloseTimeout time.Duration
	// WriteTimeout is how long a byte may wait to be sent. Default 30 s.
	WriteTimeout time.Duration
	// HandlerTimeout is how long a handler may take to return when its context was
	// cancelled, before OnStuck is told. Default 10 s.
	HandlerTimeout time.Duration
	// MaxQueued bounds the bytes that wait to be sent to one peer. A message on an
	// empty queue may be larger. Default 1 MiB.
	MaxQueued int
	// Budget bounds what waits for all peers together. Default: without bounds.
	Budget *Budget
	// MaxPending bounds the bytes that a codec may leave undecoded: the largest
	// frame with its header. Default 1 MiB and 64 KiB.
	MaxPending int
	// PingInterval is how long a peer may be silent before it is sent a Ping, if its
	// protocol has peers that answer. Default 20 s; negative is never.
	PingInterval time.Duration
	// PongTimeout is how long it may then stay silent. Default 30 s.
	PongTimeout time.Duration
	// IdleTimeout is how long a peer may send no message. Default: for ever.
	IdleTimeout time.Duration
	// Lifetime is how long a connection may last. Default: for ever.
	Lifetime time.Duration
	// Poller runs the plain sockets among the connections without a goroutine each;
	// nil is none, and the portable path for all.
	Poller *Poller
	// Over is told of each connection that is over: its handler had its
	// Disconnect and its socket is closed. Default: nobody.
	Over func(*protocol.Conn)
	// OnStuck is told of a handler that outlived HandlerTimeout, with the stack of
	// its goroutine, once per connection. Default: nobody.
	OnStuck func(conn *protocol.Conn, stack []byte)
}

func (c Config) withDefaults() Config {
	set := func(field *time.Duration, value time.Duration) {
		if *field == 0 {
			*field = value
		}
	}
	set(&c.HandshakeTimeout, 20*time.Second)
	set(&c.CloseTimeout, 5*time.Second)
	set(&c.WriteTimeout, 30*time.Second)
	set(&c.HandlerTimeout, 10*time.Second)
	set(&c.PingInterval, 20*time.Second)
	set(&c.PongTimeout, 30*time.Second)
	if c.MaxQueued == 0 {
		c.MaxQueued = 1 << 20
	}
	if c.Budget == nil {
		c.Budget = NewBudget(0)
	}
	if c.MaxPending == 0 {
		c.MaxPending = 1<<20 + 64<<10
	}
	if c.Over == nil {
		c.Over = func(*protocol.Conn) {}
	}
	if c.OnStuck == nil {
		c.OnStuck = func(*protocol.Conn, []byte) {}
	}
	return c
}

// An Engine is what the streams of one server share. Its methods are safe for
// concurrent use.
type Engine struct {
	cfg       Config
	epoch     time.Time
	wheel     *wheel.Wheel[*Stream]
	runners   mailbox.Runners // of the streams that the Poller does not know
	sweep     sweep
	buffers   bufferPool
	incomings sync.Pool
	outgoings sync.Pool

	mu       sync.Mutex
	open     int                  // streams
	piped    map[*Stream]struct{} // those that the Poller does not know
	draining bool
}

// New returns an engine. It holds nothing that has to be closed.
func New(cfg Config) *Engine {
	return &Engine{
		cfg:   cfg.withDefaults(),
		epoch: time.Now(),
		wheel: wheel.New[*Stream](tick),
		piped: make(map[*Stream]struct{}),
	}
}

// add takes s in, and reports whether the engine is draining. The Poller knows its
// own streams.
func (e *Engine) add(s *Stream) (draining bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.open++
	if _, ok := s.sock.(*piped); ok {
		e.piped[s] = struct{}{}
	}
	return e.draining
}

func (e *Engine) remove(s *Stream) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.open--
	delete(e.piped, s)
}

// Len returns the number of streams.
func (e *Engine) Len() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.open
}

// Drain ends all streams, and each that is served from now on, with
// protocol.ErrShutdown. A stream that was not answered yet is refused. Another one's
// peer gets its close behind what is in the mailbox, so that a handler that runs
// can still send; after patience it gets it before the handler has returned. Drain
// does not wait; Cancel goes further.
//
//nolint:contextcheck // a Lifecycle has the connection's own context
func (e *Engine) Drain(patience time.Duration) {
	e.mu.Lock()
	e.draining = true
	e.mu.Unlock()
	streams := e.list()
	for _, s := range streams {
		if s.life.Conn().State() == protocol.StateConnecting {
			go s.life.Terminate(protocol.ErrShutdown) // response hooks may block
		} else {
			_ = s.box.Post(mailbox.Shutdown{}) // or it is over
		}
	}
	time.AfterFunc(patience, func() {
		for _, s := range streams {
			s.life.Terminate(protocol.ErrShutdown) // no effect on those that are closing
		}
	})
}

// Cancel cancels the contexts of all streams with cause and closes their sockets.
// Handlers then get their Disconnect when they return.
func (e *Engine) Cancel(cause error) {
	for _, s := range e.list() {
		s.abort(cause)
	}
}

// list returns the streams.
func (e *Engine) list() []*Stream {
	e.mu.Lock()
	streams := make([]*Stream, 0, e.open)
	for s := range e.piped {
		streams = append(streams, s)
	}
	e.mu.Unlock()
	if e.cfg.Poller != nil {
		e.cfg.Poller.streams(e, func(s *Stream) { streams = append(streams, s) })
	}
	return streams
}

func (e *Engine) isDraining() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.draining
}
