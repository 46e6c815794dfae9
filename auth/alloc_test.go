//go:build !race

package auth_test

import (
	"errors"
	"runtime"
	"testing"

	"github.com/portico-go/portico/protocol"
)

func TestAllocations(t *testing.T) {
	all := loads(t)
	bare := testing.AllocsPerRun(100, func() { all["bare"].run(t) })
	for name, most := range map[string]float64{
		"no cookie":       2, // scope with its values, session with user
		"another cookie":  2,
		"no cookie apart": 5, // three scopes, session, user
		"untouched":       3, // two scopes, session
		"cookie":          3, // and the ID of the user
	} {
		if got := testing.AllocsPerRun(100, func() { all[name].run(t) }) - bare; got > most {
			t.Errorf("%s: %v allocations more than a bare handler, at most %v are allowed", name, got, most)
		}
	}
}

// TestAnIdleConnectionIsSmall measures what the Stack keeps of a connection that
// was accepted and whose application keeps no scope.
func TestAnIdleConnectionIsSmall(t *testing.T) {
	all := loads(t)
	bare := idleBytes(t, all["bare"])
	for name, most := range map[string]int{"no cookie": 160, "cookie": 160} {
		if got := idleBytes(t, all[name]) - bare; got > most {
			t.Errorf("%s: an idle connection keeps %d bytes more than a bare one, at most %d are allowed", name, got, most)
		}
	}
}

func idleBytes(t *testing.T, l *load) int {
	t.Helper()
	const n = 5000
	lives := make([]*protocol.Lifecycle, 0, n)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for range n {
		life, err := protocol.NewLifecycle(t.Context(), l.req, &l.wire, &l.set)
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(life.Open(l.app), life.Conn().Accept("", nil), life.Deliver(&protocol.Connect{})); err != nil {
			t.Fatal(err)
		}
		lives = append(lives, life)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	runtime.KeepAlive(lives)
	return (int(after.HeapAlloc) - int(before.HeapAlloc)) / n
}
