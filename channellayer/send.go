package channellayer

import (
	"context"
	"fmt"
)

// An Event is what a sender sends.
type Event struct {
	// Type is the event's name, by which receivers find its handler. It follows the rule of [CheckName]; a broadcast may leave it empty.
	Type string
	// Value is encoded by the hub's codec before the send returns, also when all receivers are in this process: the receivers share nothing with
	// the sender, and what works here works across nodes. Nil is sent as no value.
	Value any
	// Header holds fields to send along. It is copied.
	Header Header
}

// A Delivery says what became of a group send in this process. Other nodes keep counts of their own ([Stats]).
type Delivery struct {
	Delivered int // members that have the message in their queue
	Dropped   int // members with a full queue, which lost this message or, with DropOldest, an older one

	Position Position // of the message, if the group has history; the counts are zero then, since members here get it as those elsewhere do
}

// A SendOption changes one send to a group.
type SendOption interface{ apply(m *Message) }

type except []string

// Except leaves out the members with these channel names: a sender that does not want its own message passes its own.
// It takes up to [MaxHeaders] names.
func Except(channel ...string) SendOption { return except(channel) }

func (e except) apply(m *Message) {
	for _, name := range e {
		m.Header = append(m.Header, Field{HeaderExcept, name})
	}
}

// Send queues an event for the reader of one channel, in the order of the sends of each goroutine.
//
// Without a reader, the message waits for one to subscribe, within the channel's capacity and expiry. That is not so for a channel from
// [Hub.NewChannel] (its name contains "!"), whose reader is gone for good: the error matches [ErrNoSubscriber].
// With a broker, a channel that another node's NewChannel made is sent to that node. Whether it has a reader there, and room, the sender does not
// learn; that the broker is away it does, from an error that matches [ErrBrokerDown]. A name that people agreed on is this process's own: nodes do not share its readers.
//
// A full channel is a [ChannelFullError]; with [DropOldest] it is none. Other errors match [ErrInvalidName], [ErrTooLarge], [ErrClosed], or are
// the codec's or the context's.
func (h *Hub) Send(ctx context.Context, channel string, ev Event) error {
	if err := checkName("channel name", channel); err != nil {
		return err
	}
	m, err := h.message(ctx, KindEvent, ev, nil)
	if err != nil {
		return err
	}
	s := h.channels.get(channel)
	if node, ok := h.elsewhere(channel); ok && s == nil {
		return h.uplink.publish(ctx, inboxSubject+node, channel, m)
	}
	for {
		if s != nil {
			queued, dropped := s.push(m, nil, nil, h.now())
			if queued {
				h.counts.delivered.Add(1)
				return nil
			}
			if dropped {
				return &ChannelFullError{Channel: channel, Capacity: s.class.capacity}
			}
		}
		// Nobody reads it, or its reader has just closed: look again, and keep the message in one step.
		if s, err = h.channels.absent(channel, func() error { return h.keep(channel, m) }); s == nil {
			return err
		}
	}
}

func (h *Hub) keep(channel string, m *Message) error {
	if personal(channel) {
		return fmt.Errorf("%w: channel %q", ErrNoSubscriber, channel)
	}
	return h.unclaimed.keep(channel, m)
}

// GroupSend queues an event for every member of a group, each of which handles it by its type. A member whose queue is full loses a
// message by its own policy, and is counted; that is no error, and neither is a group without members. The counts are of this process.
// The errors match [ErrInvalidName], [ErrTooLarge], [ErrClosed], or are the codec's or the context's; then nobody has the message.
//
// With a broker, other nodes get it in one publish, however many members they have. An error that matches [ErrBrokerDown] says that they
// may not have it; the members here do, and the counts hold. So it is if the broker's own limit is lower than the layer's, with an error that matches ErrTooLarge.
//
// A message for a group with history (Config.History) is stored before the send returns, and comes to all members, those here included, in the order in which the log has it. An error
// that matches [ErrUnconfirmed] says that it may be stored or not, and with the broker away it is not. A message with the [HeaderIdempotencyKey] of one that was sent to the group
// within [DedupWindow] is that one: it is not sent again.
func (h *Hub) GroupSend(ctx context.Context, group string, ev Event, options ...SendOption) (Delivery, error) {
	return h.groupSend(ctx, group, KindEvent, ev, options)
}

// Broadcast is [Hub.GroupSend] for a message that is written to each member's client with no handler in between.
// It keeps its place: what was queued before is handled before.
func (h *Hub) Broadcast(ctx context.Context, group string, ev Event, options ...SendOption) (Delivery, error) {
	return h.groupSend(ctx, group, KindBroadcast, ev, options)
}

func (h *Hub) groupSend(ctx context.Context, group string, kind Kind, ev Event, options []SendOption) (Delivery, error) {
	if err := checkName("group name", group); err != nil {
		return Delivery{}, err
	}
	m, err := h.message(ctx, kind, ev, options)
	if err != nil {
		return Delivery{}, err
	}
	if keep, ok := h.history.of(group); ok {
		return h.history.send(ctx, group, keep, m)
	}
	d := h.fanOut(group, m)
	if h.uplink != nil && !h.local(group) {
		err = h.uplink.publish(ctx, groupSubject+Token(group), "", m)
	}
	return d, err
}

// fanOut queues a message for the members of a group that live here. It holds the lock of one of them at a time.
func (h *Hub) fanOut(group string, m *Message) Delivery {
	var d Delivery
	m.Group = group // nobody else has it yet
	g, members, view := h.groups.read(group)
	if g == nil {
		return d
	}
	defer view.release()
	to, err := h.audience(m)
	if err != nil { // of another node: the sender checks its own
		h.counts.stray.Add(1)
		return d
	}
	all := to.everybody()
	now := h.now()
	for _, mb := range members {
		if !all && !to.includes(mb.sub) {
			continue
		}
		queued, dropped := mb.sub.push(m, mb, g, now)
		if queued {
			d.Delivered++
		}
		if dropped {
			d.Dropped++
		}
	}
	h.counts.delivered.Add(uint64(d.Delivered))
	return d
}

// message makes the message that all receivers share. Everything that can be wrong with an event is an error here, at the sender.
func (h *Hub) message(ctx context.Context, kind Kind, ev Event, options []SendOption) (*Message, error) {
	if h.closed.Load() {
		return nil, ErrClosed
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if kind == KindEvent || ev.Type != "" {
		if err := checkName("event type", ev.Type); err != nil {
			return nil, err
		}
	}
	m := &Message{Type: ev.Type, Kind: kind, Header: append(Header(nil), ev.Header...), codec: h.config.Codec}
	for _, o := range options {
		o.apply(m)
	}
	if err := m.Header.check(); err != nil {
		return nil, err
	}
	if _, err := m.Header.where(); err != nil {
		return nil, err
	}
	if ev.Value != nil {
		var err error
		if m.Payload, err = h.config.Codec.Encode(ev.Value); err != nil {
			return nil, fmt.Errorf("channellayer: encode %q: %w", ev.Type, err)
		}
	}
	if len(m.Payload) > MaxPayload {
		return nil, fmt.Errorf("%w: %q has a payload of %d bytes, at most %d are allowed", ErrTooLarge, ev.Type, len(m.Payload), MaxPayload)
	}
	m.deadline = h.now() + int64(h.config.Expiry)
	return m, nil
}

// GroupAdd makes the reader of a channel of this process a member of a group, as [Subscription.Join] does, for those who know only the channel's name.
// The membership is the reader's and ends with it; without a reader the error matches [ErrNoSubscriber].
func (h *Hub) GroupAdd(ctx context.Context, group, channel string) error {
	s, err := h.reader(channel)
	if err != nil {
		return err
	}
	return s.Join(ctx, group)
}

// GroupDiscard ends the membership of a channel's reader in a group, as [Subscription.Leave] does. If there is no such reader or membership, it does nothing.
func (h *Hub) GroupDiscard(ctx context.Context, group, channel string) error {
	if err := checkName("channel name", channel); err != nil {
		return err
	}
	if err := checkName("group name", group); err != nil {
		return err
	}
	if h.closed.Load() {
		return ErrClosed
	}
	if s := h.channels.get(channel); s != nil {
		return s.Leave(ctx, group)
	}
	return nil
}
