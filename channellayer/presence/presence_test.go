package presence_test

import (
	"testing"
	"time"

	"github.com/portico-go/portico/channellayer/layertest"
	"github.com/portico-go/portico/channellayer/presence"
)

func TestAlone(t *testing.T) {
	virtual(t, func(t *testing.T) {
		n := start(t, nil, presence.Config{})
		begin := time.Now()
		w := n.watch()
		a := n.track("phone", "alice")
		n.track("tab", "alice", "bob")
		pass(0)
		w.expect(`+alice:"phone"`, `+alice:"tab"`, `+bob:"tab"`)
		a.Close()
		pass(0)
		w.expect(`-alice:"phone"`)
		w.agree(n)
		n.expect(`alice:"tab"`, `bob:"tab"`)
		if took := time.Since(begin); took != 0 {
			t.Errorf("a node without others waited for %v", took)
		}
	})
}

func TestTwoNodes(t *testing.T) {
	virtual(t, func(t *testing.T) {
		var server layertest.Loopback
		all := nodes(t, &server, 2, presence.Config{})
		a, b := all[0], all[1]
		sub := a.track(1, "alice")
		b.expect("alice:1")
		w := b.watch()
		b.track(2, "bob")
		a.track(3, "carol")
		pass(0)
		w.expect("+bob:2", "+carol:3")
		a.expect("alice:1", "bob:2", "carol:3")
		if err := a.Track(t.Context(), sub.Name(), "g", "alice", 4); err != nil {
			t.Fatal(err)
		}
		pass(0)
		w.expect("~alice:4")
		a.Untrack(sub.Name(), "g", "alice")
		pass(0)
		w.expect("-alice:4")
		w.agree(b)
		w.agree(a)
		pass(time.Minute)
		w.expect()
	})
}
