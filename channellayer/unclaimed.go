package channellayer

import (
	"container/list"
	"sync"
	"time"
)

// unclaimed keeps the messages that were sent to a channel before anybody read it. One list in the order of
// their deadlines (all messages live equally long) and one timer for its front clean up after all channels; there is no timer when nothing waits.
// Lock order: a shard of channels, then unclaimed.
type unclaimed struct {
	hub   *Hub
	limit int

	mu     sync.Mutex
	order  *list.List                 // of unclaimedMessage
	by     map[string][]*list.Element // per channel, oldest first; never an empty slice
	timer  *time.Timer                // nil until something waits
	closed bool
}

type unclaimedMessage struct {
	channel string
	*Message
}

func newUnclaimed(h *Hub, limit int) *unclaimed {
	return &unclaimed{hub: h, limit: limit, order: list.New(), by: map[string][]*list.Element{}}
}

// keep adds a message for a channel without a reader, or drops the one that the overflow policy says.
func (u *unclaimed) keep(channel string, m *Message) error {
	c := u.hub.classOf(channel)
	lost, err := u.put(c, channel, m)
	if lost != nil {
		u.hub.lost(channel, lost, DropFull)
	}
	return err
}

// put is keep under the lock; it returns the message that had to go.
func (u *unclaimed) put(c *class, channel string, m *Message) (*Message, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.closed {
		return nil, ErrClosed
	}
	var lost *Message
	waiting := u.by[channel]
	switch {
	case len(waiting) >= c.capacity && c.overflow == DropOldest:
		lost = u.removeFirst(channel)
	case len(waiting) >= c.capacity:
		return m, &ChannelFullError{Channel: channel, Capacity: c.capacity}
	case u.order.Len() >= u.limit:
		return m, &ChannelFullError{Channel: channel, Capacity: u.limit}
	}
	u.by[channel] = append(u.by[channel], u.order.PushBack(unclaimedMessage{channel, m}))
	if u.order.Len() == 1 {
		u.arm(m)
	}
	return lost, nil
}

// removeFirst takes out a channel's oldest message.
func (u *unclaimed) removeFirst(channel string) *Message {
	waiting := u.by[channel]
	m := u.order.Remove(waiting[0]).(unclaimedMessage).Message
	waiting[0] = nil
	if u.by[channel] = waiting[1:]; len(waiting) == 1 {
		delete(u.by, channel)
	}
	return m
}

// claim hands all messages of a channel to its new reader.
func (u *unclaimed) claim(channel string, f func(*Message)) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for len(u.by[channel]) > 0 {
		f(u.removeFirst(channel))
	}
	if u.order.Len() == 0 && u.timer != nil {
		u.timer.Stop()
	}
}

// arm sets the timer for the message at the front.
func (u *unclaimed) arm(m *Message) {
	in := time.Duration(m.deadline - u.hub.now())
	if u.timer == nil {
		u.timer = time.AfterFunc(in, u.sweep)
	} else {
		u.timer.Reset(in)
	}
}

// sweep drops what has expired.
func (u *unclaimed) sweep() {
	for _, e := range u.expired() {
		u.hub.lost(e.channel, e.Message, DropExpired)
	}
}

func (u *unclaimed) expired() []unclaimedMessage {
	u.mu.Lock()
	defer u.mu.Unlock()
	var all []unclaimedMessage
	now := u.hub.now()
	for front := u.order.Front(); front != nil; front = u.order.Front() {
		e := front.Value.(unclaimedMessage)
		if !e.expired(now) {
			u.arm(e.Message)
			break
		}
		u.removeFirst(e.channel)
		all = append(all, e)
	}
	return all
}

func (u *unclaimed) count() int {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.order.Len()
}

// close forgets everything and refuses more.
func (u *unclaimed) close() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.closed = true
	u.order.Init()
	clear(u.by)
	if u.timer != nil {
		u.timer.Stop()
	}
}
