package redis

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/redis/rueidis"

	"github.com/portico-go/portico/channellayer"
	"github.com/portico-go/portico/channellayer/workqueue"
)

// JobStoreOptions say where a [JobStore] keeps jobs, and how.
type JobStoreOptions struct {
	// Client is as in [Options]. A Cluster and Sentinels are used as such.
	Client rueidis.ClientOption
	// Prefix is put before the names of all keys; empty means "portico:". Stores with one prefix share their jobs.
	Prefix string
	// Limits must be the same in all processes that share the jobs.
	Limits workqueue.Limits
}

// A JobStore keeps the jobs of a workqueue.Queue in Redis 6.2 or newer, in streams with a consumer group.
//
// A job is as durable as the server makes its data: with an append-only file that is written always ("appendonly yes", "appendfsync always") it survives a crash
// of the server. What a master acknowledged just before it died its replicas may not have; "min-replicas-to-write" narrows that. A server that evicts keys loses jobs: its maxmemory-policy must be "noeviction".
//
// Each channel has its keys in one slot, so the channels of a Cluster are divided among its servers. A worker that waits holds one connection for each of its channels.
type JobStore struct {
	client rueidis.ClientOption
	prefix string
	limits workqueue.Limits

	dialing chan struct{} // holds one element while somebody connects
	link    atomic.Pointer[link]

	mu     sync.Mutex // guards what follows
	closed bool
	ended  sync.WaitGroup // of what runs for longer than a call; grows only while closed is false
	over   chan struct{}  // closed with the store
}

// A link is one client, from when it is connected to when it is found broken.
type link struct{ rueidis.Client }

var (
	_ workqueue.Store     = (*JobStore)(nil)
	_ workqueue.Inspector = (*JobStore)(nil)
)

// OpenJobStore returns a store for a URL as [Open] takes it, of which sharded and lanes do not count. It does not connect yet.
func OpenJobStore(url string, limits workqueue.Limits) (*JobStore, error) {
	o, err := parseURL(url)
	if err != nil {
		return nil, err
	}
	return NewJobStore(JobStoreOptions{Client: o.Client, Prefix: o.Prefix, Limits: limits})
}

// NewJobStore returns a store, which does not connect yet, or an error that names the option that is wrong.
func NewJobStore(o JobStoreOptions) (*JobStore, error) {
	limits, err := o.Limits.WithDefaults()
	if err != nil {
		return nil, err
	}
	common, err := Options{Client: o.Client, Prefix: o.Prefix}.withDefaults()
	if err != nil {
		return nil, err
	}
	return &JobStore{
		client: common.Client, prefix: common.Prefix, limits: limits,
		dialing: make(chan struct{}, 1), over: make(chan struct{}),
	}, nil
}

// key returns the key of a part of a channel. The channel is the hash tag.
func (s *JobStore) key(channel, part string) string {
	return s.prefix + "jobs:{" + channellayer.Token(channel) + "}:" + part
}

func (s *JobStore) keys(channel string, parts ...string) []string {
	keys := make([]string, len(parts))
	for i, part := range parts {
		keys[i] = s.key(channel, part)
	}
	return keys
}

// connect returns the client, and makes one if there is none.
func (s *JobStore) connect(ctx context.Context) (*link, error) {
	if l := s.link.Load(); l != nil {
		return l, nil
	}
	select {
	case s.dialing <- struct{}{}:
		defer func() { <-s.dialing }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if l := s.link.Load(); l != nil {
		return l, nil
	}
	client, err := dial(ctx, s.client)
	if err != nil {
		return nil, fmt.Errorf("redis: connect: %w", err)
	}
	l := &link{client}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		client.Close()
		return nil, workqueue.ErrClosed
	}
	s.link.Store(l)
	return l, nil
}

// run runs one script, for a caller who learns that the store is closed.
func (s *JobStore) run(ctx context.Context, script *rueidis.Lua, keys []string, args ...string) (rueidis.RedisMessage, error) {
	if err := s.open(); err != nil {
		return rueidis.RedisMessage{}, err
	}
	answer, err := s.exec(ctx, script, keys, args...)
	return answer, s.why(err)
}

// exec runs one script, also while the store is closing.
func (s *JobStore) exec(ctx context.Context, script *rueidis.Lua, keys []string, args ...string) (rueidis.RedisMessage, error) {
	within, cancel := context.WithTimeout(ctx, silence)
	defer cancel()
	l, err := s.connect(within)
	if err != nil {
		return rueidis.RedisMessage{}, err
	}
	answer, err := script.Exec(within, l.Client, keys, args).ToMessage()
	s.look(ctx, l, err)
	return answer, err
}

// why is what went wrong, which after Close is that.
func (s *JobStore) why(err error) error {
	if err == nil {
		return nil
	}
	if closed := s.open(); closed != nil {
		return closed
	}
	return err
}

// look drops a client that an error shows to be broken, or to be connected to a server that is no master any more; the next call makes a new one. That the caller's context has ended shows nothing.
func (s *JobStore) look(ctx context.Context, l *link, err error) {
	answer, ok := errors.AsType[*rueidis.RedisError](err)
	switch {
	case err == nil, rueidis.IsRedisNil(err), ctx.Err() != nil:
		return
	case ok && !strings.HasPrefix(answer.Error(), "READONLY") && !strings.HasPrefix(answer.Error(), "MASTERDOWN") && !answer.IsClusterDown():
		return
	}
	if s.link.CompareAndSwap(l, nil) && !s.background(l.Close) {
		l.Close()
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

// open returns an error if the store is closed.
func (s *JobStore) open() error {
	select {
	case <-s.over:
		return workqueue.ErrClosed
	default:
		return nil
	}
}

// Close implements workqueue.Store. It takes up to a second, until the server has nothing more to say to those who waited for a job.
func (s *JobStore) Close() error {
	s.mu.Lock()
	first := !s.closed
	if first {
		s.closed = true
		close(s.over)
	}
	s.mu.Unlock()
	s.ended.Wait()
	if l := s.link.Swap(nil); l != nil {
		l.Close()
	}
	return nil
}
