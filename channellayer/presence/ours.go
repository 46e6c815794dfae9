package presence

// ours are this node's own presences in a group, and what the others have still to be told of them. The fields are guarded by Tracker.mu.
type ours struct {
	mine   map[claim]*own
	said   uint64 // the clock of the last step that the others were told; 0: that there is nothing
	unsaid []*own // changed since

	speaking bool // in Tracker.outbox
	ask      bool // to say: how far this node knows the others
	answer   bool // to say: everything that it has
	hint     bool // to say: how far it is
}

// A claim is what makes a presence one of its own: the connection and the key.
type claim struct{ channel, key string }

// An own is a presence of this node.
type own struct {
	claim
	room *room
	item item
	stop func() // no longer waits for the connection's end

	over   bool
	keep   bool // its connection has ended: its place is kept for the grace
	said   bool // others may know it
	unsaid bool // in ours.unsaid
}

// say puts the room on the list of those that have something to say.
func (r *room) say(what *bool) {
	*what = true
	r.speak()
}

func (r *room) speak() {
	if !r.speaking && !r.over {
		r.speaking = true
		r.t.outbox = append(r.t.outbox, r)
	}
	signal(r.t.say)
}

// changed notes that the others have to be told of a presence, and shows the change here.
func (r *room) changed(o *own) {
	if o.over {
		r.depart(r.self, o.item.ID, o.keep)
	} else {
		r.arrive(r.self, o.item)
	}
	if !o.unsaid {
		o.unsaid = true
		r.unsaid = append(r.unsaid, o)
	}
	r.speak()
	r.plan()
}

// end ends a presence of this node. It does nothing if it has ended.
func (o *own) end(keep bool) {
	if o.over {
		return
	}
	o.over, o.keep = true, keep
	if r := o.room; r.mine[o.claim] == o {
		delete(r.mine, o.claim)
		r.changed(o)
	}
}

// A word is one message to the other nodes.
type word struct {
	kind  string
	value any
}

// words returns what the others have to be told. They hear it in this order, and nothing in between: a state is where the steps before it lead to.
func (r *room) words() []word {
	r.speaking = false
	all := r.steps()
	if r.answer && r.said != 0 {
		all = append(all, r.everything()...)
	}
	if r.ask || r.hint || r.answer && r.said == 0 {
		all = append(all, word{typeSummary, r.summary()})
	}
	r.ask, r.answer, r.hint = false, false, false
	return all
}

// steps returns what has changed, as deltas of bounded size.
func (r *room) steps() []word {
	var all []word
	var d *delta
	size := 0
	for _, o := range r.unsaid {
		o.unsaid = false
		if o.over && !o.said {
			continue
		}
		if size += o.item.size(); d == nil || size > partSize {
			if d != nil {
				all = append(all, word{typeDelta, *d})
			}
			r.t.clock++
			d, size = &delta{Node: r.t.id, From: r.said, To: r.t.clock}, o.item.size()
			r.said = r.t.clock
		}
		switch {
		case !o.over:
			d.Set = append(d.Set, o.item)
		case o.keep:
			d.Lost = append(d.Lost, item{ID: o.item.ID})
		default:
			d.Left = append(d.Left, item{ID: o.item.ID})
		}
		o.said = true
	}
	r.unsaid = nil
	if d == nil {
		return nil
	}
	if len(r.mine) == 0 {
		r.said = 0
	}
	now := r.t.now()
	r.repeat(r.t.soon(now+r.t.config.Beat/2, r.t.config.Beat/2), now+r.t.config.repeats())
	r.plan()
	return append(all, word{typeDelta, *d})
}

// everything returns this node's state, in parts of bounded size.
func (r *room) everything() []word {
	items := make([]item, 0, len(r.mine))
	for _, o := range r.mine {
		items = append(items, o.item)
	}
	all := []word{}
	list := parts(items)
	for i, set := range list {
		all = append(all, word{typeState, state{Node: r.t.id, Clock: r.said, Part: i, Parts: len(list), Set: set}})
	}
	return all
}

// summary returns how far this node is, and with a question also how far it knows the others.
func (r *room) summary() summary {
	s := summary{Node: r.t.id, Clock: r.said, Ask: r.ask}
	if !r.ask {
		return s
	}
	s.Known = make(map[string]uint64, len(r.owners))
	for id, o := range r.owners {
		if o != r.self && o.clock != 0 {
			s.Known[id] = o.clock
		}
	}
	return s
}
