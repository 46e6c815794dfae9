package layertest

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/portico-go/portico/channellayer"
)

// A Backend says how to make the nodes of the layer that is tested.
type Backend struct {
	// Broker returns a broker for one node, not started. All that one Backend returns share a server and a prefix. Nil tests a hub without a broker.
	Broker func(t *testing.T) channellayer.Broker
	// Stop takes the server away, as a crash would; Start brings it back at the same address. Both are needed with a Broker.
	Stop, Start func(t *testing.T)
	// Codec is that of the nodes; nil means JSON.
	Codec channellayer.Codec
	// Patience is how long a clause waits for what should come, such as a connection after Start; zero means 15 s.
	Patience time.Duration
	// Groups is how many groups come back after Start in the clause that counts them; zero means 10,000.
	Groups int
	// Durable says that what a channellayer.Log has stored is there again after Stop and Start. Otherwise History accepts that it is not, as long as members are told.
	Durable bool
}

// Run runs every clause as a subtest.
func Run(t *testing.T, b Backend) {
	t.Helper()
	b = b.withDefaults()
	run(t, b, aloneClauses)
	if b.Broker == nil {
		return
	}
	if b.Stop == nil || b.Start == nil {
		t.Fatal("layertest: a Backend with a Broker needs Stop and Start: what a layer does without its server is half of the contract")
	}
	run(t, b, brokerClauses)
	run(t, b, togetherClauses)
	run(t, b, outageClauses)
}

func (b Backend) withDefaults() Backend {
	if b.Patience == 0 {
		b.Patience = 15 * time.Second
	}
	if b.Groups == 0 {
		b.Groups = 10_000
	}
	return b
}

// A clause is one rule of the contract.
type clause struct {
	name string
	hold func(s *suite)
}

func run(t *testing.T, b Backend, clauses []clause) {
	t.Helper()
	for _, c := range clauses {
		t.Run(c.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 4*b.Patience)
			defer cancel()
			c.hold(&suite{TB: t, t: t, Backend: b, ctx: ctx, tag: fmt.Sprintf("%s %d", c.name, time.Now().UnixNano())})
		})
	}
}

// A suite is what one clause works with.
type suite struct {
	testing.TB
	Backend
	t   *testing.T
	ctx context.Context //nolint:containedctx // the clause's own, passed to every call
	tag string          // makes this clause's names its own
}

// A node is one process of the layer.
type node struct {
	*channellayer.Hub
	tap *tap // nil without a broker
}

// node starts a node, which ends with the clause.
func (s *suite) node(c channellayer.Config) *node {
	s.Helper()
	n := &node{}
	if s.Broker != nil {
		n.tap = &tap{Broker: s.Broker(s.t)}
		c.Broker = n.tap.broker()
	}
	if c.Codec == nil {
		c.Codec = s.Codec
	}
	if c.Linger == 0 {
		c.Linger = 50 * time.Millisecond
	}
	var err error
	if n.Hub, err = channellayer.New(c); err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() { _ = n.Close() })
	return n
}

// two starts two nodes.
func (s *suite) two() (a, b *node) {
	s.Helper()
	return s.node(channellayer.Config{}), s.node(channellayer.Config{})
}

// group returns a group's name that no other clause has.
func (s *suite) group(name string) string { return s.tag + " " + name }

// member returns a subscriber of a node that is in these groups.
func (s *suite) member(n *node, groups ...string) *channellayer.Subscription {
	s.Helper()
	sub, err := n.Subscribe(n.NewChannel("layertest"), nil)
	if err != nil {
		s.Fatal(err)
	}
	for _, g := range groups {
		s.join(sub, g)
	}
	return sub
}

func (s *suite) join(sub *channellayer.Subscription, group string) {
	s.Helper()
	if err := sub.Join(s.ctx, group); err != nil {
		s.Fatalf("join %q: %v", group, err)
	}
}

func (s *suite) leave(sub *channellayer.Subscription, group string) {
	s.Helper()
	if err := sub.Leave(s.ctx, group); err != nil {
		s.Fatalf("leave %q: %v", group, err)
	}
}

// number is an event with a number.
func number(n int) channellayer.Event { return channellayer.Event{Type: "number", Value: n} }

func (s *suite) groupSend(n *node, group string, i int, options ...channellayer.SendOption) channellayer.Delivery {
	s.Helper()
	d, err := n.GroupSend(s.ctx, group, number(i), options...)
	if err != nil {
		s.Fatalf("send %d to group %q: %v", i, group, err)
	}
	return d
}

// next returns the next message of a subscriber, and waits for it.
func (s *suite) next(sub *channellayer.Subscription) *channellayer.Message {
	s.Helper()
	ctx, cancel := context.WithTimeout(s.ctx, s.Patience)
	defer cancel()
	m, err := sub.Receive(ctx)
	if err != nil {
		s.Fatalf("no message within %v: %v", s.Patience, err)
	}
	return m
}

// expect takes these numbers, in this order.
func (s *suite) expect(sub *channellayer.Subscription, numbers ...int) {
	s.Helper()
	for _, want := range numbers {
		if got := s.value(s.next(sub)); got != want {
			s.Fatalf("got %d, expected %d", got, want)
		}
	}
}

func (s *suite) value(m *channellayer.Message) int {
	s.Helper()
	n, err := channellayer.Value[int](m)
	if err != nil || m.Kind == channellayer.KindLayer {
		s.Fatalf("got %v %q, expected a number (%v)", m.Kind, m.Type, err)
	}
	return n
}

// empty fails the test if a message waits.
func (s *suite) empty(sub *channellayer.Subscription) {
	s.Helper()
	if m, ok := sub.Next(); ok {
		s.Fatalf("got %v %q %s, expected nothing more", m.Kind, m.Type, m.Payload)
	}
}

// layer takes the news that the broker has gone or is back. Other messages may come before it.
func (s *suite) layer(sub *channellayer.Subscription, up bool) channellayer.LayerEvent {
	s.Helper()
	for {
		ev, ok := s.next(sub).Layer()
		if ok && ev.Up != up {
			s.Fatalf("got %+v, expected Up %v", ev, up)
		}
		if ok {
			return ev
		}
	}
}

// eventually waits until something holds that nobody reports.
func (s *suite) eventually(what string, holds func() bool) {
	s.Helper()
	deadline := time.Now().Add(s.Patience)
	for pause := time.Millisecond; !holds(); pause = min(2*pause, 100*time.Millisecond) {
		if time.Now().After(deadline) {
			s.Fatalf("after %v still not: %s", s.Patience, what)
		}
		time.Sleep(pause)
	}
}

// A tap counts what goes through a broker.
type tap struct {
	channellayer.Broker
	published, received, subscribed, reads atomic.Int64

	careless atomic.Bool // entries get lost, and come twice
}

func (p *tap) Start(ctx context.Context, r channellayer.Receiver) error {
	return p.Broker.Start(ctx, &tapped{r, p})
}

func (p *tap) Publish(ctx context.Context, subject string, envelope []byte) error {
	p.published.Add(1)
	return p.Broker.Publish(ctx, subject, envelope)
}

func (p *tap) Subscribe(ctx context.Context, subjects ...string) error {
	return p.count(int64(len(subjects)), p.Broker.Subscribe(ctx, subjects...))
}

func (p *tap) Unsubscribe(ctx context.Context, subjects ...string) error {
	return p.count(-int64(len(subjects)), p.Broker.Unsubscribe(ctx, subjects...))
}

// count counts subscriptions when the broker has confirmed that they begin or end.
func (p *tap) count(n int64, err error) error {
	if err == nil {
		p.subscribed.Add(n)
	}
	return err
}

type tapped struct {
	channellayer.Receiver
	tap *tap
}

func (p *tapped) Message(subject string, envelope []byte) {
	p.tap.received.Add(1)
	p.Receiver.Message(subject, envelope)
}
