//go:build !race

package router_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/portico-go/portico/protocol"
	"github.com/portico-go/portico/router"
)

// A lookup allocates the derived scope with its captures in one piece, and nothing for
// a route that has none.
func TestLookupAllocations(t *testing.T) {
	table := wideRouter(t)
	for name, c := range map[string]struct {
		target string
		want   float64
	}{
		"static":           {"/section7/page/edit", 0},
		"one capture":      {"/section7/items/42", 1},
		"three captures":   {"/section7/items/42/2026/rest/of/it", 1},
		"after a dead end": {"/section7/items/forty-two", 1},
		"one mount":        {"/mounted", 1},
	} {
		const runs = 100
		var scopes []*protocol.Scope
		var conns []*protocol.Conn
		for range runs + 1 { // one to warm up
			scope, conn := connection(t, get(c.target))
			scopes, conns = append(scopes, scope), append(conns, conn)
		}
		run := 0
		got := testing.AllocsPerRun(runs, func() {
			if _, err := table.Open(t.Context(), scopes[run], conns[run]); err != nil {
				t.Fatal(err)
			}
			run++
		})
		if got != c.want {
			t.Errorf("%s: %v allocations, want %v", name, got, c.want)
		}
	}
}

func BenchmarkLookup(b *testing.B) {
	table := wideRouter(b)
	for _, target := range []string{"/section7/page/edit", "/section7/items/42", "/section7/items/42/2026/rest/of/it", "/nowhere"} {
		b.Run(target[1:], func(b *testing.B) {
			scope, _ := connection(b, get(target))
			b.ReportAllocs()
			for b.Loop() {
				table.Finds(scope)
			}
		})
	}
}

// silent is an application whose Open allocates nothing.
type silent struct{}

func (silent) Open(context.Context, *protocol.Scope, *protocol.Conn) (protocol.Handler, error) {
	return silent{}, nil
}

func (silent) Handle(context.Context, protocol.Event) error { return nil }

// wideRouter returns a router of 201 routes.
func wideRouter(tb testing.TB) *router.URLRouter {
	tb.Helper()
	routes := []router.Route{router.Mount("/mounted", silent{})}
	for i := range 50 {
		routes = append(routes,
			router.Path(fmt.Sprintf("/section%d/page/edit", i), silent{}),
			router.Path(fmt.Sprintf("GET /section%d/items/{id:int}", i), silent{}),
			router.Path(fmt.Sprintf("/section%d/items/{id:int}/{year:int}/{rest...}", i), silent{}),
			router.Path(fmt.Sprintf("/section%d/items/{slug:slug}", i), silent{}),
		)
	}
	return routerOf(tb, routes...)
}
