package channellayer

// A membership ties one subscription to one group. The group lists its memberships, the subscription its own, and each knows its
// place in both lists, so that leaving costs the same in a group of two and of a hundred thousand.
type membership struct {
	sub   *Subscription // never changes
	group *group        // guarded by sub.mu; nil when this membership is free
	slot  uint32        // place in group.members; guarded by the group's shard
	place uint32        // place in sub.rare.groups, guarded by sub.mu; of the one in the subscription itself, the subscription's in hub.nameless, atomic
}

// rare is the part of a subscription's state that most do without.
type rare struct {
	groups []*membership          // beyond the first, which is in the subscription itself
	index  map[string]*membership // the same by group name, once there are many
	name   string                 // of the channel of a connection, once somebody asked for it: then it never changes
	closed bool

	seats    map[*membership]*seat // in groups with history
	metadata *metadata             // nil: none
	closers  []*closer             // whom the end of the subscription is told
}

// ended is the rare state of those that had none when they were closed.
var ended = &rare{closed: true}

// others returns the rare state, to be changed. Its callers hold s.mu, and the subscription is not closed.
func (s *Subscription) others() *rare {
	if s.rare == nil {
		s.rare = &rare{}
	}
	return s.rare
}

// over reports whether the subscription is closed. Its callers hold s.mu.
func (s *Subscription) over() bool { return s.rare != nil && s.rare.closed }

const (
	indexFrom   = 16 // so many memberships are found faster by looking at each
	shrinkAbove = 32 // lists of this size are not worth shrinking
)

// find returns the subscription's membership of that group, or nil. Its callers hold s.mu, as those of the next three do.
func (s *Subscription) find(group string) *membership {
	if s.own.group != nil && s.own.group.name == group {
		return &s.own
	}
	if s.rare == nil {
		return nil
	}
	if s.rare.index != nil {
		return s.rare.index[group]
	}
	for _, m := range s.rare.groups {
		if m.group.name == group {
			return m
		}
	}
	return nil
}

// free returns a membership to be tied to a group: the one inside the subscription, or a new one.
func (s *Subscription) free() *membership {
	if s.own.group == nil {
		return &s.own
	}
	return &membership{sub: s}
}

// record lists a membership that has been tied to its group.
func (s *Subscription) record(m *membership) {
	if m == &s.own {
		return
	}
	if s.rare == nil {
		s.rare = &rare{}
	}
	r := s.rare
	m.place = uint32(len(r.groups))
	r.groups = append(r.groups, m)
	if r.index != nil {
		r.index[m.group.name] = m
	} else if len(r.groups) > indexFrom {
		r.reindex()
	}
}

// forget takes a membership off the subscription's list.
func (s *Subscription) forget(m *membership) {
	if m != &s.own {
		s.rare.remove(m)
	}
	if m.group.feed != nil {
		delete(s.rare.seats, m)
	}
	m.group = nil
}

func (r *rare) remove(m *membership) {
	last := len(r.groups) - 1
	r.groups[m.place] = r.groups[last]
	r.groups[m.place].place = m.place
	r.groups[last] = nil
	r.groups = r.groups[:last]
	delete(r.index, m.group.name)
	if cap(r.groups) > shrinkAbove && 4*len(r.groups) < cap(r.groups) {
		r.groups = append(make([]*membership, 0, 2*len(r.groups)), r.groups...)
		r.reindex() // maps do not shrink by themselves
	}
}

func (r *rare) reindex() {
	r.index = nil
	if len(r.groups) <= indexFrom {
		return
	}
	r.index = make(map[string]*membership, len(r.groups))
	for _, m := range r.groups {
		r.index[m.group.name] = m
	}
}
