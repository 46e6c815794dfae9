package nats

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/portico-go/portico/channellayer"
	"github.com/portico-go/portico/channellayer/workqueue"
)

// JobStoreOptions say where a [JobStore] keeps jobs, and how.
type JobStoreOptions struct {
	// URL, Prefix and Client are as in [Options]. Stores with one prefix share their jobs.
	URL    string
	Prefix string
	Client []nats.Option
	// Stream says how the stream of the jobs is made; its zero value keeps it in files, on one server.
	Stream StreamOptions
	// Limits must be the same in all processes that share the jobs.
	Limits workqueue.Limits
}

// A JobStore keeps the jobs of a workqueue.Queue in a JetStream stream of nats-server 2.11 or newer.
//
// A job is as durable as the stream: in files of a server with "sync_interval: always" it survives a crash of the machine, and with three Replicas the loss of one. Without that setting a crash of the
// machine loses what came within the last two minutes; a crash of the server alone does not.
//
// A job whose worker has died goes to the end of its channel. Put asks the server how full a channel is before it enqueues, so the capacity may be exceeded by as many jobs as are enqueued at the same moment.
// Stats count a delayed job as a running one. If a process dies just while it buries or revives a job, that may be both dead and alive.
type JobStore struct {
	options Options
	stream  StreamOptions
	limits  workqueue.Limits

	dialing chan struct{} // holds one element while somebody connects
	link    atomic.Pointer[link]

	mu     sync.Mutex // guards what follows
	conn   *nats.Conn
	closed bool
	ended  sync.WaitGroup // of what runs for longer than a call; grows only while closed is false
	over   chan struct{}  // closed with the store
	gone   chan struct{}  // closed when the connection has ended for good
}

var (
	_ workqueue.Store     = (*JobStore)(nil)
	_ workqueue.Inspector = (*JobStore)(nil)
)

// A link is the store's connection, from when it is there to when it breaks, and what was found through it.
type link struct {
	*session
	js     jetstream.JetStream
	stream string // its name

	mu       sync.Mutex
	found    bool // the stream is there
	channels map[string]*jobChannel
}

// A jobChannel is what a process knows of a channel.
type jobChannel struct {
	jetstream.Consumer
	room  int       // so many jobs may be put without another look
	until time.Time // for so long
}

// OpenJobStore returns a store for a URL as [Open] takes it. It does not connect yet.
func OpenJobStore(url string, limits workqueue.Limits) (*JobStore, error) {
	o, err := parseURL(url)
	if err != nil {
		return nil, err
	}
	return NewJobStore(JobStoreOptions{URL: o.URL, Prefix: o.Prefix, Limits: limits})
}

// NewJobStore returns a store, which does not connect yet, or an error that names the option that is wrong.
func NewJobStore(o JobStoreOptions) (*JobStore, error) {
	limits, err := o.Limits.WithDefaults()
	if err != nil {
		return nil, err
	}
	if err := o.Stream.check("Stream"); err != nil {
		return nil, err
	}
	common, err := Options{URL: o.URL, Prefix: o.Prefix, Client: o.Client}.withDefaults()
	if err != nil {
		return nil, err
	}
	return &JobStore{
		options: common, stream: o.Stream, limits: limits,
		dialing: make(chan struct{}, 1), over: make(chan struct{}), gone: make(chan struct{}),
	}, nil
}

// connect returns the link, and makes the connection if there is none.
func (s *JobStore) connect(ctx context.Context) (*link, error) {
	if l, err := s.linked(); err == nil {
		return l, nil
	}
	select {
	case s.dialing <- struct{}{}:
		defer func() { <-s.dialing }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	s.mu.Lock()
	conn := s.conn
	s.mu.Unlock()
	if conn != nil { // it connects again by itself
		return s.linked()
	}
	conn, err := nats.Connect(s.options.URL, append(s.options.lasting(),
		nats.ReconnectHandler(s.connected), nats.DisconnectErrHandler(s.disconnected), nats.ClosedHandler(func(*nats.Conn) { close(s.gone) }))...)
	if err != nil {
		return nil, fmt.Errorf("nats: connect: %w", err)
	}
	s.mu.Lock()
	s.conn = conn
	closed := s.closed
	s.mu.Unlock()
	if closed {
		conn.Close()
		<-s.gone
		return nil, workqueue.ErrClosed
	}
	s.connected(conn)
	return s.linked()
}

func (s *JobStore) linked() (*link, error) {
	if l := s.link.Load(); l != nil {
		return l, nil
	}
	return nil, errAway
}

func (s *JobStore) connected(conn *nats.Conn) {
	js, err := jetstream.New(conn)
	if err != nil { // an option is wrong, and none is given
		return
	}
	l := &link{session: newSession(conn), js: js, stream: streamName(s.options.Prefix, "jobs"), channels: map[string]*jobChannel{}}
	if old := s.link.Swap(l); old != nil {
		old.end()
	}
}

func (s *JobStore) disconnected(*nats.Conn, error) {
	if old := s.link.Swap(nil); old != nil {
		old.end()
	}
}

// call calls f with the stream, for as long as the connection lasts, and at most for the time that a server may take.
func (s *JobStore) call(ctx context.Context, what string, f func(context.Context, *link) error) error {
	if s.isClosed() {
		return workqueue.ErrClosed
	}
	err := s.try(ctx, f)
	switch {
	case err == nil:
		return nil
	case s.isClosed():
		return workqueue.ErrClosed
	case ctx.Err() != nil:
		return ctx.Err()
	}
	if full, ok := errors.AsType[*workqueue.FullError](err); ok {
		return full
	}
	return fmt.Errorf("nats: %s: %w", what, err)
}

// try is call, also while the store is closing. What a server was asked for too late, or in vain because the stream or a consumer has gone, is found again the next time.
func (s *JobStore) try(ctx context.Context, f func(context.Context, *link) error) error {
	ctx, cancel := context.WithTimeout(ctx, silence)
	defer cancel()
	l, err := s.connect(ctx)
	if err != nil {
		return err
	}
	defer context.AfterFunc(l.ctx, cancel)()
	if err = s.find(ctx, l); err == nil {
		err = f(ctx, l)
	}
	if errors.Is(err, nats.ErrNoResponders) || errors.Is(err, jetstream.ErrNoStreamResponse) || errors.Is(err, jetstream.ErrConsumerNotFound) {
		l.forget()
	}
	if err != nil && l.ctx.Err() != nil {
		return fmt.Errorf("%w: %w", errAway, err)
	}
	return err
}

func (l *link) isFound() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.found
}

func (l *link) forget() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.found = false
	clear(l.channels)
}

func (s *JobStore) isClosed() bool {
	select {
	case <-s.over:
		return true
	default:
		return false
	}
}

// background runs f, for which Close waits. It reports false, and does not run it, if the store is closed.
func (s *JobStore) background(f func()) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.ended.Go(f)
	return true
}

// Close implements workqueue.Store. It takes up to a second, until the server has nothing more to say to those who waited for a job.
func (s *JobStore) Close() error {
	s.mu.Lock()
	if !s.closed {
		s.closed = true
		close(s.over)
	}
	conn := s.conn
	s.mu.Unlock()
	s.ended.Wait()
	if conn != nil {
		conn.Close()
		<-s.gone
	}
	return nil
}

// subject returns a subject of a channel: "jobs" and what tells it from the others, or "dead", the job's ID and that.
func (s *JobStore) subject(what, channel string, more ...string) string {
	return s.options.Prefix + strings.Join(append([]string{what, channellayer.Token(channel)}, more...), ".")
}
