package channellayer

import (
	"hash/maphash"
	"slices"
	"sync"
	"sync/atomic"
)

// A group is a named set of memberships. It exists while it has any.
type group struct {
	name    string // never changes
	members []*membership
	view    *view // nil until the first send
	feed    *feed // of a group with history; never changes
}

func (g *group) key() string { return g.name }

// A view counts the sends that go over group.members at this moment, without the shard's lock.
type view struct{ readers atomic.Int32 }

// groups are all groups of a hub, by name.
//
// A send must not keep joins waiting while it visits ten thousand members, and must not copy them either. So it takes the member slice as it
// is and counts itself in the group's view. While it reads, a join still appends (the reader does not look beyond the length that it
// took), and a leave, which would move an element, first clones the slice for those who come later: a clone per send under way at the
// most, and none when no send is.
//
// Lock order: Subscription.mu, then a shard, then one of uplink.mu, feed.mu and history.mu: a group's first member and its last are told to the uplink in the order in which
// they came and went. No code locks a subscription while it holds a shard of groups.
type groups struct {
	seed   maphash.Seed
	hub    *Hub
	uplink *uplink // nil without a broker
	shards [shards]groupShard
}

type groupShard struct {
	mu sync.Mutex
	by table[*group]
	_  [24]byte // a cache line each
}

func (r *groups) shard(name string) (*groupShard, uint64) {
	hash := maphash.String(r.seed, name)
	return &r.shards[hash%shards], hash
}

// join ties the membership to the group of that name, which is made if need be. The caller holds the subscription's lock.
func (r *groups) join(m *membership, name string) {
	sh, hash := r.shard(name)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	g := sh.by.get(hash, name)
	if g == nil {
		g = &group{name: name}
		if keep, ok := r.hub.history.of(name); ok {
			g.feed = newFeed(r.hub, name, keep)
		}
		sh.by.add(r.seed, hash, g)
		if r.uplink != nil {
			r.uplink.want(name)
		}
	}
	m.group = g
	m.slot = uint32(len(g.members))
	g.members = append(g.members, m)
}

// leave unties a membership from its group, and drops the group with its last one.
func (r *groups) leave(m *membership, g *group) {
	sh, hash := r.shard(g.name)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	g.remove(m)
	if len(g.members) == 0 {
		sh.by.remove(r.seed, hash, g)
		if g.feed != nil {
			g.feed.end()
		}
		if r.uplink != nil {
			r.uplink.unwant(g.name)
		}
	}
}

func (g *group) remove(m *membership) {
	if g.view != nil && g.view.readers.Load() > 0 {
		g.members, g.view = slices.Clone(g.members), nil
	}
	last := len(g.members) - 1
	moved := g.members[last]
	g.members[m.slot], moved.slot = moved, m.slot
	g.members[last] = nil
	g.members = g.members[:last]
	if cap(g.members) > shrinkAbove && 4*last < cap(g.members) {
		g.members = append(make([]*membership, 0, 2*last), g.members...)
	}
}

// feed returns the feed of a group with history and members, or nil.
func (r *groups) feed(name string) *feed {
	sh, hash := r.shard(name)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if g := sh.by.get(hash, name); g != nil {
		return g.feed
	}
	return nil
}

// read returns a group and its members at this moment, to be read until the view is released. The group is nil if there is none.
func (r *groups) read(name string) (*group, []*membership, *view) {
	sh, hash := r.shard(name)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	g := sh.by.get(hash, name)
	if g == nil {
		return nil, nil, nil
	}
	if g.view == nil {
		g.view = &view{}
	}
	g.view.readers.Add(1)
	return g, g.members, g.view
}

func (v *view) release() { v.readers.Add(-1) }

// count returns how many groups there are.
func (r *groups) count() int {
	n := 0
	for i := range r.shards {
		sh := &r.shards[i]
		sh.mu.Lock()
		n += sh.by.count
		sh.mu.Unlock()
	}
	return n
}
