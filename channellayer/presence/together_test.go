package presence_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/portico-go/portico/channellayer"
	"github.com/portico-go/portico/channellayer/layertest"
	"github.com/portico-go/portico/channellayer/presence"
)

// A node that comes late has the whole list when Watch returns, in messages of bounded size, and misses nothing that happens meanwhile.
func TestLateNode(t *testing.T) {
	virtual(t, func(t *testing.T) {
		const n = 2000
		var net network
		all := over(t, &net, 3, presence.Config{})
		meta := strings.Repeat("x", 200)
		for i := range n {
			all[i%2].track(meta, fmt.Sprintf("k%05d", i))
		}
		pass(time.Minute)
		net.count("presence.state")
		var others sync.WaitGroup
		others.Go(func() {
			for i := range 100 {
				all[0].track(nil, fmt.Sprint("late", i))
				<-time.After(5 * time.Millisecond)
			}
		})
		w := all[2].watch()
		if len(w.list) < n {
			t.Errorf("the list has %d presences, expected %d at least", len(w.list), n)
		}
		others.Wait()
		pass(0)
		w.agree(all[2])
		if len(w.list) != n+100 {
			t.Errorf("%d presences in the end, expected %d", len(w.list), n+100)
		}
		if s := net.count("presence.state"); s < 4 || s > 20 {
			t.Errorf("%d messages for the state, expected several parts, once from each node", s)
		}
		if net.bytes > 200<<10 {
			t.Errorf("a message had %d bytes", net.bytes)
		}
	})
}

// One answer serves all who missed something.
func TestHerd(t *testing.T) {
	virtual(t, func(t *testing.T) {
		var net network
		all := over(t, &net, 20, presence.Config{})
		for i, n := range all {
			n.track(nil, fmt.Sprint("p", i))
		}
		pass(time.Minute)
		net.count("presence.state")
		net.losing(func(_, _ int, envelope string) bool { return strings.Contains(envelope, "presence.delta") })
		all[0].track(nil, "lost")
		pass(0)
		net.losing(nil)
		all[0].track(nil, "seen")
		pass(time.Second)
		for _, n := range all {
			if got := n.who(); len(got) != len(all)+2 {
				t.Errorf("got %d, expected %d", len(got), len(all)+2)
			}
		}
		if s := net.count("presence.state"); s > 2 {
			t.Errorf("%d answers to %d nodes", s, len(all)-1)
		}
		net.count("presence.summary")
		net.set(true)
		net.set(false)
		pass(2 * time.Second)
		if s := net.count("presence.state"); s != 0 {
			t.Errorf("%d states after the broker came back, and nobody had missed anything", s)
		}
	})
}

// A node that has nothing to do with a group is not subscribed to it, and lets go of it after a while.
func TestInterest(t *testing.T) {
	virtual(t, func(t *testing.T) {
		var server layertest.Loopback
		all := nodes(t, &server, 3, presence.Config{})
		pass(time.Second)
		before := server.Subscriptions()
		a, b := all[0].track(nil, "alice"), all[1].watch()
		pass(time.Second)
		if n := server.Subscriptions() - before; n != 2 {
			t.Errorf("%d nodes are subscribed, expected the two that are in it", n)
		}
		if s := all[2].Stats(); s.Groups != 0 || s.Nodes != 2 {
			t.Errorf("the third node has %+v", s)
		}
		a.Close()
		b.Close()
		pass(2 * time.Minute)
		if n := server.Subscriptions() - before; n != 0 {
			t.Errorf("%d nodes are still subscribed", n)
		}
		for _, n := range all {
			if s := n.Stats(); s.Groups != 0 || s.Presences != 0 {
				t.Errorf("it still has %+v", s)
			}
		}
		all[0].track(nil, "alice") // and again
		all[2].expect("alice")
	})
}

func TestUnwatch(t *testing.T) {
	virtual(t, func(t *testing.T) {
		n := start(t, nil, presence.Config{})
		w := n.watch()
		if _, err := n.Watch(t.Context(), w.Name(), "g"); err != nil {
			t.Fatal(err)
		}
		n.track(nil, "alice")
		pass(0)
		w.expect("+alice") // once, though it watches twice
		n.Unwatch(w.Name(), "g")
		n.Unwatch(w.Name(), "g")
		n.Unwatch(w.Name(), "never")
		n.track(nil, "bob")
		pass(0)
		w.expect()
	})
}

// A watcher that does not read loses diffs, is told so by their numbers, and begins anew with another list.
func TestSlowWatcher(t *testing.T) {
	virtual(t, func(t *testing.T) {
		hub, err := channellayer.New(channellayer.Config{Capacity: 3, Overflow: channellayer.DropOldest})
		if err != nil {
			t.Fatal(err)
		}
		defer hub.Close()
		tracker, err := presence.New(hub, presence.Config{})
		if err != nil {
			t.Fatal(err)
		}
		defer tracker.Close()
		n := &node{Tracker: tracker, t: t, hub: hub}
		w := n.watch()
		for i := range 5 {
			n.track(nil, fmt.Sprint("p", i))
			pass(time.Millisecond)
			if i == 0 {
				w.expect("+p0")
			}
		}
		m, _ := w.Next()
		if d, err := channellayer.Value[presence.Diff](m); err != nil || d.Number != w.last+2 {
			t.Errorf("after diff %d came %+v, expected one to be missing", w.last, d)
		}
		for m != nil {
			m, _ = w.Next()
		}
		if w.list, err = n.Watch(t.Context(), w.Name(), "g"); err != nil {
			t.Fatal(err)
		}
		w.last = 0
		n.track(nil, "end")
		pass(0)
		w.expect("+end")
		w.agree(n)
	})
}

func TestErrors(t *testing.T) {
	virtual(t, func(t *testing.T) {
		n := start(t, nil, presence.Config{MaxMeta: 10, MaxPresences: 2})
		ctx, sub := t.Context(), n.connect()
		over, cancel := context.WithCancel(ctx)
		cancel()
		track := func(channel, group, key string, meta any) error { return n.Track(ctx, channel, group, key, meta) }
		n.track(nil, "one", "two")
		_, watched := n.Watch(ctx, "nobody", "g")
		_, listed := n.List(over, "new")
		for what, c := range map[string]struct{ got, want error }{
			"an empty key":     {track(sub.Name(), "g", "", nil), channellayer.ErrInvalidName},
			"a bad group":      {track(sub.Name(), "\n", "k", nil), channellayer.ErrInvalidName},
			"a long group":     {track(sub.Name(), strings.Repeat("g", 250), "k", nil), channellayer.ErrInvalidName},
			"much metadata":    {track(sub.Name(), "g", "k", "0123456789"), channellayer.ErrTooLarge},
			"a full group":     {track(sub.Name(), "g", "three", nil), presence.ErrFull},
			"no reader":        {track("nobody", "h", "k", nil), channellayer.ErrNoSubscriber},
			"no watcher":       {watched, channellayer.ErrNoSubscriber},
			"a context's end":  {listed, context.Canceled},
			"an update in one": {track(sub.Name(), "h", "k", "12345678"), nil},
		} {
			if !errors.Is(c.got, c.want) {
				t.Errorf("%s: %v, expected %v", what, c.got, c.want)
			}
		}
		if err := track(sub.Name(), "h", "k", func() {}); err == nil {
			t.Error("a function is no metadata")
		}
		n.expect("one", "two")
		if err := errors.Join(n.Close(), n.Close()); err != nil {
			t.Error(err)
		}
		_, err := n.List(ctx, "g")
		_, watched = n.Watch(ctx, sub.Name(), "g")
		for _, err := range []error{err, watched, track(sub.Name(), "g", "k", nil)} {
			if !errors.Is(err, channellayer.ErrClosed) {
				t.Errorf("got %v, expected ErrClosed", err)
			}
		}
	})
}

func TestBadConfig(t *testing.T) {
	t.Parallel()
	hub, err := channellayer.New(channellayer.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer hub.Close()
	for want, c := range map[string]presence.Config{
		"Grace":   {Grace: -1},
		"Beat":    {Beat: -1},
		"Name":    {Name: strings.Repeat("n", 33)},
		"MaxMeta": {MaxMeta: 1 << 20},
		"Lease":   {Beat: time.Second, Lease: time.Second},
	} {
		if _, err := presence.New(hub, c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, expected an error about %s", err, want)
		}
	}
}

// Connections come and go from many goroutines on both nodes; nothing races, and nobody is left.
func TestRaces(t *testing.T) {
	t.Parallel()
	var server layertest.Loopback
	all := nodes(t, &server, 2, presence.Config{Beat: 20 * time.Millisecond, Lease: time.Minute, Grace: time.Millisecond})
	stays := all[0].watch()
	var workers sync.WaitGroup
	for i := range 8 {
		n := all[i%2]
		workers.Go(func() {
			for round := range 50 {
				sub := n.track(round, fmt.Sprint("w", i), "shared")
				n.watch().Close()
				if err := n.Track(context.Background(), sub.Name(), "g", "shared", "changed"); err != nil {
					t.Error(err)
				}
				if round%2 == 0 {
					n.Untrack(sub.Name(), "g", "shared")
				}
				_, _ = n.who(), n.Stats()
				sub.Close()
			}
		})
	}
	workers.Wait()
	all[1].track(nil, "end")
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for len(stays.list) != 1 || stays.list[0].Key != "end" {
		m, err := stays.Receive(ctx)
		if err != nil {
			t.Fatalf("%v: who is there is %v", err, names(stays.list))
		}
		d, err := channellayer.Value[presence.Diff](m)
		if err != nil {
			t.Fatal(err)
		}
		stays.apply(d)
	}
	stays.agree(all[0])
}
