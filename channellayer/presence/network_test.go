package presence_test

import (
	"context"
	"errors"
	"strings"
	"sync"

	"github.com/portico-go/portico/channellayer"
)

// A network joins hubs of one process, and can be torn without anybody noticing: what does not arrive is lost in silence.
type network struct {
	mu    sync.Mutex
	ends  []*end
	away  bool
	torn  func(from, to int) bool                  // nil: it is whole
	lose  func(from, to int, envelope string) bool // nil: nothing is lost
	sent  map[string]int                           // messages by their type
	bytes int
}

// An end is the broker of one hub.
type end struct {
	net      *network
	number   int
	receiver channellayer.Receiver
	subjects map[string]bool
}

var errAway = errors.New("the network is away")

func (n *network) broker() channellayer.Broker {
	n.mu.Lock()
	defer n.mu.Unlock()
	e := &end{net: n, number: len(n.ends), subjects: map[string]bool{}}
	n.ends = append(n.ends, e)
	return e
}

// tear says who cannot hear whom; nil makes the network whole.
func (n *network) tear(torn func(from, to int) bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.torn = torn
}

// alone tears one node off.
func alone(node int) func(from, to int) bool {
	return func(from, to int) bool { return from == node || to == node }
}

// losing says which messages are lost.
func (n *network) losing(lose func(from, to int, envelope string) bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.lose = lose
}

// set takes the network away, or brings it back, which everybody notices.
func (n *network) set(away bool) {
	n.mu.Lock()
	n.away = away
	for _, e := range n.ends {
		clear(e.subjects)
	}
	ends := append([]*end(nil), n.ends...)
	n.mu.Unlock()
	for _, e := range ends {
		switch {
		case e.receiver == nil:
		case away:
			e.receiver.Down(errAway)
		default:
			e.receiver.Up()
		}
	}
}

// count returns how many messages of a type were sent since it was asked last, such as "presence.state".
func (n *network) count(kind string) int {
	n.mu.Lock()
	defer n.mu.Unlock()
	c := n.sent[kind]
	delete(n.sent, kind)
	return c
}

func (e *end) Start(_ context.Context, r channellayer.Receiver) error {
	e.net.mu.Lock()
	e.receiver = r
	away := e.net.away
	e.net.mu.Unlock()
	if away {
		r.Down(errAway)
	} else {
		r.Up()
	}
	return nil
}

func (e *end) Publish(_ context.Context, subject string, envelope []byte) error {
	to, err := e.hearers(subject, string(envelope))
	for _, r := range to {
		r.Message(subject, envelope)
	}
	return err
}

func (e *end) hearers(subject, envelope string) ([]channellayer.Receiver, error) {
	n := e.net
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.away {
		return nil, errAway
	}
	if m, err := channellayer.ParseEnvelope([]byte(envelope)); err == nil {
		if n.sent == nil {
			n.sent = map[string]int{}
		}
		n.sent[m.Type]++
		n.bytes = max(n.bytes, len(envelope))
	}
	var to []channellayer.Receiver
	for _, other := range n.ends {
		switch {
		case !other.subjects[subject], other == e:
		case n.torn != nil && n.torn(e.number, other.number):
		case n.lose != nil && strings.Contains(envelope, "presence.") && n.lose(e.number, other.number, envelope):
		default:
			to = append(to, other.receiver)
		}
	}
	return to, nil
}

func (e *end) Subscribe(_ context.Context, subjects ...string) error {
	return e.change(func(s string) { e.subjects[s] = true }, subjects)
}

func (e *end) Unsubscribe(_ context.Context, subjects ...string) error {
	return e.change(func(s string) { delete(e.subjects, s) }, subjects)
}

func (e *end) change(do func(string), subjects []string) error {
	e.net.mu.Lock()
	defer e.net.mu.Unlock()
	if e.net.away {
		return errAway
	}
	for _, s := range subjects {
		do(s)
	}
	return nil
}

func (e *end) Close() error {
	e.net.mu.Lock()
	defer e.net.mu.Unlock()
	clear(e.subjects)
	return nil
}
