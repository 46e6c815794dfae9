package channellayer

import (
	"fmt"
	"reflect"
)

// A Kind says what becomes of a message at its receiver.
type Kind uint8

const (
	// KindEvent is handled by the handler that the receiver registered for the message's type.
	KindEvent Kind = iota
	// KindBroadcast is written to the receiver's client as it is, with no handler in between, behind what was queued before.
	KindBroadcast
	// KindLayer is the hub's own word about its broker: [Message.Layer] returns it. Nobody can send one, and none travels.
	KindLayer
)

// String returns "event", "broadcast" or "layer".
func (k Kind) String() string {
	switch k {
	case KindEvent:
		return "event"
	case KindBroadcast:
		return "broadcast"
	case KindLayer:
		return "layer"
	}
	return fmt.Sprintf("kind %d", uint8(k))
}

// A Message is what a subscriber receives. All receivers of a send share one Message, so it is read-only:
// a receiver changes neither its fields, nor the bytes of Payload, nor what [Value] and [Rendering] returned.
// It stays valid for as long as it is referenced. Its methods are safe for concurrent use.
type Message struct {
	Type    string // the event's name; may be empty in a broadcast
	Group   string // the group it was sent to; empty if it was sent to a channel
	Kind    Kind
	Header  Header
	Payload []byte // the value as the codec encoded it; empty for no value

	codec    Codec
	deadline int64 // on the hub's clock
	made     memo
	layer    *LayerEvent // of a message of KindLayer
	place    *place      // of a message from a group with history
}

// Value returns the message's value as a T. It is decoded once per message and type, and shared by all receivers:
// treat what it points to as read-only. A message without a value gives the zero T. The error is the codec's, wrapped.
func Value[T any](m *Message) (T, error) {
	return Rendering(m, decoded{}, func() (T, error) { return decode[T](m) })
}

// decoded is the key of a message's values.
type decoded struct{}

func decode[T any](m *Message) (T, error) {
	var v T
	if len(m.Payload) == 0 {
		return v, nil
	}
	codec := m.codec
	if codec == nil {
		codec = JSON{}
	}
	if err := codec.Decode(m.Payload, &v); err != nil {
		return *new(T), fmt.Errorf("channellayer: decode %q as %v: %w", m.Type, reflect.TypeFor[T](), err)
	}
	return v, nil
}

// Rendering returns the message in a form such as a frame or a line of text. Its key names the form; render makes it when it is asked for
// first. Later calls with the same key and type, from any goroutine, get the same value or the same error; calls that come while render runs
// wait for it. Keys are told apart by their type too, so that a package's own key type never meets another's. The value is shared: treat it as
// read-only. Render may ask for another rendering, or for a [Value], but not for its own.
func Rendering[K comparable, R any](m *Message, key K, render func() (R, error)) (R, error) {
	e := remembered[K, R](&m.made, key)
	e.once.Do(func() { e.value, e.err = render() })
	return e.value, e.err
}
