package channellayer

import (
	"crypto/rand"
	"fmt"
	"hash/maphash"
	"sync/atomic"
	"time"
)

// A Hub is the channel layer of one process: it knows the subscribers and groups that live here and delivers to them.
// With a [Broker] several hubs, one in each process, form one layer: each is a node of it.
// All methods are safe for concurrent use. None waits for a subscriber.
type Hub struct {
	config    Config
	id        string // of this node; part of the names that NewChannel makes
	start     time.Time
	classes   []*class
	channels  channels
	nameless  nameless
	groups    groups
	unclaimed *unclaimed
	history   *history
	rings     ringPool
	counts    counts
	uplink    *uplink // nil without a broker
	closed    atomic.Bool
}

// The form of a node's id: 65 bits from crypto/rand.
const (
	nodeLength   = 13
	base32Digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
)

// New returns a hub, or an error that names the field of the configuration that is wrong. Close it when done.
//
// Without a broker it starts no goroutine. With one it waits up to 5 s for the first connection; a broker that is away then is no error, and is tried
// again until Close.
func New(c Config) (*Hub, error) {
	c, err := c.withDefaults()
	if err != nil {
		return nil, err
	}
	h := &Hub{config: c, id: rand.Text()[:nodeLength], start: time.Now()}
	if h.classes, err = c.classes(h); err != nil {
		return nil, err
	}
	h.channels.seed, h.groups.seed = maphash.MakeSeed(), maphash.MakeSeed()
	h.groups.hub = h
	h.unclaimed = newUnclaimed(h, c.Unclaimed)
	if h.history, err = newHistory(h); err != nil {
		return nil, err
	}
	if c.Broker != nil {
		if h.uplink, err = startUplink(h, c.Broker); err != nil {
			return nil, err
		}
		h.groups.uplink = h.uplink
	}
	return h, nil
}

// NewChannel returns a name that nobody else has or can guess, for the channel of one connection: the prefix, this node, "!", and at least 128 bits
// from crypto/rand. It registers nothing; pass the name to [Hub.Subscribe], which also checks it, so that a bad prefix is reported
// there. The prefix tells people what the channel is ("websocket"), and is up to 200 bytes.
func (h *Hub) NewChannel(prefix string) string {
	return prefix + "." + h.id + "!" + rand.Text()
}

// Subscribe makes its caller the one reader of the named channel in this hub. If wake is nil, read with [Subscription.Receive].
//
// Otherwise wake is called each time that the channel's queue stops being empty, by the sending goroutine and with no lock held. It
// must not block: it notes that there is something to do, and the owner later calls [Subscription.Next] until there is no more. It may be called before
// Subscribe returns, and is, when messages were waiting for the name; a late call may still come after Close.
//
// The errors match [ErrInvalidName], [ErrSubscribed] or [ErrClosed]. Close the subscription when done.
func (h *Hub) Subscribe(name string, wake func()) (*Subscription, error) {
	if err := checkName("channel name", name); err != nil {
		return nil, err
	}
	s := newNamed(h.classOf(name), name, wake)
	claimed := 0
	err := h.channels.add(s, func() {
		h.unclaimed.claim(name, func(m *Message) {
			s.queue.push(m, &h.rings)
			claimed++
		})
	})
	if err != nil {
		return nil, err
	}
	if claimed > 0 {
		h.counts.delivered.Add(uint64(claimed))
		s.wake()
	}
	return s, nil
}

// Close closes the broker and all subscriptions and drops all messages. Later calls return [ErrClosed]. Calling it again does nothing.
// The error is the broker's.
func (h *Hub) Close() error {
	if h.closed.Swap(true) {
		return nil
	}
	h.history.end()
	var err error
	if h.uplink != nil {
		err = h.uplink.close()
	}
	h.history.wait()
	h.nameless.close((*Subscription).close)
	for _, s := range h.channels.close() {
		s.close()
	}
	h.unclaimed.close()
	return err
}

// now is the time on the hub's clock, in nanoseconds. It is monotonic.
func (h *Hub) now() int64 { return int64(time.Since(h.start)) }

// expired reports whether a message is too old to be delivered.
func (m *Message) expired(now int64) bool { return m.deadline <= now }

// reader returns the subscription of a channel of this hub.
func (h *Hub) reader(channel string) (*Subscription, error) {
	if err := checkName("channel name", channel); err != nil {
		return nil, err
	}
	if h.closed.Load() {
		return nil, ErrClosed
	}
	s := h.channels.get(channel)
	if s == nil {
		return nil, fmt.Errorf("%w: channel %q is not read in this process; subscribe to it first", ErrNoSubscriber, channel)
	}
	return s, nil
}
