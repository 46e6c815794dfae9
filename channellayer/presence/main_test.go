package presence_test

import (
	"context"
	"encoding/json"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/portico-go/portico/channellayer"
	"github.com/portico-go/portico/channellayer/layertest"
	"github.com/portico-go/portico/channellayer/presence"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A node is a hub with a tracker.
type node struct {
	*presence.Tracker
	t   testing.TB
	hub *channellayer.Hub
}

// start starts a node, which ends with the test.
func start(t testing.TB, b channellayer.Broker, c presence.Config) *node {
	t.Helper()
	hub, err := channellayer.New(channellayer.Config{Broker: b, Capacity: 1000})
	if err != nil {
		t.Fatal(err)
	}
	tracker, err := presence.New(hub, c)
	if err != nil {
		t.Fatal(err)
	}
	n := &node{Tracker: tracker, t: t, hub: hub}
	t.Cleanup(func() {
		if err := tracker.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
		_ = hub.Close()
	})
	return n
}

// nodes starts several nodes on one server.
func nodes(t testing.TB, server *layertest.Loopback, n int, c presence.Config) []*node {
	t.Helper()
	all := make([]*node, n)
	for i := range all {
		all[i] = start(t, server.Broker(), c)
	}
	return all
}

// connect returns a connection of a node.
func (n *node) connect() *channellayer.Subscription {
	n.t.Helper()
	sub, err := n.hub.Subscribe(n.hub.NewChannel("test"), nil)
	if err != nil {
		n.t.Fatal(err)
	}
	return sub
}

// track connects, and is in the group "g" under these keys.
func (n *node) track(meta any, keys ...string) *channellayer.Subscription {
	n.t.Helper()
	sub := n.connect()
	for _, key := range keys {
		if err := n.Track(context.Background(), sub.Name(), "g", key, meta); err != nil {
			n.t.Fatal(err)
		}
	}
	return sub
}

// who returns the keys that are in the group "g", with their metadata behind a colon if they have any.
func (n *node) who() []string {
	n.t.Helper()
	list, err := n.List(context.Background(), "g")
	if err != nil {
		n.t.Fatal(err)
	}
	return names(list)
}

func names(list []presence.Presence) []string {
	all := []string{}
	for _, p := range list {
		name := p.Key
		if len(p.Meta) > 0 {
			name += ":" + string(p.Meta)
		}
		all = append(all, name)
	}
	return all
}

// expect fails the test unless exactly these are in the group "g".
func (n *node) expect(want ...string) {
	n.t.Helper()
	if got := n.who(); !slices.Equal(got, want) {
		n.t.Fatalf("got %v, expected %v", got, want)
	}
}

// A watcher keeps a list by the diffs that it gets.
type watcher struct {
	*channellayer.Subscription
	t    testing.TB
	list []presence.Presence
	last uint64 // the number of the last diff
}

// watch watches the group "g".
func (n *node) watch() *watcher {
	n.t.Helper()
	w := &watcher{Subscription: n.connect(), t: n.t}
	var err error
	if w.list, err = n.Watch(context.Background(), w.Name(), "g"); err != nil {
		n.t.Fatal(err)
	}
	return w
}

// diffs takes the diffs that have come, and returns them as text: -left +joined ~updated.
func (w *watcher) diffs() []string {
	w.t.Helper()
	all := []string{}
	for m, ok := w.Next(); ok; m, ok = w.Next() {
		if m.Kind == channellayer.KindLayer {
			continue
		}
		d, err := channellayer.Value[presence.Diff](m)
		if err != nil || m.Type != presence.EventDiff || d.Group != "g" {
			w.t.Fatalf("got %q %s: %v", m.Type, m.Payload, err)
		}
		w.apply(d)
		for i, part := range [][]presence.Presence{d.Left, d.Joined, d.Updated} {
			for _, name := range names(part) {
				all = append(all, "-+~"[i:i+1]+name)
			}
		}
	}
	return all
}

// apply applies a diff, which has to fit.
func (w *watcher) apply(d presence.Diff) {
	w.t.Helper()
	has := func(p presence.Presence) bool {
		return slices.ContainsFunc(w.list, func(q presence.Presence) bool { return p.Key == q.Key && p.ID == q.ID })
	}
	for _, p := range slices.Concat(d.Left, d.Updated) {
		if !has(p) {
			w.t.Errorf("%v left or was updated, who was not there", p)
		}
	}
	for _, p := range d.Joined {
		if has(p) {
			w.t.Errorf("%v joined, who was there", p)
		}
	}
	if d.Number != w.last+1 && w.last != 0 {
		w.t.Errorf("diff %d came after %d", d.Number, w.last)
	}
	w.last = d.Number
	w.list = d.Apply(w.list)
}

// expect fails the test unless exactly these diffs have come, in whatever order.
func (w *watcher) expect(want ...string) {
	w.t.Helper()
	got := w.diffs()
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		w.t.Fatalf("got diffs %v, expected %v", got, want)
	}
}

// agree fails the test unless the watcher's list is the node's.
func (w *watcher) agree(n *node) {
	w.t.Helper()
	w.diffs()
	list, err := n.List(context.Background(), "g")
	if err != nil {
		w.t.Fatal(err)
	}
	if got, want := text(w.t, w.list), text(w.t, list); got != want {
		w.t.Fatalf("list and diffs make\n%s\nbut the list is\n%s", got, want)
	}
}

func text(t testing.TB, list []presence.Presence) string {
	t.Helper()
	b, err := json.Marshal(list)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// virtual runs a test in virtual time, which starts when the nodes are ready.
func virtual(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, f)
}

// pass lets time pass, and what it brings about be done.
func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}
