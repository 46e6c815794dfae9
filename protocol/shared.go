package protocol

import (
	"errors"
	"sync"
	"sync/atomic"
)

// SharedMessage returns a message for many connections, to be sent to each of them
// as it is: their codecs encode it once for all. Neither it nor data, which it
// keeps, may be changed afterwards. It may be sent by many goroutines at once.
func SharedMessage(binary bool, data []byte) *Message {
	return &Message{Binary: binary, Data: data, shared: new(encodings)}
}

// AppendEncoding appends to dst what encode appends for the message. A codec calls
// it in Append where the encoding of a message depends on nothing but the message:
// if it is a SharedMessage, encode is called once, and all connections get copies of
// what it made, or its error. Calls that come while encode runs wait for it.
//
// name tells the encodings of one message apart; it begins with the protocol's name.
func (m *Message) AppendEncoding(dst []byte, name string, encode func(dst []byte, m *Message) ([]byte, error)) ([]byte, error) {
	if m.shared == nil {
		return encode(dst, m)
	}
	e := m.shared.get(name)
	e.once.Do(func() { e.data, e.err = encode(nil, m) })
	if e.err != nil {
		return dst, e.err
	}
	return append(dst, e.data...), nil
}

// encodings are what codecs have made of one message. There are one or two of them,
// in a list that grows at its head only, so it needs no lock.
type encodings struct{ head atomic.Pointer[encoding] }

type encoding struct {
	name string
	next *encoding
	once sync.Once
	data []byte
	err  error
}

var errEncodePanicked = errors.New("protocol: the codec panicked when it encoded the message for another connection")

// get returns the one encoding called name, which the caller fills under its once.
func (s *encodings) get(name string) *encoding {
	for {
		head := s.head.Load()
		for e := head; e != nil; e = e.next {
			if e.name == name {
				return e
			}
		}
		e := &encoding{name: name, next: head, err: errEncodePanicked}
		if s.head.CompareAndSwap(head, e) {
			return e
		}
	}
}
