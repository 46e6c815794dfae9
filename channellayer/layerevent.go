package channellayer

import (
	"math"
	"time"
)

// A LayerEvent tells those who are in groups that other nodes cannot be reached, or can be again. It comes as a [Message] of [KindLayer], in the queue
// of every subscriber that is in a group at that moment: one when the broker goes, and one when it is back. A hub without a broker sends none.
//
// Members of a group with history get another one, with Group set, in its place among the group's messages, when they do not get all of it. Without one they miss nothing: what was sent
// while the broker was away, or this node cut off from it, comes when it is back.
type LayerEvent struct {
	// Up is false when the broker has gone: messages to and from other nodes are lost from Since on, those within this process are not. It is true
	// when everything that this node subscribed to is subscribed to again: what other nodes sent between Since and now may be missing.
	Up bool
	// Since is when the connection was found broken.
	Since time.Time
	// Err is why, for logs: it may name servers. It is nil when Up is true.
	Err error
	// Group is the group with history that the event is about, with Up true; empty for the layer as a whole.
	Group string
	// Gap is why the member does not get all of the Group's messages: some are missing before the next one (GapTrimmed, GapEpoch, GapLost), or none come any more since its
	// queue was full (GapSlow), which Subscription.JoinFrom mends.
	Gap Gap
	// Position is, with GapSlow, that of the last message that was queued, from where JoinFrom goes on.
	Position Position
}

// message returns the event as what all its receivers share. It does not expire: who was away for long has to know.
func (ev LayerEvent) message() *Message {
	name := "layer.down"
	switch {
	case ev.Group != "":
		name = "layer.gap"
	case ev.Up:
		name = "layer.up"
	}
	return &Message{Type: name, Kind: KindLayer, deadline: math.MaxInt64, layer: &ev}
}

// Layer returns what a message of [KindLayer] says, and false for every other.
func (m *Message) Layer() (LayerEvent, bool) {
	if m.layer == nil {
		return LayerEvent{}, false
	}
	return *m.layer, true
}

// pushLayer queues a LayerEvent for a subscriber that is in a group. In a full queue it takes the place of the oldest message, whatever the policy: who
// is slow must not miss that there is a gap.
func (s *Subscription) pushLayer(m *Message) {
	h := s.class.hub
	s.mu.Lock()
	if s.over() || s.own.group == nil && (s.rare == nil || len(s.rare.groups) == 0) {
		s.mu.Unlock()
		return
	}
	n := s.queue.len()
	var lost *Message
	if n >= s.class.capacity {
		lost = s.queue.pop(&h.rings)
	}
	s.queue.push(m, &h.rings)
	s.mu.Unlock()
	if n == 0 {
		s.wake()
	}
	if lost != nil {
		h.lost(s.label(), lost, DropFull)
	}
}
