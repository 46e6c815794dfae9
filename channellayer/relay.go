package channellayer

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// publish sends a message to the other nodes. An error matches ErrBrokerDown, or ErrTooLarge if the broker can never carry it.
func (u *uplink) publish(ctx context.Context, subject, channel string, m *Message) error {
	if !u.there.Load() {
		u.mu.Lock()
		defer u.mu.Unlock()
		u.hub.counts.unpublished.Add(1)
		return u.standing(nil)
	}
	err := u.broker.Publish(ctx, subject, u.hub.seal(channel, m))
	if err == nil {
		return nil
	}
	u.hub.counts.unpublished.Add(1)
	if errors.Is(err, ErrTooLarge) {
		return err
	}
	return fmt.Errorf("%w: other nodes may not have the message: %w", ErrBrokerDown, err)
}

// seal returns the envelope of a message with the fields that are the layer's own before all others.
func (h *Hub) seal(channel string, m *Message) []byte {
	wire := Message{Type: m.Type, Kind: m.Kind, Payload: m.Payload}
	wire.Header = make(Header, 0, layerFields+len(m.Header))
	wire.Header = append(wire.Header, Field{headerNode, h.id})
	if channel != "" {
		wire.Header = append(wire.Header, Field{headerChannel, channel})
	}
	wire.Header = append(wire.Header, m.Header...)
	size := 64 + len(m.Type) + len(m.Payload)
	for _, f := range wire.Header {
		size += len(f.Key) + len(f.Value) + 4
	}
	return AppendEnvelope(make([]byte, 0, size), &wire)
}

// Message implements Receiver.
func (u *uplink) Message(subject string, envelope []byte) {
	h := u.hub
	if h.closed.Load() || sender(envelope) == h.id { // members here have had it since it was sent
		return
	}
	m, err := h.open(envelope)
	if err != nil {
		h.counts.stray.Add(1)
		return
	}
	m.deadline = h.now() + int64(h.config.Expiry)
	if token, ok := strings.CutPrefix(subject, groupSubject); ok {
		if group, err := ParseToken(token); err == nil {
			h.fanOut(group, m)
			return
		}
	}
	if subject == inboxSubject+h.id && len(m.Header) > 0 && m.Header[0].Key == headerChannel {
		channel := m.Header[0].Value
		m.Header = m.Header[1:]
		if s := h.channels.get(channel); s != nil {
			if queued, _ := s.push(m, nil, nil, h.now()); queued {
				h.counts.delivered.Add(1)
			}
			return
		}
	}
	h.counts.stray.Add(1)
}

// open is the way back from seal, but for the channel.
func (h *Hub) open(envelope []byte) (*Message, error) {
	m, err := ParseEnvelope(envelope)
	if err != nil {
		return nil, err
	}
	if len(m.Header) == 0 || m.Header[0].Key != headerNode {
		return nil, fmt.Errorf("%w: it names no node", ErrEnvelope)
	}
	m.Header = m.Header[1:]
	m.codec = h.config.Codec
	return m, nil
}

// Entry implements Receiver.
func (u *uplink) Entry(subject string, e Entry) {
	h := u.hub
	if h.closed.Load() || !strings.HasPrefix(subject, logSubject) {
		return
	}
	if f := h.history.feed(subject); f != nil {
		f.offer(e)
		f.run()
	}
}

// sender returns which node has sent an envelope, without reading the rest of it; empty if it does not say.
func sender(envelope []byte) string {
	p := parser{data: envelope, at: min(2, len(envelope))}
	p.bytes("type", MaxName)
	if p.number("number of header fields", wireHeaders) == 0 || string(p.bytes("header key", MaxName)) != headerNode {
		return ""
	}
	return string(p.bytes("header value", MaxHeaderValue))
}

// nodeOf returns the node that a channel of NewChannel belongs to, or "" for a channel that is no node's.
func nodeOf(channel string) string {
	end := strings.LastIndexByte(channel, '!')
	if end < 0 {
		return ""
	}
	node := channel[strings.LastIndexByte(channel[:end], '.')+1 : end]
	if len(node) != nodeLength || strings.Trim(node, base32Digits) != "" {
		return ""
	}
	return node
}

// elsewhere reports whether a channel belongs to another node of the layer, and which.
func (h *Hub) elsewhere(channel string) (string, bool) {
	if h.uplink == nil {
		return "", false
	}
	node := nodeOf(channel)
	return node, node != "" && node != h.id
}
