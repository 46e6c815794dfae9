//go:build !race

package auth_test

import "testing"

func TestAllocations(t *testing.T) {
	all := loads(t)
	bare := testing.AllocsPerRun(100, func() { all["bare"].run(t) })
	for name, most := range map[string]float64{
		"no cookie":       4, // scope, its values, session, user
		"another cookie":  4,
		"no cookie apart": 8, // three scopes
		"untouched":       5,
		"cookie":          8, // and the store's key, and three strings of the session
	} {
		if got := testing.AllocsPerRun(100, func() { all[name].run(t) }) - bare; got > most {
			t.Errorf("%s: %v allocations more than a bare handler, at most %v are allowed", name, got, most)
		}
	}
}
