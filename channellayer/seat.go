package channellayer

import (
	"fmt"
	"math"
)

// A place is where in its group's history a message stands.
type place struct {
	position Position
	before   Position // of the message before it; zero if that is not known
}

// Position returns the message's place in its group's history, and the zero Position for a message of a group without, and of a channel. A client that
// keeps the position of the last message it had can have what it missed with [Subscription.JoinFrom].
func (m *Message) Position() Position {
	if m.place == nil {
		return Position{}
	}
	return m.place.position
}

// of reports whether the message is from the history of a group.
func (m *Message) of(group string) bool { return m.place != nil && m.Group == group }

// A seat is what a member of a group with history has beside its membership. Its fields are guarded by the subscription's lock.
type seat struct {
	after  uint64   // deliveries of the feed up to this number are not for the member
	from   Position // entries of this epoch up to this offset are not for it either: its client had them elsewhere
	lapsed bool     // it gets nothing until it says from where: its queue was full, or it has yet to recover
}

// takes reports whether a delivery is for the member.
func (t *seat) takes(m *Message, number uint64) bool {
	if t.lapsed || number <= t.after {
		return false
	}
	return m.place == nil || m.place.position.Epoch != t.from.Epoch || m.place.position.Offset > t.from.Offset
}

// sit gives a membership its seat at the place where the feed is, and returns that place. The caller holds s.mu, and has made the membership known to the group: so the feed's next delivery is for it,
// and none before.
func (s *Subscription) sit(m *membership, from Position) (Position, *seat) {
	if s.rare == nil {
		s.rare = &rare{}
	}
	if s.rare.seats == nil {
		s.rare.seats = map[*membership]*seat{}
	}
	at, number := m.group.feed.place()
	t := &seat{after: number, from: from}
	s.rare.seats[m] = t
	return at, t
}

// pushEntry queues an entry's message, and wakes the owner if it was the first. A member whose queue is full gets no more from the group, and is told so behind what it has: where
// there is a log nothing needs to be lost.
func (s *Subscription) pushEntry(m *Message, from *membership, g *group, number uint64) (queued bool) {
	h := s.class.hub
	s.mu.Lock()
	if s.over() || from.group != g || !s.rare.seats[from].takes(m, number) {
		s.mu.Unlock()
		return false
	}
	n := s.queue.len()
	queued = n < s.class.capacity
	if queued {
		s.queue.push(m, &h.rings)
	} else {
		s.rare.seats[from].lapsed = true
		s.queue.push(LayerEvent{Up: true, Group: g.name, Gap: GapSlow, Position: m.place.before}.message(), &h.rings)
	}
	s.mu.Unlock()
	if n == 0 {
		s.wake()
	}
	if !queued {
		h.counts.gaps.Add(1)
	}
	return queued
}

// entry makes the message of an entry.
func (h *Hub) entry(group string, e Entry, before Position) (*Message, error) {
	m, err := h.open(e.Envelope)
	if err != nil {
		return nil, err
	}
	m.Group = group
	m.place = &place{position: e.Position, before: before}
	m.deadline = math.MaxInt64 // who falls behind is told so, and asks the log
	return m, nil
}

// deliver queues an entry for the members of its group. It holds the lock of one of them at a time.
func (h *Hub) deliver(f *feed, t turn) {
	m, err := h.entry(f.name, t.Entry, t.before)
	if err != nil {
		h.counts.stray.Add(1)
		return
	}
	to, err := h.audience(m)
	if err != nil {
		h.counts.stray.Add(1)
		return
	}
	all := to.everybody()
	delivered := 0
	h.eachMember(f, func(mb *membership, g *group) {
		if (all || to.includes(mb.sub)) && mb.sub.pushEntry(m, mb, g, t.number) {
			delivered++
		}
	})
	h.counts.delivered.Add(uint64(delivered))
}

// tellGap queues the news of a gap, in the place of a delivery, for the members of a feed's group.
func (h *Hub) tellGap(f *feed, ev LayerEvent, number uint64) {
	m := ev.message()
	h.eachMember(f, func(mb *membership, g *group) {
		if mb.sub.pushGap(m, mb, g, number) {
			h.counts.gaps.Add(1)
		}
	})
}

// pushGap queues the news of a gap, also in a full queue: there is at most one of them until more entries come, for which there would have to be room.
func (s *Subscription) pushGap(m *Message, from *membership, g *group, number uint64) bool {
	s.mu.Lock()
	if s.over() || from.group != g || !s.rare.seats[from].takes(m, number) {
		s.mu.Unlock()
		return false
	}
	n := s.queue.len()
	s.queue.push(m, &s.class.hub.rings)
	s.mu.Unlock()
	if n == 0 {
		s.wake()
	}
	return true
}

// eachMember calls visit for the members that a feed's group has at this moment.
func (h *Hub) eachMember(f *feed, visit func(mb *membership, g *group)) {
	g, members, view := h.groups.read(f.name)
	if g == nil {
		return
	}
	defer view.release()
	if g.feed != f {
		return
	}
	for _, mb := range members {
		visit(mb, g)
	}
}

// resume seats a member where the feed is, takes what it has queued from the group out, and returns that place.
func (s *Subscription) resume(group string, had Position) (Position, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := s.find(group)
	switch {
	case s.over():
		return Position{}, ErrClosed
	case m == nil:
		return Position{}, fmt.Errorf("%w: group %q was left during JoinFrom", ErrNoSubscriber, group)
	}
	h := s.class.hub
	for range s.queue.len() {
		if waiting := s.queue.pop(&h.rings); !waiting.of(group) && !waiting.gapOf(group) {
			s.queue.push(waiting, &h.rings)
		}
	}
	at, _ := s.sit(m, had)
	return at, nil
}

// gapOf reports whether the message is the news of a gap in the history of a group.
func (m *Message) gapOf(group string) bool { return m.layer != nil && m.layer.Group == group }
