package channellayer

import (
	"context"
	"errors"
	"sync"
)

// A Subscription is the one reader of a channel: a bounded queue of messages, and the groups whose messages come into it.
// Its methods are safe for concurrent use; each message is returned once, whoever asks.
type Subscription struct {
	class  *class // never changes, as reader does not
	reader Reader
	mu     sync.Mutex // held for moments only: senders take it
	queue  queue
	own    membership // the first of its groups; most have no other
	rare   *rare      // nil until it is needed; then it stays
}

func newSubscription(c *class, r Reader) *Subscription {
	s := &Subscription{class: c, reader: r}
	s.own.sub = s
	return s
}

// newNamed returns the subscription of a channel whose name people agreed on.
func newNamed(c *class, name string, wake func()) *Subscription {
	r := &named{name: name, wake: wake}
	if wake == nil {
		r.ready = make(chan struct{}, 1)
	}
	return newSubscription(c, r)
}

// key is called for a subscription with a name: it does not change any more.
func (s *Subscription) key() string {
	if r, ok := s.reader.(*named); ok {
		return r.name
	}
	return s.rare.name
}

func (s *Subscription) wake() { s.reader.Wake() }

// Next returns the oldest message that waits, or false if there is none. It does not block. Expired messages are dropped and counted.
// An owner that stops before it got false has to come back by itself: wake is called for an empty queue only.
func (s *Subscription) Next() (*Message, bool) {
	m, _, _ := s.next()
	return m, m != nil
}

// next is Next, and tells whether more messages wait and whether the subscription is closed.
func (s *Subscription) next() (m *Message, more, closed bool) {
	h := s.class.hub
	for {
		s.mu.Lock()
		m, closed = s.queue.pop(&h.rings), s.over()
		more = s.queue.first != nil
		s.mu.Unlock()
		if m == nil || !m.expired(h.now()) {
			return m, more, closed
		}
		h.lost(s.label(), m, DropExpired)
	}
}

// Receive returns the oldest message, and waits for it if need be. It is for programs that have a goroutine to spare: jobs, workers, tests.
// Several goroutines may call it; each message goes to one of them, and a call that is cancelled loses none.
// The errors are the context's, and [ErrClosed]. A subscription with a wake function has no Receive, which is an error too.
func (s *Subscription) Receive(ctx context.Context) (*Message, error) {
	ready := s.ready()
	if ready == nil {
		return nil, errors.New("channellayer: Receive on a subscription that has a wake function: use Next, or subscribe with nil")
	}
	for {
		m, more, closed := s.next()
		if more || closed {
			signal(ready) // for the next reader: a signal is sent for the first message only
		}
		if m != nil {
			return m, nil
		}
		if closed {
			return nil, ErrClosed
		}
		select {
		case <-ready:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// ready returns what Receive waits on, or nil if somebody else is woken.
func (s *Subscription) ready() chan struct{} {
	if r, ok := s.reader.(*named); ok {
		return r.ready
	}
	return nil
}

func signal(ready chan<- struct{}) {
	select {
	case ready <- struct{}{}:
	default:
	}
}

// Join makes the subscription a member of a group until it leaves or is closed. When it has returned, every later send to the group
// reaches the member. Joining again does nothing. The errors match [ErrInvalidName], [ErrClosed], or are the context's.
//
// With a broker it waits for the broker's confirmation, so that the sends of all nodes count. An error that matches [ErrBrokerDown] says that the membership holds, but
// in this process only until the broker is back, which a [LayerEvent] tells. It holds as well when the context ends during the wait.
func (s *Subscription) Join(ctx context.Context, group string) error {
	if err := checkName("group name", group); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return s.joinConfirmed(ctx, group, false)
}

// joinConfirmed is Join for a name that has been checked. A silent member gets nothing from a group with history until it resumes.
func (s *Subscription) joinConfirmed(ctx context.Context, group string, silent bool) error {
	if err := s.join(group, silent); err != nil {
		return err
	}
	if u := s.class.hub.uplink; u != nil {
		if err := u.confirmed(ctx, group); err != nil {
			return err
		}
	}
	return s.settled(ctx, group)
}

// join is Join in this process.
func (s *Subscription) join(group string, silent bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over() {
		return ErrClosed
	}
	m := s.find(group)
	if m == nil {
		m = s.free()
		s.class.hub.groups.join(m, group)
		s.record(m)
		if m.group.feed != nil {
			s.sit(m, Position{})
		}
	}
	if silent {
		s.rare.seats[m].lapsed = true
	}
	return nil
}

// Leave ends a membership. When it has returned, nothing more is queued from the group; what was queued before is still there.
// Leaving a group that was never joined does nothing. The errors match [ErrInvalidName] or [ErrClosed]; a cancelled context does not
// stop it from leaving.
func (s *Subscription) Leave(_ context.Context, group string) error {
	if err := checkName("group name", group); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over() {
		return ErrClosed
	}
	if m := s.find(group); m != nil {
		s.class.hub.groups.leave(m, m.group)
		s.forget(m)
	}
	return nil
}

// Close gives up the channel's name, leaves all groups and drops what is still queued. It wakes those who wait in Receive.
// Calling it again does nothing.
func (s *Subscription) Close() { s.close() }

func (s *Subscription) close() {
	h := s.class.hub
	s.mu.Lock()
	if s.over() {
		s.mu.Unlock()
		return
	}
	h.nameless.remove(s)
	if s.isNamed() {
		h.channels.remove(s) // now, so that a sender who finds it closed does not find it again
	}
	if s.rare == nil {
		s.rare = ended
	} else {
		s.rare.closed = true
	}
	waiting := s.queue
	s.queue = queue{}
	own, r := s.own.group, s.rare
	var closers []*closer
	if r != ended {
		closers, r.closers = r.closers, nil
	}
	s.mu.Unlock()

	// Nobody ties or unties a membership of a closed subscription, so this needs no lock that a sender could wait for.
	if own != nil {
		h.groups.leave(&s.own, own)
	}
	for _, m := range r.groups {
		h.groups.leave(m, m.group)
	}
	if ready := s.ready(); ready != nil {
		signal(ready)
	}
	for m := waiting.pop(&h.rings); m != nil; m = waiting.pop(&h.rings) {
		h.lost(s.label(), m, DropClosed)
	}
	for _, c := range closers {
		c.f()
	}
}

// push queues a message, and wakes the owner if it was the first. It reports whether the message is queued, and whether one was lost
// because the queue was full; neither means that the subscription has gone, or has left the group that the message is for.
func (s *Subscription) push(m *Message, from *membership, g *group, now int64) (queued, dropped bool) {
	h := s.class.hub
	s.mu.Lock()
	if s.over() || from != nil && from.group != g {
		s.mu.Unlock()
		return false, false
	}
	n := s.queue.len()
	if n < s.class.capacity {
		s.queue.push(m, &h.rings)
		s.mu.Unlock()
		if n == 0 {
			s.wake()
		}
		return true, false
	}
	lost, why := m, DropFull
	if s.queue.first.expired(now) {
		lost, why = s.queue.first, DropExpired
	} else if s.class.overflow == DropOldest {
		lost = s.queue.first
	}
	if lost != m {
		s.queue.pop(&h.rings)
		s.queue.push(m, &h.rings)
	}
	s.mu.Unlock()
	h.lost(s.label(), lost, why)
	return lost != m, why == DropFull
}
