package presencetest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/portico-go/portico/channellayer"
	"github.com/portico-go/portico/channellayer/layertest"
	"github.com/portico-go/portico/channellayer/presence"
)

// Config is how most trackers of the suite work, and those of its victims.
func Config() presence.Config {
	return presence.Config{Beat: 200 * time.Millisecond, Lease: 2 * time.Second}
}

// Run runs every clause as a subtest. Without a broker it runs those for one node.
func Run(t *testing.T, b layertest.Backend) {
	t.Helper()
	if b.Patience == 0 {
		b.Patience = 15 * time.Second
	}
	if b.Broker != nil && (b.Stop == nil || b.Start == nil) {
		t.Fatal("presencetest: a Backend with a Broker needs Stop and Start: what becomes of presences without the server is half of the contract")
	}
	for _, c := range clauses {
		if c.together && b.Broker == nil {
			continue
		}
		t.Run(c.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 4*b.Patience)
			defer cancel()
			c.hold(&suite{TB: t, t: t, Backend: b, ctx: ctx, group: fmt.Sprintf("%s %d", c.name, time.Now().UnixNano())})
		})
	}
}

// A clause is one rule of the contract.
type clause struct {
	name     string
	together bool // it is about several nodes
	hold     func(s *suite)
}

// A suite is what one clause works with.
type suite struct {
	testing.TB
	layertest.Backend
	t     *testing.T
	ctx   context.Context //nolint:containedctx // the clause's own, passed to every call
	group string          // this clause's own
}

// A node is one process of the layer.
type node struct {
	*presence.Tracker
	hub *channellayer.Hub
}

// node starts a node, which ends with the clause.
func (s *suite) node(c presence.Config) *node {
	s.Helper()
	config := channellayer.Config{Capacity: 1000, Linger: 50 * time.Millisecond}
	if s.Broker != nil {
		config.Broker = s.Broker(s.t)
	}
	hub, err := channellayer.New(config)
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() { _ = hub.Close() })
	tracker, err := presence.New(hub, c)
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() { _ = tracker.Close() })
	return &node{tracker, hub}
}

// two starts two nodes.
func (s *suite) two(c presence.Config) (a, b *node) {
	s.Helper()
	return s.node(c), s.node(c)
}

// connect returns a connection of a node.
func (s *suite) connect(n *node) *channellayer.Subscription {
	s.Helper()
	sub, err := n.hub.Subscribe(n.hub.NewChannel("presencetest"), nil)
	if err != nil {
		s.Fatal(err)
	}
	return sub
}

// track connects, and is in the clause's group under a key.
func (s *suite) track(n *node, key string, meta any) *channellayer.Subscription {
	s.Helper()
	sub := s.connect(n)
	if err := n.Track(s.ctx, sub.Name(), s.group, key, meta); err != nil {
		s.Fatal(err)
	}
	return sub
}

// A watcher keeps a list by the diffs that it gets.
type watcher struct {
	*channellayer.Subscription
	s    *suite
	list []presence.Presence
	seen []string // what every diff said, such as "+alice", "-alice" and "~alice"
}

// watch watches the clause's group.
func (s *suite) watch(n *node) *watcher {
	s.Helper()
	w := &watcher{Subscription: s.connect(n), s: s}
	var err error
	if w.list, err = n.Watch(s.ctx, w.Name(), s.group); err != nil {
		s.Fatal(err)
	}
	return w
}

// until takes diffs until these are there, in this order, with their metadata behind a colon.
func (w *watcher) until(want ...string) {
	w.s.Helper()
	ctx, cancel := context.WithTimeout(w.s.ctx, w.s.Patience)
	defer cancel()
	for !slices.Equal(names(w.list), want) {
		m, err := w.Receive(ctx)
		if err != nil {
			w.s.Fatalf("within %v %v are there, expected %v: %v", w.s.Patience, names(w.list), want, err)
		}
		if m.Kind != channellayer.KindLayer {
			w.apply(m)
		}
	}
}

// apply applies a diff.
func (w *watcher) apply(m *channellayer.Message) {
	w.s.Helper()
	d, err := channellayer.Value[presence.Diff](m)
	if err != nil || m.Type != presence.EventDiff || d.Group != w.s.group {
		w.s.Fatalf("got %q %s (%v), expected a diff of %q", m.Type, m.Payload, err, w.s.group)
	}
	for sign, list := range map[string][]presence.Presence{"-": d.Left, "+": d.Joined, "~": d.Updated} {
		for _, name := range names(list) {
			w.seen = append(w.seen, sign+name)
		}
	}
	w.list = d.Apply(w.list)
}

// never fails if a diff has said so.
func (w *watcher) never(diff ...string) {
	w.s.Helper()
	for _, d := range diff {
		if slices.Contains(w.seen, d) {
			w.s.Errorf("a diff said %s: %v", d, w.seen)
		}
	}
}

// agrees compares the list that the diffs made with that of a node.
func (w *watcher) agrees(n *node) {
	w.s.Helper()
	list, err := n.List(w.s.ctx, w.s.group)
	if err != nil || !slices.EqualFunc(list, w.list, func(a, b presence.Presence) bool { return a.Key == b.Key && a.ID == b.ID }) {
		w.s.Errorf("the list is %v (%v), and list and diffs make %v", names(list), err, names(w.list))
	}
}

func names(list []presence.Presence) []string {
	all := make([]string, len(list))
	for i, p := range list {
		all[i] = strings.TrimSuffix(p.Key+":"+string(p.Meta), ":")
	}
	slices.Sort(all)
	return all
}
