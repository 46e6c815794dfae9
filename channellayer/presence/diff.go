package presence

import (
	"cmp"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
)

// EventDiff is the type of the events that those who watch a group get. Their value is a [Diff].
const EventDiff = "presence.diff"

// A Presence is one connection that is in a group.
type Presence struct {
	// Key is who it is. Several connections of one user have the same key.
	Key string `json:"key"`
	// ID tells the presences of one key apart. It stays the same while the presence is there, also when within the grace another
	// connection takes its place. It means nothing else, and two nodes may have different ones for the same place.
	ID string `json:"id"`
	// Meta is what was tracked with it, as JSON. It is shared: read it only. It is empty if there was none.
	Meta json.RawMessage `json:"meta,omitempty"`
}

// A Diff is what has changed in a group. Its JSON is fit to be sent to clients as it is.
type Diff struct {
	Group string `json:"group"`
	// Number counts the diffs of the group on this node. A watcher that sees one left out has lost it, because its queue was full: it calls Watch again.
	Number  uint64     `json:"number"`
	Left    []Presence `json:"left,omitempty"`
	Joined  []Presence `json:"joined,omitempty"`
	Updated []Presence `json:"updated,omitempty"` // with their new Meta
}

// Apply returns the list after the change: without those who left, with those who joined, and with the new metadata of the updated. The list must be in the order
// of [Tracker.List], as the result is. It is not changed.
func (d Diff) Apply(list []Presence) []Presence {
	list = slices.Clone(list)
	for _, p := range d.Left {
		if i, ok := slices.BinarySearchFunc(list, p, compare); ok {
			list = slices.Delete(list, i, i+1)
		}
	}
	for _, p := range append(slices.Clone(d.Joined), d.Updated...) {
		if i, ok := slices.BinarySearchFunc(list, p, compare); ok {
			list[i] = p
		} else {
			list = slices.Insert(list, i, p)
		}
	}
	return list
}

// compare orders presences by key, and those of one key by ID.
func compare(a, b Presence) int {
	return cmp.Or(strings.Compare(a.Key, b.Key), strings.Compare(a.ID, b.ID))
}

// A place is a presence as a node sees it. It outlives its connection by the grace, and passes to the next one with its key.
type place struct {
	node  string // and ref: the connection that it was made for
	ref   uint64
	key   string
	meta  json.RawMessage
	until instant // when it ends if nobody takes it; 0 while it has a connection
	gone  bool
	told  bool // those who watch know it
	dirty bool // in room.dirty
}

func (p *place) presence() Presence {
	return Presence{Key: p.key, ID: p.node + "." + strconv.FormatUint(p.ref, 36), Meta: p.meta}
}

// size is how much of a message a presence takes, about.
func (p *place) size() int { return len(p.key) + len(p.meta) + overhead }

// take returns what those who watch do not know yet, in messages of bounded size. Its caller holds t.mu.
func (r *room) take() []Diff {
	var all []Diff
	size := 0
	at := func(p *place) *Diff {
		if size += p.size(); len(all) == 0 || size > partSize {
			r.number++
			all, size = append(all, Diff{Group: r.group, Number: r.number}), p.size()
		}
		return &all[len(all)-1]
	}
	for _, p := range r.dirty {
		p.dirty = false
		switch {
		case p.gone && p.told:
			d := at(p)
			d.Left = append(d.Left, p.presence())
		case p.gone: // came and went, and nobody knows
		case !p.told:
			d := at(p)
			d.Joined = append(d.Joined, p.presence())
		default:
			d := at(p)
			d.Updated = append(d.Updated, p.presence())
		}
		p.told = !p.gone
	}
	r.dirty = nil
	return all
}
