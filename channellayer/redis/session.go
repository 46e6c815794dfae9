package redis

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/redis/rueidis"
)

// A session is a connection to the server or servers, from when it is whole to when any part of it breaks.
type session struct {
	client rueidis.Client
	lanes  []*lane
}

// laneOf returns which lane a subject belongs to.
func (b *Broker) laneOf(subject string) int {
	return int(crc32.ChecksumIEEE([]byte(subject)) % uint32(b.options.Lanes))
}

// channel returns the Redis channel of a subject. With Sharded the lane is the hash tag, so that the channels of a lane have one slot.
func (b *Broker) channel(subject string) string {
	return b.lanePrefix(b.laneOf(subject)) + subject
}

func (b *Broker) lanePrefix(lane int) string {
	if !b.options.Sharded {
		return b.options.Prefix
	}
	return b.options.Prefix + "{" + strconv.Itoa(lane) + "}"
}

// connect returns a whole session.
func (b *Broker) connect(ctx context.Context) (*session, error) {
	client, err := dial(ctx, b.options.Client)
	if err != nil {
		return nil, fmt.Errorf("redis: connect: %w", err)
	}
	s := &session{client: client, lanes: make([]*lane, b.options.Lanes)}
	errs := make([]error, len(s.lanes))
	var all sync.WaitGroup
	for i := range s.lanes {
		all.Go(func() { s.lanes[i], errs[i] = b.openLane(ctx, client, i) })
	}
	all.Wait()
	if err := errors.Join(errs...); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

// dial is rueidis.NewClient for as long as ctx allows. One that comes later is closed.
func dial(ctx context.Context, o rueidis.ClientOption) (rueidis.Client, error) {
	type result struct {
		client rueidis.Client
		err    error
	}
	dialled := make(chan result, 1)
	go func() {
		client, err := rueidis.NewClient(o)
		dialled <- result{client, err}
	}()
	select {
	case r := <-dialled:
		return r.client, r.err
	case <-ctx.Done():
		go func() {
			if r := <-dialled; r.err == nil {
				r.client.Close()
			}
		}()
		return nil, ctx.Err()
	}
}

// beat is how often each lane sends itself a message, through the connections that all messages take.
const beat = time.Second

// watch returns when a lane has broken or ctx ends.
func (s *session) watch(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var all sync.WaitGroup
	for _, l := range s.lanes {
		all.Go(func() { cancel(l.watch(ctx, s.client)) })
	}
	all.Wait()
	return context.Cause(ctx)
}

// close closes all connections and waits until nothing more is received.
func (s *session) close() {
	for _, l := range s.lanes {
		if l != nil {
			l.close()
		}
	}
	s.client.Close()
}

// trim returns the subject of a Redis channel.
func (l *lane) trim(channel string) string { return strings.TrimPrefix(channel, l.prefix) }
