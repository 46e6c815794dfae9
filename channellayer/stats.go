package channellayer

import (
	"fmt"
	"sync/atomic"
)

// A DropReason says why a message was lost.
type DropReason uint8

const (
	// DropFull means that the channel's queue was full.
	DropFull DropReason = iota + 1
	// DropExpired means that the message waited for longer than Config.Expiry.
	DropExpired
	// DropClosed means that the subscription was closed while the message waited.
	DropClosed
)

// String returns "full", "expired" or "closed".
func (r DropReason) String() string {
	switch r {
	case DropFull:
		return "full"
	case DropExpired:
		return "expired"
	case DropClosed:
		return "closed"
	}
	return fmt.Sprintf("reason %d", uint8(r))
}

// A Drop is one message that one channel lost.
type Drop struct {
	Channel string
	Message *Message // shared with other receivers: read-only
	Reason  DropReason
}

// Stats are a hub's counters since New, and its sizes now.
type Stats struct {
	Delivered   uint64 // messages put into subscribers' queues; one send to a group of ten counts ten
	Dropped     uint64 // lost because a queue was full
	Expired     uint64 // lost because they waited too long
	Closed      uint64 // lost because their subscription was closed before they were read
	Subscribers int    // open subscriptions
	Groups      int    // groups with a member
	Unclaimed   int    // messages that wait for a channel's first reader
	Unpublished uint64 // sends that the broker did not take
	Recovered   uint64 // recoveries that were exact
	Unrecovered uint64 // recoveries that were not, those of first joins among them
	Gaps        uint64 // members who were told of a gap in a group's history
	Logs        int    // groups whose history is in this process; a hub with a broker has none
	Stray       uint64 // envelopes of other nodes that were damaged, or for a channel that has gone
	BrokerUp    bool   // there is a broker, and it is connected
}

type counts struct {
	delivered, dropped, expired, closed, unpublished, stray atomic.Uint64
	recovered, unrecovered, gaps                            atomic.Uint64
}

// Stats returns the counters. Each is exact, but they are not read at one instant.
func (h *Hub) Stats() Stats {
	logs := 0
	if h.history.memory != nil {
		logs = h.history.memory.count()
	}
	return Stats{
		Recovered:   h.counts.recovered.Load(),
		Unrecovered: h.counts.unrecovered.Load(),
		Gaps:        h.counts.gaps.Load(),
		Logs:        logs,
		Delivered:   h.counts.delivered.Load(),
		Dropped:     h.counts.dropped.Load(),
		Expired:     h.counts.expired.Load(),
		Closed:      h.counts.closed.Load(),
		Subscribers: h.channels.count() + h.nameless.count(),
		Groups:      h.groups.count(),
		Unclaimed:   h.unclaimed.count(),
		Unpublished: h.counts.unpublished.Load(),
		Stray:       h.counts.stray.Load(),
		BrokerUp:    h.uplink != nil && h.uplink.there.Load(),
	}
}

// lost counts a message that will not be read, and tells the observer. Its callers hold no lock of a subscription.
func (h *Hub) lost(channel string, m *Message, why DropReason) {
	switch why {
	case DropFull:
		h.counts.dropped.Add(1)
	case DropExpired:
		h.counts.expired.Add(1)
	case DropClosed:
		h.counts.closed.Add(1)
	}
	if h.config.Observer != nil {
		h.config.Observer(Drop{Channel: channel, Message: m, Reason: why})
	}
}
