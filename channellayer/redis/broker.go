package redis

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/rueidis"

	"github.com/portico-go/portico/channellayer"
)

// A Broker is one hub's connection to Redis.
type Broker struct {
	options  Options
	receiver channellayer.Receiver
	session  atomic.Pointer[session] // nil while the server is away

	stop   context.CancelFunc // nil until Start
	ended  sync.WaitGroup
	closed sync.Once
}

var _ channellayer.Broker = (*Broker)(nil)

var errAway = errors.New("redis: not connected")

// Open returns a broker for a URL such as redis://user:password@host:6379/0, rediss:// for TLS, or unix:///run/redis.sock, which does not connect yet. The query may have prefix, sharded and
// lanes, as in [Options], and what rueidis.ParseURL reads: addr for further addresses, and master_set for Sentinels.
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
	return &Broker{options: o}, nil
}

// Start implements channellayer.Broker.
func (b *Broker) Start(ctx context.Context, r channellayer.Receiver) error {
	b.receiver = r
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	b.stop = stop
	s, err := b.connect(ctx)
	if refused(err) {
		return err
	}
	b.report(s, err)
	b.ended.Go(func() { b.run(running, s) })
	return nil
}

// refused reports an answer of the server that it would give again.
func refused(err error) bool {
	answer, ok := errors.AsType[*rueidis.RedisError](err)
	return ok && !answer.IsLoading() && !answer.IsClusterDown() && !answer.IsTryAgain()
}

// report makes a session the one that is used, or reports that there is none.
func (b *Broker) report(s *session, err error) {
	if err != nil {
		b.receiver.Down(err)
		return
	}
	b.session.Store(s)
	b.receiver.Up()
}

const (
	pauseFirst = 25 * time.Millisecond
	pauseMost  = time.Second
)

// run watches a session and connects again whenever there is none.
func (b *Broker) run(ctx context.Context, s *session) {
	failures := 0
	for ctx.Err() == nil {
		if s != nil {
			failures = 0
			err := s.watch(ctx)
			b.session.Store(nil)
			s.close()
			if ctx.Err() == nil {
				b.receiver.Down(err)
			}
		}
		pause := min(pauseFirst<<min(failures, 10), pauseMost)
		failures++
		select {
		case <-time.After(pause/2 + rand.N(pause)): //nolint:gosec // jitter is no secret
		case <-ctx.Done():
			return
		}
		var err error
		attempt, cancel := context.WithTimeout(ctx, silence)
		s, err = b.connect(attempt)
		cancel()
		if ctx.Err() == nil {
			b.report(s, err)
		}
	}
	if s != nil {
		s.close()
	}
}

// Publish implements channellayer.Broker. The command names its channel as a key, so that in a Cluster all messages of one subject take
// the same way, and stay in order.
func (b *Broker) Publish(ctx context.Context, subject string, envelope []byte) error {
	s := b.session.Load()
	if s == nil {
		return errAway
	}
	ctx, cancel := context.WithTimeout(ctx, silence)
	defer cancel()
	command := s.client.B().Arbitrary(b.publish()).Keys(b.channel(subject)).Args(rueidis.BinaryString(envelope)).Build()
	if err := s.client.Do(ctx, command).Error(); err != nil {
		return fmt.Errorf("redis: publish: %w", err)
	}
	return nil
}

func (b *Broker) publish() string {
	if b.options.Sharded {
		return "SPUBLISH"
	}
	return "PUBLISH"
}

// Subscribe implements channellayer.Broker.
func (b *Broker) Subscribe(ctx context.Context, subjects ...string) error {
	return b.each(subjects, func(l *lane, channels []string) error { return l.subscribe(ctx, channels) })
}

// Unsubscribe implements channellayer.Broker.
func (b *Broker) Unsubscribe(ctx context.Context, subjects ...string) error {
	return b.each(subjects, func(l *lane, channels []string) error { return l.unsubscribe(ctx, channels) })
}

// each calls f for every lane that has some of the subjects, at the same time.
func (b *Broker) each(subjects []string, f func(l *lane, channels []string) error) error {
	s := b.session.Load()
	if s == nil {
		return errAway
	}
	parts := make([][]string, len(s.lanes))
	for _, subject := range subjects {
		i := b.laneOf(subject)
		parts[i] = append(parts[i], b.channel(subject))
	}
	errs := make([]error, len(parts))
	var all sync.WaitGroup
	for i, channels := range parts {
		if len(channels) > 0 {
			all.Go(func() { errs[i] = f(s.lanes[i], channels) })
		}
	}
	all.Wait()
	return errors.Join(errs...)
}

// Close implements channellayer.Broker.
func (b *Broker) Close() error {
	b.closed.Do(func() {
		if b.stop != nil {
			b.stop()
			b.ended.Wait()
		}
	})
	return nil
}
