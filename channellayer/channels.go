package channellayer

import (
	"fmt"
	"hash/maphash"
	"strings"
	"sync"
)

// channels are all subscriptions of a hub, by channel name.
type channels struct {
	seed   maphash.Seed
	shards [shards]channelShard
}

type channelShard struct {
	mu     sync.RWMutex
	by     table[*Subscription]
	closed bool // no further subscription may come in
}

func (r *channels) shard(name string) (*channelShard, uint64) {
	hash := maphash.String(r.seed, name)
	return &r.shards[hash%shards], hash
}

// get returns the subscription of that name, or nil.
func (r *channels) get(name string) *Subscription {
	sh, hash := r.shard(name)
	sh.mu.RLock()
	defer sh.mu.RUnlock()
	return sh.by.get(hash, name)
}

// add makes s known, together with the messages that waited for it: claim runs with the shard locked, so that none overtakes them.
func (r *channels) add(s *Subscription, claim func()) error {
	sh, hash := r.shard(s.key())
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if sh.closed {
		return ErrClosed
	}
	if sh.by.get(hash, s.key()) != nil {
		return fmt.Errorf("%w: channel %q; its Subscription may be shared by several readers", ErrSubscribed, s.key())
	}
	sh.by.add(r.seed, hash, s)
	claim()
	return nil
}

// remove makes s unknown.
func (r *channels) remove(s *Subscription) {
	sh, hash := r.shard(s.key())
	sh.mu.Lock()
	defer sh.mu.Unlock()
	sh.by.remove(r.seed, hash, s)
}

// absent runs f with the shard locked if nobody reads the channel, and returns its reader otherwise.
func (r *channels) absent(name string, f func() error) (*Subscription, error) {
	sh, hash := r.shard(name)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if sh.closed {
		return nil, ErrClosed
	}
	if s := sh.by.get(hash, name); s != nil {
		return s, nil
	}
	return nil, f()
}

// close refuses further subscriptions and returns all that there are.
func (r *channels) close() []*Subscription {
	var all []*Subscription
	for i := range r.shards {
		sh := &r.shards[i]
		sh.mu.Lock()
		sh.closed = true
		sh.by.each(func(s *Subscription) { all = append(all, s) })
		sh.mu.Unlock()
	}
	return all
}

// count returns how many subscriptions there are.
func (r *channels) count() int {
	n := 0
	for i := range r.shards {
		sh := &r.shards[i]
		sh.mu.RLock()
		n += sh.by.count
		sh.mu.RUnlock()
	}
	return n
}

// personal reports whether a channel belongs to one connection, as those of NewChannel do.
// When its reader is gone no other will come, so nothing is kept for it.
func personal(channel string) bool { return strings.Contains(channel, "!") }
