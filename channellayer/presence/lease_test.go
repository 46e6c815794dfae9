package presence_test

import (
	"strings"
	"testing"
	"time"

	"github.com/portico-go/portico/channellayer/presence"
)

// over starts several nodes on one network.
func over(t *testing.T, net *network, n int, c presence.Config) []*node {
	t.Helper()
	all := make([]*node, n)
	for i := range all {
		all[i] = start(t, net.broker(), c)
	}
	pass(time.Second)
	return all
}

// A node that is killed is there until its lease ends, and then at once gone, whatever the grace.
func TestKilledNode(t *testing.T) {
	virtual(t, func(t *testing.T) {
		var net network
		all := over(t, &net, 3, presence.Config{Grace: time.Minute})
		all[0].track(nil, "alice")
		all[1].track(nil, "bob")
		w := all[2].watch()
		pass(30 * time.Second)
		net.tear(alone(0))
		pass(presence.DefaultLease - presence.DefaultBeat - time.Second)
		w.expect()
		pass(presence.DefaultBeat + time.Second)
		w.expect("-alice")
		all[1].expect("bob")
		if n := all[1].Stats().Nodes; n != 1 {
			t.Errorf("%d other nodes, expected 1", n)
		}
	})
}

// A node that is closed is gone at once, but for the grace.
func TestClosedNode(t *testing.T) {
	for _, grace := range []time.Duration{0, 3 * time.Second} {
		t.Run(grace.String(), func(t *testing.T) {
			virtual(t, func(t *testing.T) {
				var net network
				all := over(t, &net, 2, presence.Config{Grace: grace})
				all[0].track(nil, "alice")
				w := all[1].watch()
				if err := all[0].Close(); err != nil {
					t.Fatal(err)
				}
				if grace > 0 {
					pass(grace - 1)
					w.expect()
				}
				pass(1)
				w.expect("-alice")
			})
		})
	}
}

// While the broker is away nobody is thrown out, and nobody after it is back who says within a lease that he is there.
func TestBrokerAway(t *testing.T) {
	virtual(t, func(t *testing.T) {
		var net network
		all := over(t, &net, 3, presence.Config{})
		sub := all[0].track(nil, "alice")
		all[1].track(nil, "bob")
		all[2].track(nil, "carol")
		w := all[2].watch()
		pass(time.Second)
		net.set(true)
		pass(time.Hour)
		w.expect()
		sub.Close()
		all[0].track(nil, "dave")
		all[1].expect("alice", "bob", "carol")
		all[2].track(nil, "erin")
		pass(0)
		w.expect("+erin") // who is here
		net.set(false)
		pass(2 * time.Second)
		w.expect("-alice", "+dave")
		pass(time.Minute)
		w.expect()
		for _, n := range all {
			n.expect("bob", "carol", "dave", "erin")
		}
	})
}

// A node that dies while the broker is away is given up a lease after it is back.
func TestKilledWhileBrokerAway(t *testing.T) {
	virtual(t, func(t *testing.T) {
		var net network
		all := over(t, &net, 2, presence.Config{})
		all[0].track(nil, "alice")
		w := all[1].watch()
		net.set(true)
		net.tear(alone(0))
		pass(time.Hour)
		net.set(false)
		pass(presence.DefaultLease - 1)
		w.expect()
		pass(1)
		w.expect("-alice")
	})
}

// A node that starts while the broker is away comes in when it is back, and one that closes a group meanwhile leaves no ghosts.
func TestStartedWhileBrokerAway(t *testing.T) {
	virtual(t, func(t *testing.T) {
		var net network
		all := over(t, &net, 2, presence.Config{})
		sub := all[0].track(nil, "alice")
		w := all[1].watch()
		net.set(true)
		late := start(t, net.broker(), presence.Config{})
		late.track(nil, "late")
		late.expect("late")
		sub.Close()
		pass(time.Hour)
		net.set(false)
		pass(2 * time.Second)
		w.expect("-alice", "+late")
		late.expect("late")
	})
}

// Nodes that cannot hear each other for less than a lease stay, and know of every change a beat after they can.
func TestShortSplit(t *testing.T) {
	virtual(t, func(t *testing.T) {
		var net network
		all := over(t, &net, 2, presence.Config{})
		gone := all[0].track(nil, "alice")
		all[0].track(nil, "bob")
		w := all[1].watch()
		net.tear(alone(0))
		gone.Close()
		all[0].track(nil, "carol")
		all[1].track(nil, "dave")
		pass(presence.DefaultLease - presence.DefaultBeat - 1)
		w.expect("+dave")
		net.tear(nil)
		pass(presence.DefaultBeat + time.Second)
		w.expect("-alice", "+carol")
		all[0].expect("bob", "carol", "dave")
	})
}

// Nodes that cannot hear each other for longer give each other up, and have everything of each other soon after they can, groups that
// began meanwhile included.
func TestLongSplit(t *testing.T) {
	virtual(t, func(t *testing.T) {
		var net network
		all := over(t, &net, 3, presence.Config{})
		all[0].track(nil, "alice")
		all[1].track(nil, "bob")
		w := all[2].watch()
		pass(time.Minute)
		net.tear(alone(0))
		pass(time.Minute)
		w.expect("-alice")
		all[0].expect("alice")
		sub := all[0].connect()
		if err := all[0].Track(t.Context(), sub.Name(), "another", "zoe", nil); err != nil {
			t.Fatal(err)
		}
		list, err := all[2].List(t.Context(), "another")
		if err != nil || len(list) != 0 {
			t.Fatal(list, err)
		}
		if _, err := all[2].Watch(t.Context(), w.Name(), "another"); err != nil {
			t.Fatal(err)
		}
		all[2].Unwatch(w.Name(), "another")
		if _, err := all[2].Watch(t.Context(), w.Name(), "another"); err != nil {
			t.Fatal(err)
		}
		pass(time.Hour)
		net.tear(nil)
		pass(presence.DefaultBeat + 3*time.Second)
		for _, n := range all {
			n.expect("alice", "bob")
		}
		if list, err = all[2].List(t.Context(), "another"); err != nil || len(list) != 1 {
			t.Errorf("the group that began meanwhile has %v (%v)", list, err)
		}
	})
}

// A message that is lost is noticed, and made up for.
func TestLostMessages(t *testing.T) {
	for _, kind := range []string{"presence.delta", "presence.state", "presence.summary"} {
		t.Run(kind, func(t *testing.T) {
			virtual(t, func(t *testing.T) {
				var net network
				all := over(t, &net, 2, presence.Config{})
				all[0].track(nil, "alice")
				w := all[1].watch()
				pass(time.Minute) // until it does not ask any more by itself
				left := 2
				net.losing(func(_, _ int, envelope string) bool {
					if !strings.Contains(envelope, "presence.delta") && !strings.Contains(envelope, kind) || left == 0 {
						return false
					}
					left--
					return true
				})
				all[0].track(nil, "bob")
				pass(0)
				w.expect() // lost, and nothing shows it yet
				pass(3 * presence.DefaultBeat)
				w.expect("+bob")
				if n := all[1].Stats().Behind; n == 0 {
					t.Error("the node does not know that it was behind")
				}
				net.losing(nil)
				all[0].track(nil, "carol")
				pass(0)
				w.expect("+carol")
				w.agree(all[0])
			})
		})
	}
}

// A process that stood still for longer than a lease does not give up those whom it could not hear.
func TestStoodStill(t *testing.T) {
	virtual(t, func(t *testing.T) {
		var net network
		all := over(t, &net, 2, presence.Config{})
		all[0].track(nil, "alice")
		asleep, sleeps := make(chan struct{}), false
		sub, err := all[1].hub.Subscribe("sleeper", func() {
			if !sleeps {
				sleeps = true
				close(asleep)
				<-time.After(50 * time.Second) // holds up the tracker
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := all[1].Watch(t.Context(), sub.Name(), "g"); err != nil {
			t.Fatal(err)
		}
		w := all[1].watch()
		all[0].track(nil, "bob")
		<-asleep
		net.tear(alone(0)) // so that there are no beats in its queue either
		pass(49 * time.Second)
		net.tear(nil)
		pass(5 * time.Second)
		w.expect("+bob")
		w.agree(all[0])
	})
}

// A node that lives, but lets go of a group without being heard, is taken to have nothing there in the end.
func TestGhosts(t *testing.T) {
	virtual(t, func(t *testing.T) {
		var net network
		all := over(t, &net, 2, presence.Config{})
		sub := all[0].track(nil, "alice")
		w := all[1].watch()
		pass(time.Minute)
		net.losing(func(from, _ int, envelope string) bool {
			return from == 0 && !strings.Contains(envelope, "presence.beat")
		})
		sub.Close()
		pass(2 * time.Minute)
		if g := all[0].Stats().Groups; g != 0 {
			t.Fatalf("the node still has %d groups", g)
		}
		net.losing(nil)
		all[1].expect("alice") // a ghost
		for begin := time.Now(); len(w.list) > 0 && time.Since(begin) < 4*time.Minute; {
			pass(10 * time.Second)
			w.diffs()
		}
		all[1].expect()
	})
}
