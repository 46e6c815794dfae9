package layertest

import (
	"context"
	"errors"
	"sync"

	"github.com/portico-go/portico/channellayer"
)

// A Loopback is a server that joins hubs of one process, with the history of groups, which outlives its stops. The zero value is running. Its methods are safe for concurrent use.
type Loopback struct {
	once sync.Once
	log  *channellayer.MemoryLog

	mu      sync.Mutex
	stopped bool
	brokers map[*loopback]bool
}

var errStopped = errors.New("layertest: the loopback is stopped")

// Broker returns a broker for one hub.
func (l *Loopback) Broker() channellayer.Broker {
	return &loopback{server: l}
}

// Stop takes the server away: all brokers are disconnected and their subscriptions gone.
func (l *Loopback) Stop() {
	for _, b := range l.switchTo(true) {
		b.receiver.Down(errStopped)
	}
}

// Start brings it back.
func (l *Loopback) Start() {
	for _, b := range l.switchTo(false) {
		b.receiver.Up()
	}
}

// switchTo returns the brokers for which that is news.
func (l *Loopback) switchTo(stopped bool) []*loopback {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.stopped == stopped {
		return nil
	}
	l.stopped = stopped
	all := make([]*loopback, 0, len(l.brokers))
	for b := range l.brokers {
		clear(b.subjects)
		all = append(all, b)
	}
	return all
}

// Subscriptions returns how many subscriptions there are, of all brokers together.
func (l *Loopback) Subscriptions() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := 0
	for b := range l.brokers {
		n += len(b.subjects)
	}
	return n
}

var _ channellayer.Log = (*loopback)(nil)

// A loopback is one hub's broker.
type loopback struct {
	server   *Loopback
	receiver channellayer.Receiver
	subjects map[string]bool // guarded by server.mu
}

func (b *loopback) Start(_ context.Context, r channellayer.Receiver) error {
	l := b.server
	l.mu.Lock()
	b.receiver, b.subjects = r, map[string]bool{}
	if l.brokers == nil {
		l.brokers = map[*loopback]bool{}
	}
	l.brokers[b] = true
	stopped := l.stopped
	l.mu.Unlock()
	if stopped {
		r.Down(errStopped)
	} else {
		r.Up()
	}
	return nil
}

// Publish delivers in the publisher's goroutine: a hub's Message does not wait for anything.
func (b *loopback) Publish(ctx context.Context, subject string, envelope []byte) error {
	receivers, err := b.receivers(ctx, subject)
	for _, r := range receivers {
		r.Message(subject, envelope)
	}
	return err
}

func (b *loopback) receivers(ctx context.Context, subject string) ([]channellayer.Receiver, error) {
	l := b.server
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := b.usable(ctx); err != nil {
		return nil, err
	}
	var all []channellayer.Receiver
	for other := range l.brokers {
		if other.subjects[subject] {
			all = append(all, other.receiver)
		}
	}
	return all, nil
}

func (b *loopback) Subscribe(ctx context.Context, subjects ...string) error {
	return b.set(ctx, subjects, true)
}

func (b *loopback) Unsubscribe(ctx context.Context, subjects ...string) error {
	return b.set(ctx, subjects, false)
}

func (b *loopback) set(ctx context.Context, subjects []string, subscribed bool) error {
	b.server.mu.Lock()
	defer b.server.mu.Unlock()
	if err := b.usable(ctx); err != nil {
		return err
	}
	for _, s := range subjects {
		if subscribed {
			b.subjects[s] = true
		} else {
			delete(b.subjects, s)
		}
	}
	return nil
}

// Append implements channellayer.Log: the log delivers to all brokers that have subscribed, in its order.
func (b *loopback) Append(ctx context.Context, subject string, keep channellayer.Retention, r channellayer.Record) (channellayer.Position, error) {
	log, err := b.reach(ctx)
	if err != nil {
		return channellayer.Position{}, err
	}
	return log.Append(ctx, subject, keep, r)
}

// Read implements channellayer.Log.
func (b *loopback) Read(ctx context.Context, subject string, keep channellayer.Retention, from uint64, limit int) (channellayer.Page, error) {
	log, err := b.reach(ctx)
	if err != nil {
		return channellayer.Page{}, err
	}
	return log.Read(ctx, subject, keep, from, limit)
}

func (b *loopback) reach(ctx context.Context) (*channellayer.MemoryLog, error) {
	l := b.server
	l.once.Do(func() { l.log = channellayer.NewMemoryLog(l.appended) })
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.log, b.usable(ctx)
}

// appended hands an entry to those who have subscribed. What they do with it, they do without the log.
func (l *Loopback) appended(subject string, e channellayer.Entry) {
	l.mu.Lock()
	var all []channellayer.Receiver
	for b := range l.brokers {
		if b.subjects[subject] {
			all = append(all, b.receiver)
		}
	}
	l.mu.Unlock()
	for _, r := range all {
		r.Entry(subject, e)
	}
}

// usable holds the rule of all methods: none works without the server, or when its context is over.
func (b *loopback) usable(ctx context.Context) error {
	if b.server.stopped || !b.server.brokers[b] {
		return errStopped
	}
	return ctx.Err()
}

func (b *loopback) Close() error {
	b.server.mu.Lock()
	defer b.server.mu.Unlock()
	delete(b.server.brokers, b)
	return nil
}
