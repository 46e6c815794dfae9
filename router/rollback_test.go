package router_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/portico-go/portico/protocol"
	"github.com/portico-go/portico/router"
)

var note = protocol.NewKey[string]("note")

// writes is a middleware that writes all that one can into the record, and keeps
// a log of what ran.
func writes(name string, log *[]string) protocol.Middleware {
	return func(inner protocol.Application) protocol.Application {
		return protocol.ApplicationFunc(func(ctx context.Context, s *protocol.Scope, c *protocol.Conn) (protocol.Handler, error) {
			s.Record(note.Of(name))
			s.OnClose(func(context.Context, error) { *log = append(*log, "close "+name) })
			c.OnClose(func(context.Context, error) { *log = append(*log, "conn close "+name) })
			err := s.OnResponse(func(context.Context, *protocol.Head) error {
				*log = append(*log, "hook "+name)
				return nil
			})
			if err != nil {
				return nil, err
			}
			return inner.Open(ctx, s, c)
		})
	}
}

// accept accepts in Open, and then logs what the record holds.
func accept(log *[]string) protocol.Application {
	return protocol.ApplicationFunc(func(_ context.Context, s *protocol.Scope, c *protocol.Conn) (protocol.Handler, error) {
		noted, _ := note.Recorded(s)
		*log = append(*log, "open "+s.Route()+" "+noted)
		return &opened{"", s}, c.Accept("", nil)
	})
}

func TestAnAbandonedBranchLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	var log []string
	inner := routerOf(t,
		router.Path("/b/{x}", noRoute, router.With(writes("inner leaf", &log))),
		router.Path("/other", app("other")),
	)
	r := routerOf(t,
		router.Path("/{rest...}", accept(&log), router.With(writes("taken", &log))),
		router.Mount("/a", inner, router.With(writes("abandoned", &log))),
	)
	l, err := protocol.NewLifecycle(t.Context(), get("/a/b/c"), &recorder{}, &protocol.Settings{})
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Open(writes("outer", &log)(r)); err != nil {
		t.Fatal(err)
	}
	if got, want := l.Conn().Route(), "/{rest...}"; got != want {
		t.Errorf("the route is %q, want %q", got, want)
	}
	l.End(nil)
	want := []string{
		"conn close inner leaf", "close inner leaf", "conn close abandoned", "close abandoned",
		"open /{rest...} taken", "hook outer", "hook taken",
		"conn close taken", "close taken", "conn close outer", "close outer",
	}
	if !slices.Equal(log, want) {
		t.Errorf("what ran is\n%q, want\n%q", log, want)
	}
}

func TestAMissLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	var log []string
	r := routerOf(t, router.Mount("/a", noRoute, router.With(writes("abandoned", &log))))
	scope, conn := connection(t, get("/a/b"))
	if _, err := r.Open(t.Context(), scope, conn); !protocol.IsNoRoute(err) {
		t.Fatalf("Open: %v", err)
	}
	if noted, ok := note.Recorded(scope); ok || scope.Route() != "" {
		t.Errorf("the record has the note %q and the route %q", noted, scope.Route())
	}
}

// What has been answered cannot be answered by another route.
func TestAnAnswerEndsTheSearch(t *testing.T) {
	t.Parallel()
	answers := protocol.ApplicationFunc(func(_ context.Context, _ *protocol.Scope, c *protocol.Conn) (protocol.Handler, error) {
		return nil, errors.Join(c.Accept("", nil), protocol.NoRoute())
	})
	r := routerOf(t, router.Mount("/a", answers), router.Path("/{rest...}", app("next")))
	if o, err := try(t, r, get("/a/b")); err == nil {
		t.Errorf("got %s, want the error of the application that answered", o)
	}
}

func TestOtherErrorsEndTheSearch(t *testing.T) {
	t.Parallel()
	for _, err := range []error{errors.New("broken"), protocol.Rejectf(404, "no such room"), protocol.Rejectf(403, "no")} {
		fails := protocol.ApplicationFunc(func(context.Context, *protocol.Scope, *protocol.Conn) (protocol.Handler, error) {
			return nil, err
		})
		r := routerOf(t, router.Mount("/a", fails), router.Path("/{rest...}", app("next")))
		if _, got := try(t, r, get("/a/b")); !errors.Is(got, err) {
			t.Errorf("got %v, want %v", got, err)
		}
	}
}

func TestRouteNamesThePatternsOfAllLevels(t *testing.T) {
	t.Parallel()
	inner := routerOf(t, router.Path("GET /rooms/{room}/", app("a")), router.Mount("/", routerOf(t, router.Regexp("x$", app("b")))))
	r := routerOf(t, router.Mount("one.example/", inner), router.Mount("/api/{v}/", inner))
	for target, want := range map[string]string{
		"/api/1/rooms/go/": "/api/{v}/rooms/{room}/",
		"/api/1/x":         "/api/{v}x$",
	} {
		o, err := try(t, r, get(target))
		if err != nil {
			t.Fatal(err)
		}
		if got := o.scope.Route(); got != want {
			t.Errorf("the route of %s is %q, want %q", target, got, want)
		}
	}
}
