package presencetest

import (
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/portico-go/portico/channellayer/presence"
)

var clauses = []clause{
	{"PresenceOfConnections", false, presenceOfConnections},
	{"PresenceEnds", false, presenceEnds},
	{"PresenceGrace", false, presenceGrace},
	{"PresenceAcrossNodes", true, presenceAcrossNodes},
	{"PresenceGraceAcrossNodes", true, presenceGraceAcrossNodes},
	{"PresenceListAndDiffs", true, presenceListAndDiffs},
	{"PresenceOfMany", true, presenceOfMany},
	{"PresenceGroupsApart", true, presenceGroupsApart},
	{"PresenceNodeCloses", true, presenceNodeCloses},
	{"PresenceServerAway", true, presenceServerAway},
	{"PresenceStartedWhileDown", true, presenceStartedWhileDown},
}

// Several connections of one user are several presences under one key, each with its metadata, which can change.
func presenceOfConnections(s *suite) {
	n := s.node(Config())
	w := s.watch(n)
	s.track(n, "alice", "phone")
	tab := s.track(n, "alice", "tab")
	w.until(`alice:"phone"`, `alice:"tab"`)
	if err := n.Track(s.ctx, tab.Name(), s.group, "alice", "car"); err != nil {
		s.Fatal(err)
	}
	w.until(`alice:"car"`, `alice:"phone"`)
	w.agrees(n)
}

// A presence ends with its connection, or when it is ended.
func presenceEnds(s *suite) {
	n := s.node(Config())
	w := s.watch(n)
	a, b := s.track(n, "alice", nil), s.track(n, "bob", nil)
	w.until("alice", "bob")
	a.Close()
	w.until("bob")
	n.Untrack(b.Name(), s.group, "bob")
	w.until()
}

// Whoever is back within the grace was never away.
func presenceGrace(s *suite) {
	c := Config()
	c.Grace = s.Patience
	n := s.node(c)
	s.track(n, "alice", nil).Close()
	w := s.watch(n)
	s.track(n, "alice", nil)
	s.track(n, "bob", nil)
	w.until("alice", "bob")
	w.never("+alice", "-alice", "~alice")
}

func presenceAcrossNodes(s *suite) {
	a, b := s.two(Config())
	here, there := s.watch(a), s.watch(b)
	sub := s.track(a, "alice", 1)
	other := s.track(b, "bob", 2)
	here.until("alice:1", "bob:2")
	there.until("alice:1", "bob:2")
	if err := a.Track(s.ctx, sub.Name(), s.group, "alice", 3); err != nil {
		s.Fatal(err)
	}
	there.until("alice:3", "bob:2")
	sub.Close()
	there.until("bob:2")
	b.Untrack(other.Name(), s.group, "bob")
	for _, w := range []*watcher{here, there} {
		w.until()
	}
	there.agrees(b)
}

// A connection that moves to another node within the grace was never away, for nobody.
func presenceGraceAcrossNodes(s *suite) {
	c := Config()
	c.Grace = s.Patience
	a, b := s.two(c)
	sub := s.track(a, "alice", nil)
	here, there := s.watch(a), s.watch(b)
	here.until("alice")
	there.until("alice")
	sub.Close()
	s.track(a, "bob", nil)
	there.until("alice", "bob") // so it knows that the connection has ended
	s.track(b, "alice", nil)
	s.track(b, "carol", nil)
	for _, w := range []*watcher{here, there} {
		w.until("alice", "bob", "carol")
		w.never("-alice", "~alice")
	}
}

// The list and the diffs behind it make up the state, whatever happens while they are asked for.
func presenceListAndDiffs(s *suite) {
	a, b := s.two(Config())
	const rounds = 20
	var all sync.WaitGroup
	all.Go(func() {
		for i := range rounds {
			s.track(a, fmt.Sprint("a", i), nil)
			s.track(b, fmt.Sprint("gone", i), nil).Close()
		}
	})
	var watchers []*watcher
	for range 5 {
		watchers = append(watchers, s.watch(a), s.watch(b))
	}
	all.Wait()
	s.track(a, "end of a", nil)
	s.track(b, "end of b", nil)
	want := []string{"end of a", "end of b"}
	for i := range rounds {
		want = append(want, fmt.Sprint("a", i))
	}
	for _, w := range watchers {
		w.until(sorted(want)...)
	}
	watchers[0].agrees(a)
	watchers[1].agrees(b)
}

// A node that comes late has them all when Watch returns; no message is too large for the server.
func presenceOfMany(s *suite) {
	const n = 2000
	a, b := s.two(Config())
	meta := strings.Repeat("m", 500)
	for i := range n {
		s.track(a, fmt.Sprintf("k%05d", i), meta)
	}
	late := s.node(Config())
	begin := time.Now()
	for _, node := range []*node{b, late} {
		w := s.watch(node)
		for len(w.list) < n {
			w.apply(s.next(w))
		}
		if len(w.list) != n {
			s.Errorf("%d presences, expected %d", len(w.list), n)
		}
		w.agrees(node)
	}
	s.Logf("two nodes knew %d presences after %v", n, time.Since(begin).Round(time.Millisecond))
}

// Who is in one group is nobody's business in another.
func presenceGroupsApart(s *suite) {
	a, b := s.two(Config())
	w := s.watch(b)
	sub := s.connect(a)
	if err := a.Track(s.ctx, sub.Name(), s.group+" too", "mallory", nil); err != nil {
		s.Fatal(err)
	}
	s.track(a, "alice", nil)
	w.until("alice")
	w.never("+mallory")
	if g := b.Stats().Groups; g != 1 {
		s.Errorf("the other node has to do with %d groups, expected 1", g)
	}
}

// The presences of a node that is closed are gone at once.
func presenceNodeCloses(s *suite) {
	c := presence.Config{} // a lease of 15 s: nobody waits for its end
	a, b := s.two(c)
	s.track(a, "alice", nil)
	s.track(b, "bob", nil)
	w := s.watch(b)
	w.until("alice", "bob")
	begin := time.Now()
	if err := a.Close(); err != nil {
		s.Error(err)
	}
	w.until("bob")
	if took := time.Since(begin); took > presence.DefaultLease/2 {
		s.Errorf("it took %v", took)
	}
}

// Nobody is thrown out because the server was away, for longer than a lease; what happened meanwhile is known soon after it is back.
func presenceServerAway(s *suite) {
	c := presence.Config{Beat: 500 * time.Millisecond, Lease: 4 * time.Second} // nodes may be seconds apart when they come back
	a, b := s.two(c)
	s.track(a, "alice", nil)
	gone := s.track(a, "gone", nil)
	s.track(b, "bob", nil)
	here, there := s.watch(a), s.watch(b)
	here.until("alice", "bob", "gone")
	there.until("alice", "bob", "gone")
	start := s.outage(there)
	s.track(b, "carol", nil)
	gone.Close()
	there.until("alice", "bob", "carol", "gone")
	here.until("alice", "bob")
	s.wait(c.Lease + c.Beat)
	start()
	there.until("alice", "bob", "carol")
	here.until("alice", "bob", "carol")
	s.wait(c.Lease + c.Beat) // the lease that all had when it came back is over
	s.track(a, "end", nil)
	there.until("alice", "bob", "carol", "end")
	for _, w := range []*watcher{here, there} {
		w.never("-alice", "-bob", "-carol")
	}
}

func presenceStartedWhileDown(s *suite) {
	a := s.node(Config())
	s.track(a, "alice", nil)
	w := s.watch(a)
	start := s.outage(w)
	late := s.node(Config())
	s.track(late, "late", nil)
	there := s.watch(late)
	start()
	w.until("alice", "late")
	there.until("alice", "late")
}
