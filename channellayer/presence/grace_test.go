package presence_test

import (
	"testing"
	"time"

	"github.com/portico-go/portico/channellayer/presence"
)

func TestGrace(t *testing.T) {
	const grace = 5 * time.Second
	for name, c := range map[string]struct {
		after    time.Duration // the connection comes back
		node     int           // here
		meta     any           // with this metadata
		at, then []string      // diffs until then, and in the end
	}{
		"the same node":      {time.Second, 0, "x", nil, nil},
		"another node":       {time.Second, 1, "x", nil, nil},
		"at once":            {0, 1, "x", nil, nil},
		"with other data":    {time.Second, 1, "y", nil, []string{`~alice:"y"`}},
		"too late":           {grace + time.Second, 1, "x", []string{`-alice:"x"`}, []string{`+alice:"x"`}},
		"almost too late":    {grace - 1, 0, "x", nil, nil},
		"from the third one": {time.Second, 2, "x", nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			virtual(t, func(t *testing.T) {
				var net network
				all := over(t, &net, 3, presence.Config{Grace: grace})
				sub := all[0].track("x", "alice")
				w := all[2].watch()
				sub.Close()
				pass(c.after)
				w.expect(c.at...)
				sub = all[c.node].track(c.meta, "alice")
				pass(2 * grace)
				w.expect(c.then...)
				w.agree(all[2])
				for _, n := range all { // and it goes on as if nothing had been
					if got := n.who(); len(got) != 1 {
						t.Errorf("got %v, expected alice", got)
					}
				}
				sub.Close()
				pass(grace)
				if got := w.diffs(); len(got) != 1 || got[0][0] != '-' {
					t.Errorf("got %v, expected that alice leaves", got)
				}
			})
		})
	}
}

// Of several places that are held the one with the same metadata is taken, and each is given up for itself.
func TestGraceOfSeveral(t *testing.T) {
	virtual(t, func(t *testing.T) {
		n := start(t, nil, presence.Config{Grace: 5 * time.Second})
		phone, tab := n.track("phone", "alice"), n.track("tab", "alice")
		w := n.watch()
		phone.Close()
		pass(time.Second)
		tab.Close()
		pass(time.Second)
		n.track("tab", "alice")
		n.expect(`alice:"phone"`, `alice:"tab"`)
		pass(10 * time.Second)
		w.expect(`-alice:"phone"`)
		w.agree(n)
	})
}

// Whoever leaves on purpose is gone at once.
func TestUntrackHasNoGrace(t *testing.T) {
	virtual(t, func(t *testing.T) {
		var net network
		all := over(t, &net, 2, presence.Config{Grace: time.Hour})
		sub := all[0].track(nil, "alice")
		w := all[1].watch()
		all[0].Untrack(sub.Name(), "g", "alice")
		all[0].Untrack(sub.Name(), "g", "alice")
		all[0].Untrack(sub.Name(), "never", "alice")
		pass(0)
		w.expect("-alice")
		sub.Close()
		pass(0)
		w.expect()
	})
}
