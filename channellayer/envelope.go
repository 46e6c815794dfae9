package channellayer

import (
	"encoding/binary"
	"fmt"
)

// EnvelopeVersion is the version that [AppendEnvelope] writes, and the only one that [ParseEnvelope] reads.
const EnvelopeVersion = 1

// MaxPayload is the greatest length of a message's payload, in bytes.
const MaxPayload = 16 << 20

// AppendEnvelope appends the message to dst in the form in which it travels between nodes, and returns the longer slice. Version 1 is
//
//	version   1 byte, 1
//	kind      1 byte, 0 event, 1 broadcast
//	type      length, bytes: a name (CheckName), or empty in a broadcast
//	fields    number of header fields, at most MaxHeaders + 2, and for each
//	  key     length, bytes: a name
//	  value   length, bytes: at most MaxHeaderValue
//	payload   length, bytes: at most MaxPayload, and nothing after them
//
// where lengths and numbers are unsigned varints (encoding/binary) of the shortest form, so that a message has one encoding. The channel or
// group is not part of it: it is the subject under which the broker carries the envelope. The first field of what a node publishes is
// portico-node, its id; the second, in an envelope for one channel, is portico-channel. The message must be one that a hub or ParseEnvelope made.
func AppendEnvelope(dst []byte, m *Message) []byte {
	dst = append(dst, EnvelopeVersion, byte(m.Kind))
	dst = appendString(dst, m.Type)
	dst = binary.AppendUvarint(dst, uint64(len(m.Header)))
	for _, f := range m.Header {
		dst = appendString(dst, f.Key)
		dst = appendString(dst, f.Value)
	}
	dst = binary.AppendUvarint(dst, uint64(len(m.Payload)))
	return append(dst, m.Payload...)
}

func appendString(dst []byte, s string) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(s))), s...)
}

// ParseEnvelope reads what [AppendEnvelope] wrote. The message shares no memory with data. Every length is checked before anything is allocated for it.
// The error matches [ErrEnvelope], and tells an unknown version from damage.
func ParseEnvelope(data []byte) (*Message, error) {
	m, err := parseEnvelope(data)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrEnvelope, err)
	}
	return m, nil
}

func parseEnvelope(data []byte) (*Message, error) {
	if len(data) < 2 {
		return nil, fmt.Errorf("it has %d bytes, expected a version and a kind at least", len(data))
	}
	if data[0] != EnvelopeVersion {
		return nil, fmt.Errorf("version %d is unknown, expected %d: another node runs another release", data[0], EnvelopeVersion)
	}
	m := &Message{Kind: Kind(data[1])}
	if m.Kind > KindBroadcast {
		return nil, fmt.Errorf("kind %d is unknown", data[1])
	}
	p := parser{data: data, at: 2}
	m.Type = p.text("type", MaxName)
	m.Header = p.header()
	payload := p.bytes("payload", MaxPayload)
	switch {
	case p.err != nil:
		return nil, p.err
	case p.at != len(data):
		return nil, fmt.Errorf("%d bytes follow the payload", len(data)-p.at)
	case m.Type != "" || m.Kind == KindEvent:
		if err := checkName("event type", m.Type); err != nil {
			return nil, err
		}
	}
	m.Payload = append([]byte(nil), payload...)
	return m, nil
}

// A parser reads an envelope from front to back. After the first error it returns nothing more.
type parser struct {
	data []byte
	at   int
	err  error
}

func (p *parser) header() Header {
	n := p.number("number of header fields", wireHeaders)
	if n == 0 {
		return nil
	}
	h := make(Header, 0, n)
	for range n {
		f := Field{Key: p.text("header key", MaxName), Value: p.text("header value", MaxHeaderValue)}
		if p.err == nil {
			p.err = checkName("header key", f.Key)
		}
		if p.err != nil {
			return nil
		}
		h = append(h, f)
	}
	return h
}

func (p *parser) text(what string, limit int) string { return string(p.bytes(what, limit)) }

// bytes returns the next length-prefixed bytes, as a part of data.
func (p *parser) bytes(what string, limit int) []byte {
	n := p.number("length of the "+what, limit)
	if p.err != nil {
		return nil
	}
	if n > len(p.data)-p.at {
		p.err = fmt.Errorf("the %s has %d bytes, but only %d are left", what, n, len(p.data)-p.at)
		return nil
	}
	p.at += n
	return p.data[p.at-n : p.at]
}

func (p *parser) number(what string, limit int) int {
	if p.err != nil {
		return 0
	}
	v, n := binary.Uvarint(p.data[p.at:])
	switch {
	case n <= 0:
		p.err = fmt.Errorf("the %s is cut off or too long", what)
	case n > 1 && p.data[p.at+n-1] == 0:
		p.err = fmt.Errorf("the %s is not in its shortest form", what)
	case v > uint64(limit):
		p.err = fmt.Errorf("the %s is %d, at most %d is allowed", what, v, limit)
	default:
		p.at += n
		return int(v)
	}
	return 0
}
