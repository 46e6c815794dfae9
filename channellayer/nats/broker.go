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

	"github.com/portico-go/portico/channellayer"
)

// A Broker is one hub's connection to NATS.
type Broker struct {
	options  Options
	receiver channellayer.Receiver
	incoming chan *nats.Msg // of all subscriptions: none has a goroutine of its own
	first    chan struct{}  // closed when it is connected for the first time
	over     chan struct{}  // closed when the connection has ended for good
	stop     chan struct{}  // closed by Close
	deliver  sync.WaitGroup
	conn     atomic.Pointer[nats.Conn] // nil until the first connection
	session  atomic.Pointer[session]   // nil until the first connection
	now      func() time.Time
	keep     channellayer.Retention // of the rules that there are; zero without history
	closed   atomic.Bool

	mu       sync.Mutex
	attached *nats.Conn
	subs     map[string]*nats.Subscription // by subject
	lastGap  time.Time
}

var _ channellayer.Broker = (*Broker)(nil)

var (
	errAway = errors.New("nats: not connected")
	errSlow = errors.New("nats: messages came faster than this process takes them")
)

// waiting is how many envelopes may wait in the process. The hub takes them without waiting for anybody, so they seldom do.
const waiting = 8192

// Open returns a broker for a URL such as nats://user:password@host:4222, which does not connect yet. Several servers have commas between them. The
// query may have prefix, as in [Options].
func Open(url string) (*Broker, error) {
	o, err := parseURL(url)
	if err != nil {
		return nil, err
	}
	return New(o)
}

// New returns a broker, which does not connect yet, or an error that names the option that is wrong.
func New(o Options) (*Broker, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	return &Broker{
		options: o, now: time.Now, subs: map[string]*nats.Subscription{}, incoming: make(chan *nats.Msg, waiting),
		first: make(chan struct{}), over: make(chan struct{}), stop: make(chan struct{}),
	}, nil
}

// Start implements channellayer.Broker.
func (b *Broker) Start(ctx context.Context, r channellayer.Receiver) error {
	b.receiver = r
	conn, err := b.connect()
	if refused(err) {
		return err
	}
	if err != nil {
		r.Down(err)
		if conn, err = b.connect(nats.RetryOnFailedConnect(true)); err != nil {
			return err
		}
	}
	b.attached = conn
	b.deliver.Go(b.run)
	if conn.IsConnected() {
		select {
		case <-b.first:
		case <-ctx.Done():
		}
	}
	return b.probe(ctx)
}

// probe reports a server that cannot keep history, if it is there and should.
func (b *Broker) probe(ctx context.Context) error {
	if b.keep.Size == 0 {
		return nil
	}
	err := b.withLog(ctx, b.keep, func(context.Context, *logStream) error { return nil })
	if errors.Is(err, errUnfit) {
		return err
	}
	return nil
}

func (b *Broker) connect(more ...nats.Option) (*nats.Conn, error) {
	conn, err := nats.Connect(b.options.URL, append(b.options.client(b), more...)...)
	if err != nil {
		return nil, fmt.Errorf("nats: connect: %w", err)
	}
	return conn, nil
}

// refused reports an answer of the server, or of an option, that would be given again.
func refused(err error) bool {
	for _, final := range []error{
		nats.ErrAuthorization, nats.ErrAuthExpired, nats.ErrAuthRevoked, nats.ErrNkeysNotSupported,
		nats.ErrSecureConnRequired, nats.ErrSecureConnWanted, nats.ErrBadHeaderMsg,
	} {
		if errors.Is(err, final) {
			return true
		}
	}
	return false
}

// run passes on what comes.
func (b *Broker) run() {
	for {
		select {
		case m := <-b.incoming:
			b.received(strings.TrimPrefix(m.Subject, b.options.Prefix), m)
		case <-b.stop:
			return
		}
	}
}

func (b *Broker) received(subject string, m *nats.Msg) {
	if strings.HasPrefix(subject, logSubject) {
		b.entry(subject, m)
		return
	}
	b.receiver.Message(subject, m.Data)
}

// connected, disconnected, failed and ended are called by the connection, one after the other.
func (b *Broker) connected(conn *nats.Conn) {
	if b.closed.Load() {
		return
	}
	if old := b.session.Swap(newSession(conn)); old != nil {
		old.end()
	}
	if b.conn.Swap(conn) == nil {
		defer close(b.first)
	}
	b.receiver.Up()
}

// disconnected forgets all subscriptions, or the client would subscribe to what the hub may want no more. The hub is told first, so
// that a Subscribe under way is over by its context.
func (b *Broker) disconnected(_ *nats.Conn, err error) {
	if s := b.session.Load(); s != nil {
		s.end()
	}
	if b.closed.Load() {
		return
	}
	if err == nil {
		err = errAway
	}
	b.lost(fmt.Errorf("nats: the connection is lost: %w", err))
}

func (b *Broker) lost(err error) {
	b.receiver.Down(err)
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, sub := range b.subs {
		_ = sub.Unsubscribe() // what can go wrong is that it is gone already
	}
	clear(b.subs)
}

// failed reports a gap when messages had to be dropped, at most once a second.
func (b *Broker) failed(_ *nats.Conn, _ *nats.Subscription, err error) {
	if !errors.Is(err, nats.ErrSlowConsumer) || b.closed.Load() {
		return
	}
	b.mu.Lock()
	again := time.Since(b.lastGap) < time.Second
	if !again {
		b.lastGap = time.Now()
	}
	b.mu.Unlock()
	if !again {
		b.lost(errSlow)
		b.receiver.Up()
	}
}

func (b *Broker) ended(conn *nats.Conn) {
	b.disconnected(conn, nats.ErrConnectionClosed)
	close(b.over)
}

// Publish implements channellayer.Broker.
func (b *Broker) Publish(ctx context.Context, subject string, envelope []byte) error {
	conn := b.conn.Load()
	if conn == nil || !conn.IsConnected() {
		return errAway
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if most := conn.MaxPayload(); most > 0 && int64(len(envelope)) > most {
		return fmt.Errorf("%w: the envelope has %d bytes, and the NATS server's max_payload is %d", channellayer.ErrTooLarge, len(envelope), most)
	}
	if err := conn.Publish(b.options.Prefix+subject, envelope); err != nil {
		return fmt.Errorf("nats: publish: %w", err)
	}
	return nil
}

// Subscribe implements channellayer.Broker.
func (b *Broker) Subscribe(ctx context.Context, subjects ...string) error {
	return b.change(ctx, func(conn *nats.Conn) error {
		for _, subject := range subjects {
			if b.subs[subject] != nil {
				continue
			}
			sub, err := conn.ChanSubscribe(b.options.Prefix+subject, b.incoming)
			if err != nil {
				return fmt.Errorf("nats: subscribe: %w", err)
			}
			b.subs[subject] = sub
		}
		return nil
	})
}

// Unsubscribe implements channellayer.Broker.
func (b *Broker) Unsubscribe(ctx context.Context, subjects ...string) error {
	return b.change(ctx, func(*nats.Conn) error {
		for _, subject := range subjects {
			sub := b.subs[subject]
			if sub == nil {
				continue
			}
			delete(b.subs, subject)
			if err := sub.Unsubscribe(); err != nil {
				return fmt.Errorf("nats: unsubscribe: %w", err)
			}
		}
		return nil
	})
}

// change runs f with the subscriptions locked, and waits until the server has done what it asked for.
func (b *Broker) change(ctx context.Context, f func(*nats.Conn) error) error {
	conn := b.conn.Load()
	if conn == nil || !conn.IsConnected() {
		return errAway
	}
	if err := b.locked(ctx, conn, f); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, silence)
	defer cancel()
	if err := conn.FlushWithContext(ctx); err != nil {
		return fmt.Errorf("nats: the server did not confirm: %w", err)
	}
	return nil
}

func (b *Broker) locked(ctx context.Context, conn *nats.Conn, f func(*nats.Conn) error) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return err
	}
	return f(conn)
}

// Close implements channellayer.Broker.
func (b *Broker) Close() error {
	if b.closed.Swap(true) || b.attached == nil {
		return nil
	}
	b.attached.Close()
	<-b.over
	close(b.stop)
	b.deliver.Wait()
	return nil
}
