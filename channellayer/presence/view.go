package presence

import (
	"bytes"
	"encoding/json"
	"slices"
)

// A view is who is in a group as this node sees it. Its fields are guarded by Tracker.mu.
type view struct {
	dirty    []*place   // changed since those who watch were told
	held     held       // without a connection, for the grace
	number   uint64     // of the last diff
	snapshot []Presence // what List returned last; nil after a change
}

// held are the places whose connections have ended, in the order in which they will be given up.
type held struct {
	queue []hold
	byKey map[string][]*place // the oldest first; never an empty slice
}

// A hold is void when its place has been taken, and perhaps held again: then the times differ.
type hold struct {
	place *place
	until instant
}

func (h hold) void() bool { return h.place.until != h.until }

// first returns when the first place will be given up, or zero.
func (h *held) first() instant {
	if len(h.queue) == 0 {
		return 0
	}
	return h.queue[0].until
}

func (h *held) add(p *place) {
	h.queue = append(h.queue, hold{p, p.until})
	if h.byKey == nil {
		h.byKey = map[string][]*place{}
	}
	h.byKey[p.key] = append(h.byKey[p.key], p)
}

// take returns the place that a new connection with this key and metadata takes over: one with the same metadata if there is one. Nil if none is held.
func (h *held) take(key string, meta json.RawMessage) *place {
	waiting := h.byKey[key]
	if len(waiting) == 0 {
		return nil
	}
	i := max(0, slices.IndexFunc(waiting, func(p *place) bool { return bytes.Equal(p.meta, meta) }))
	p := waiting[i]
	h.drop(p)
	return p
}

func (h *held) drop(p *place) {
	p.until = 0
	waiting := h.byKey[p.key]
	i := slices.Index(waiting, p)
	if waiting = slices.Delete(waiting, i, i+1); len(waiting) == 0 {
		delete(h.byKey, p.key)
	} else {
		h.byKey[p.key] = waiting
	}
}

// release gives up the places that nobody has taken within the grace.
func (r *room) release(now instant) {
	for len(r.held.queue) > 0 {
		h := r.held.queue[0]
		if !h.void() && h.until > now {
			return
		}
		if !h.void() {
			r.held.drop(h.place)
			r.leave(h.place)
		}
		r.held.queue[0] = hold{}
		r.held.queue = r.held.queue[1:]
	}
	r.held.queue = nil
}

// arrive notes that a node has this presence, new or changed.
func (r *room) arrive(o *owner, it item) {
	p := o.places[it.ID]
	if p == nil {
		p = r.held.take(it.Key, it.Meta)
	}
	if p == nil {
		p = &place{node: o.node, ref: it.ID, key: it.Key, meta: it.Meta}
		r.touch(p)
	} else if !bytes.Equal(p.meta, it.Meta) {
		p.meta = it.Meta
		r.touch(p)
	}
	o.places[it.ID] = p
}

// depart notes that a node no longer has a presence, whose place may be kept for the grace.
func (r *room) depart(o *owner, id uint64, keep bool) {
	p := o.places[id]
	if p == nil {
		return
	}
	delete(o.places, id)
	if grace := r.t.config.Grace; keep && grace > 0 {
		p.until = r.t.now() + grace
		r.held.add(p)
		return
	}
	r.leave(p)
}

func (r *room) leave(p *place) {
	p.gone = true
	r.touch(p)
}

// touch notes that those who watch have to be told of a place.
func (r *room) touch(p *place) {
	r.snapshot = nil
	if !p.dirty {
		p.dirty = true
		r.dirty = append(r.dirty, p)
	}
}

// list returns everybody who is there, in order. It is made once after each change, and shared.
func (r *room) list() []Presence {
	if r.snapshot != nil {
		return r.snapshot
	}
	n := len(r.held.queue)
	for _, o := range r.owners {
		n += len(o.places)
	}
	all := make([]Presence, 0, n)
	for _, o := range r.owners {
		for _, p := range o.places {
			all = append(all, p.presence())
		}
	}
	for _, h := range r.held.queue {
		if !h.void() {
			all = append(all, h.place.presence())
		}
	}
	slices.SortFunc(all, compare)
	r.snapshot = slices.Clip(all)
	return r.snapshot
}
