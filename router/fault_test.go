package router_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/portico-go/portico/protocol"
	"github.com/portico-go/portico/router"
)

func TestConflicts(t *testing.T) {
	t.Parallel()
	own := &router.Converter{Name: "own", Match: func(string) bool { return true }}
	type routes = []router.Route
	path := func(pattern string) router.Route { return router.Path(pattern, app(""), router.Convert(own)) }
	mount := func(prefix string) router.Route { return router.Mount(prefix, app("")) }
	for _, c := range []struct {
		a, b     router.Route
		conflict bool
	}{
		{path("/a"), path("/a"), true},
		{path("/a/"), path("/a/{$}"), true},
		{path("/%61"), path("/a"), true},
		{path("/{x}"), path("/{y}"), true},
		{path("/{x}"), path("/{y:str}"), true},
		{path("/{x:int}"), path("/{y:int}"), true},
		{path("/{x:own}/b"), path("/{y:own}/b"), true},
		{path("/a/{x...}"), path("/a/{y...}"), true},
		{path("GET /a"), path("GET /a"), true},
		{path("H.example/a"), path("h.example/a"), true},
		{mount("/a"), mount("/a/"), true},
		{mount("/{x}/a"), mount("/{y}/a/"), true},

		{path("/a"), path("/a/"), false},
		{path("/a"), path("/{x}"), false},
		{path("/{x:int}"), path("/{x}"), false},
		{path("/{x:int}"), path("/{x:own}"), false},
		{path("/a/{x}"), path("/{y}/b"), false},
		{path("/a/{x}"), path("/a/{x...}"), false},
		{path("GET /a"), path("/a"), false},
		{path("GET /a"), path("HEAD /a"), false},
		{path("GET /a/{x}"), path("/a/b"), false},
		{path("a.example/a"), path("b.example/a"), false},
		{path("a.example/a"), path("/a"), false},
		{mount("/a"), path("/a"), false},
		{mount("/a"), path("/a/{x...}"), false},
		{router.Regexp("a", app("")), router.Regexp("a", app("")), false},
	} {
		for _, pair := range []routes{{c.a, c.b}, {c.b, c.a}} {
			_, err := router.NewURLRouter(pair...)
			a, b := patternOf(t, pair[0]), patternOf(t, pair[1])
			switch {
			case !c.conflict && err != nil:
				t.Errorf("%q and %q: %v, want no conflict", a, b, err)
			case c.conflict && err == nil:
				t.Errorf("%q and %q: no conflict", a, b)
			case c.conflict && !strings.Contains(err.Error(), fmt.Sprintf("%q and %q", a, b)):
				t.Errorf("the error %q does not quote %q and %q", err, a, b)
			}
		}
	}
}

// patternOf returns a route's pattern.
func patternOf(t *testing.T, r router.Route) string {
	t.Helper()
	return routerOf(t, r).Describe().Inner[0].Label
}

func TestFaultsNameTheRouteAndTheRemedy(t *testing.T) {
	t.Parallel()
	a := app("a")
	many := strings.Repeat("/{x%d}", 17)
	numbers := make([]any, 17)
	for i := range numbers {
		numbers[i] = i
	}
	conv := func(name string, match func(string) bool) router.RouteOption {
		return router.Convert(&router.Converter{Name: name, Match: match})
	}
	yes := func(string) bool { return true }
	for _, c := range []struct {
		route router.Route
		says  string
	}{
		{router.Path("", a), "no path"},
		{router.Path("a", a), "no path"},
		{router.Path("get /a", a), "capitals"},
		{router.Path(" /a", a), "capitals"},
		{router.Path("GET", a), "no path"},
		{router.Path("/a b", a), "%20"},
		{router.Path("example.com:80/a", a), "without a port"},
		{router.Path("{host}/a", a), "plain name"},
		{router.Path("/a//b", a), "two slashes"},
		{router.Path("//", a), "two slashes"},
		{router.Path("/a/../b", a), "no path can have"},
		{router.Path("/%2e/b", a), "no path can have"},
		{router.Path("/%00", a), "no path can have"},
		{router.Path("/%FF", a), "no path can have"},
		{router.Path("/%2", a), "percent escape"},
		{router.Path("/a?b", a), "query"},
		{router.Path("/{", a), "whole segment"},
		{router.Path("/a{x}", a), "whole segment"},
		{router.Path("/{x}.json", a), "whole segment"},
		{router.Path("/{}", a), "needs a name"},
		{router.Path("/{1}", a), "needs a name"},
		{router.Path("/{ä}", a), "needs a name"},
		{router.Path("/{:int}", a), "needs a name"},
		{router.Path("/{x}/{x:int}", a), `called "x"`},
		{router.Path("/{x...}/a", a), "end of the pattern"},
		{router.Path("/{$}/a", a), "end of the pattern"},
		{router.Path("/{x:int...}", a), "no converter"},
		{router.Path("/{x:float}", a), "router.Convert"},
		{router.Path("/{x:}", a), "router.Convert"},
		{router.Path(fmt.Sprintf(many, numbers...), a), "more than 16"},
		{router.Mount("/a/{x...}", a), "mounted application"},
		{router.Mount("/a/{$}", a), "router.Path"},
		{router.Regexp("(", a), "regexp"},
		{router.Regexp("(?=a)", a), "Go's package regexp"},
		{router.Path("/", nil), "application is nil"},
		{router.Path("/", a, router.With(nil)), "middlewares is nil"},
		{router.Path("/", a, router.With(func(protocol.Application) protocol.Application { return nil })), "returned a nil"},
		{router.Path("/", a, router.Name("a:b")), "colon"},
		{router.Path("/", a, router.Convert(nil)), "converter is nil"},
		{router.Path("/", a, conv("int", yes)), "choose another"},
		{router.Path("/", a, conv("str", yes)), "choose another"},
		{router.Path("/", a, conv("a-b", yes)), "letters"},
		{router.Path("/", a, conv("c", nil)), "Match is nil"},
		{router.Path("/", a, conv("c", yes), conv("c", yes)), "another converter"},
	} {
		r, err := router.NewURLRouter(c.route)
		if err == nil {
			t.Errorf("%q, want %q", r.Describe().Inner[0].Label, c.says)
		} else if !strings.Contains(err.Error(), c.says) || !strings.HasPrefix(err.Error(), `router: the route "`) {
			t.Errorf("the error is %q, want one that names the route and says %q", err, c.says)
		}
	}
}

func TestAllFaultsAreReportedTogether(t *testing.T) {
	t.Parallel()
	routes := []router.Route{
		router.Path("/1", app("a"), router.Name("same")), router.Path("/2", app("b"), router.Name("same")),
		router.Path("/3", nil), router.Path("/1", app("c")),
		router.Mount("/4", routerOf(t, router.Path("/", app("d"), router.Name("same")))),
		router.Mount("/5", routerOf(t, router.Path("/", app("e"), router.Name("same"))), router.Name("fine")),
	}
	_, err := router.NewURLRouter(routes...)
	for _, says := range []string{`"/2": the name "same" is that of the route "/1"`, `"/4": the name "same"`, `"/3"`, `"/1" and "/1"`} {
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("the error is %v, want one that says %q", err, says)
		}
	}
	if err != nil && strings.Contains(err.Error(), `"/5"`) {
		t.Errorf("the error is %v, want none for the mount with a name", err)
	}
	defer func() {
		if v := recover(); fmt.Sprint(v) != err.Error() {
			t.Errorf("MustURLRouter panicked with %v, want %v", v, err)
		}
	}()
	router.MustURLRouter(routes...)
}

func TestTooManyMethods(t *testing.T) {
	t.Parallel()
	var routes []router.Route
	for i := range 65 {
		routes = append(routes, router.Path(fmt.Sprintf("M%d /", i), app("a")))
	}
	want(t, routerOf(t, routes[:64]...), map[string]string{"M0 /": "a", "M63 /": "a"})
	if _, err := router.NewURLRouter(routes...); err == nil || !strings.Contains(err.Error(), "more than 64 methods") {
		t.Errorf("65 methods: %v", err)
	}
}

func TestMapRoutersDescribeThemselves(t *testing.T) {
	t.Parallel()
	inner := routerOf(t, router.Path("GET /b", app("b")), router.Regexp("^c", app("c")))
	r := router.ProtocolTypeRouter{"websocket": inner, "http": app("a"), "channel": router.ChannelNameRouter{"jobs": app("d"), "broken": nil}}
	var labels []string
	_ = protocol.Walk(r, func(n protocol.Node) error {
		labels = append(labels, strings.Join(n.Labels, "|"))
		return nil
	})
	if got, want := strings.Join(labels, ", "), ", channel, channel|jobs, http, websocket, websocket|GET /b, websocket|^c"; got != want {
		t.Errorf("labels: %s, want %s", got, want)
	}
	if err := protocol.Check(r); err == nil || !strings.Contains(err.Error(), `channel "broken" is nil`) {
		t.Errorf("Check: %v, want the nil application", err)
	}
	if err := protocol.Check(router.ProtocolTypeRouter{"http": nil}); err == nil || !strings.Contains(err.Error(), `protocol "http" is nil`) {
		t.Errorf("Check: %v, want the nil application", err)
	}
}

func TestWithWrapsOneRoute(t *testing.T) {
	t.Parallel()
	key := protocol.NewKey[string]("order")
	add := func(name string) protocol.Middleware {
		return func(inner protocol.Application) protocol.Application {
			return protocol.ApplicationFunc(func(ctx context.Context, s *protocol.Scope, c *protocol.Conn) (protocol.Handler, error) {
				before, _ := key.From(s)
				return inner.Open(ctx, s.With(key.Of(before+name)), c)
			})
		}
	}
	r := routerOf(t, router.Path("/a", app("a"), router.With(add("1"), add("2")), router.With(add("3"))), router.Path("/b", app("b")))
	for target, want := range map[string]string{"/a": "123", "/b": ""} {
		o, err := try(t, r, get(target))
		if err != nil {
			t.Fatal(err)
		}
		if got, _ := key.From(o.scope); got != want {
			t.Errorf("%s went through %q, want %q", target, got, want)
		}
	}
}

func TestInt(t *testing.T) {
	t.Parallel()
	o, err := try(t, routerOf(t, router.Path("/{a}/{b}", app("a"))), get("/12/x"))
	if err != nil {
		t.Fatal(err)
	}
	if n, err := router.Int(o.scope, "a"); n != 12 || err != nil {
		t.Errorf("Int(a) is %d, %v", n, err)
	}
	_, err = router.Int(o.scope, "b")
	wantReject(t, err, 404, "Not Found")
	_, err = router.Int(o.scope, "c")
	if r, unexpected := protocol.RejectOf(err); r.Status != 500 || !unexpected || !strings.Contains(err.Error(), `"/{a}/{b}" captures nothing called "c"`) {
		t.Errorf("Int(c): %v", err)
	}
}
