package channellayer

import (
	"sync"
	"sync/atomic"
)

// nameless are the subscriptions of a hub whose channels have no name yet. Each knows its place, so that there is nothing to look for.
type nameless struct {
	next   atomic.Uint32
	shards [shards]namelessShard
}

type namelessShard struct {
	mu     sync.Mutex
	list   []*Subscription
	closed bool     // no further one may come in
	_      [24]byte // a cache line each
}

// nowhere is the place of a subscription that is not among them.
const nowhere = 0

// add takes s in. Its place has the number of the shard in the low bits, and is never nowhere.
func (n *nameless) add(s *Subscription) error {
	number := n.next.Add(1) % shards
	sh := &n.shards[number]
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if sh.closed {
		return ErrClosed
	}
	sh.list = append(sh.list, s)
	atomic.StoreUint32(&s.own.place, uint32(len(sh.list))<<shardBits|number)
	return nil
}

// remove takes s out, if it is there.
func (n *nameless) remove(s *Subscription) {
	at := atomic.LoadUint32(&s.own.place)
	if at == nowhere {
		return
	}
	sh := &n.shards[at%shards] // it stays in its shard
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if at = atomic.LoadUint32(&s.own.place); at == nowhere {
		return // somebody else has just done it
	}
	last := len(sh.list) - 1
	i := int(at>>shardBits) - 1
	moved := sh.list[last]
	sh.list[i] = moved
	atomic.StoreUint32(&moved.own.place, at)
	atomic.StoreUint32(&s.own.place, nowhere)
	sh.list[last] = nil
	sh.list = sh.list[:last]
	if cap(sh.list) > shrinkAbove && 4*last < cap(sh.list) {
		sh.list = append(make([]*Subscription, 0, 2*last), sh.list...)
	}
}

// each calls f for those that are there, shard by shard, with no lock held.
func (n *nameless) each(f func(*Subscription)) {
	for i := range n.shards {
		for _, s := range n.inShard(i, false) {
			f(s)
		}
	}
}

// close refuses further ones and calls f for those that are there.
func (n *nameless) close(f func(*Subscription)) {
	for i := range n.shards {
		for _, s := range n.inShard(i, true) {
			f(s)
		}
	}
}

func (n *nameless) inShard(i int, last bool) []*Subscription {
	sh := &n.shards[i]
	sh.mu.Lock()
	defer sh.mu.Unlock()
	sh.closed = sh.closed || last
	return append([]*Subscription(nil), sh.list...)
}

// count returns how many there are.
func (n *nameless) count() int {
	count := 0
	for i := range n.shards {
		sh := &n.shards[i]
		sh.mu.Lock()
		count += len(sh.list)
		sh.mu.Unlock()
	}
	return count
}
