package protocol_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/portico-go/portico/protocol"
)

func TestScopeFields(t *testing.T) {
	t.Parallel()
	h, err := protocol.NewHeaders(protocol.Fields{{Name: "Host", Value: "example.org"}, {Name: "Nick", Value: "alice"}})
	must(t, err)
	req := &protocol.Request{
		Protocol: "chat", Framing: protocol.FramingLine, Version: "1", Method: "GET", Scheme: "chat", Target: "/app/rooms/a%20b?x=1",
		RootPath: "/app", Headers: h, Subprotocols: []string{"v1"}, Channel: "jobs", Peer: &protocol.PeerCredentials{UID: 7},
		Client: netip.MustParseAddrPort("192.0.2.7:1"), Server: netip.MustParseAddrPort("[::1]:2"),
	}
	s := newScope(t, req)
	got := fmt.Sprint(s.Protocol(), s.Framing(), s.Version(), s.Method(), s.Scheme(), s.Path(), s.RawPath(), s.RootPath(), s.Rest(), s.RawQuery(),
		s.Host(), s.Header("nick"), s.Headers().Len(), s.Subprotocols(), s.Channel(), s.Peer().UID, s.Client(), s.Server(), s.TLS() == nil, s.Route() == "")
	want(t, "fields", got, "chatline1GETchat/app/rooms/a b/app/rooms/a%20b/app/rooms/a%20bx=1example.orgalice2 [v1]jobs7 192.0.2.7:1 [::1]:2 true true")
	bare := newScope(t, &protocol.Request{Protocol: "channel", Channel: "jobs"})
	if bare.Path()+bare.RawPath()+bare.RootPath()+bare.Rest()+bare.RawQuery() != "" {
		t.Error("a scope without a target has a path")
	}
}

func TestRootPath(t *testing.T) {
	t.Parallel()
	for target, status := range map[string]int{"/app": 0, "/app/": 0, "/app/x": 0, "/app?x": 0, "/apple": 404, "/": 404, "/x/app": 404, "/app/../x": 400} {
		_, err := protocol.NewScope(&protocol.Request{Target: target, RootPath: "/app"})
		r, _ := errors.AsType[*protocol.Reject](err)
		if status == 0 && err != nil || status != 0 && (r == nil || r.Status != status) {
			t.Errorf("%s: %v, want %d", target, err, status)
		}
	}
}

func TestScopeIsImmutable(t *testing.T) {
	t.Parallel()
	s := newScope(t, &protocol.Request{Protocol: "http", Target: "/a/b?c"}, noteKey.Of("server's"))
	one, two := s.With(noteKey.Of("one")), s.With(noteKey.Of("two"), userKey.Of("bob"))
	for scope, note := range map[*protocol.Scope]string{s: "server's", one: "one", two: "two"} {
		if v, ok := noteKey.From(scope); v != note || !ok {
			t.Errorf("note = %q, want %q", v, note)
		}
	}
	if _, ok := userKey.From(one); ok {
		t.Error("a value of one branch is in the other")
	}

	a := s.Descend(2, []protocol.Param{{Name: "x", Value: "1"}})
	b, c := a.Descend(2, []protocol.Param{{Name: "x", Value: "2"}}), a.Descend(0, []protocol.Param{{Name: "y", Value: "3"}})
	got := fmt.Sprint(s.Rest(), a.RootPath(), a.Rest(), b.RootPath(), b.Rest(), a.Param("x"), b.Param("x"), c.Param("x"), c.Param("y"),
		slices.Collect(b.Params()), b.RawQuery())
	want(t, "descents", got, "/a/b/a/b/a/b1213[{x 1} {x 2}]c")
	if _, ok := b.LookupParam("y"); ok {
		t.Error("a parameter of one branch is in the other")
	}

	edited := s.WithRequest(func(r *protocol.Request) { r.Scheme, r.Target, r.RootPath = "https", "/other", "/o" })
	if edited.Scheme() != "https" || s.Scheme() != "" || edited.RawPath() != "/a/b" || edited.RootPath() != "" {
		t.Errorf("%q %q %q", edited.Scheme(), s.Scheme(), edited.RawPath())
	}
	s.Record(noteKey.Of("recorded"))
	if v, _ := noteKey.Recorded(edited); v != "recorded" {
		t.Error("derived scopes have a record of their own")
	}
}

func TestSetRoute(t *testing.T) {
	t.Parallel()
	s := newScope(t, &protocol.Request{Target: "/"})
	s.SetRoute("/api/")
	s.Descend(0, nil).SetRoute("/rooms/{id}")
	want(t, "route", s.Route(), "/api/rooms/{id}")
}

func TestNoRoute(t *testing.T) {
	t.Parallel()
	wrapped := fmt.Errorf("outer: %w", protocol.NoRouteWith(protocol.Reject{Status: 405}))
	for err, want := range map[error]bool{protocol.NoRoute(): true, wrapped: true, protocol.Rejectf(404, "x"): false, errTest: false, nil: false} {
		if protocol.IsNoRoute(err) != want {
			t.Errorf("IsNoRoute(%v) = %v", err, !want)
		}
	}
	if r, unexpected := protocol.RejectOf(wrapped); r.Status != 405 || unexpected {
		t.Errorf("RejectOf = %v, %v", r, unexpected)
	}
}

func TestErrorTexts(t *testing.T) {
	t.Parallel()
	for err, want := range map[error]string{
		&protocol.Reject{}: "protocol: refused with 403 Forbidden",
		&protocol.Reject{Status: 401, Reason: "who?", Err: errTest}:               "protocol: refused with 401 who?: the test's error",
		&protocol.CloseError{Code: 4001, Reason: "enough", Err: errTest}:          "protocol: closed with 4001 enough: the test's error",
		&protocol.CloseError{Code: 1000, Remote: true}:                            "protocol: closed by the peer with 1000",
		&protocol.StateError{Event: "x", State: protocol.StateClosed, Want: "no"}: "protocol: x was sent while the connection is closed, which allows no",
	} {
		if err.Error() != want {
			t.Errorf("got %q, want %q", err, want)
		}
	}
}

func TestIDs(t *testing.T) {
	t.Parallel()
	a, _ := begin(t)
	b, _ := begin(t)
	defer a.End(nil)
	defer b.End(nil)
	first, again, other := a.Conn().ID(), a.Conn().ID(), b.Conn().ID()
	if first == other || first != again || !protocol.IsToken(first) {
		t.Errorf("%q, %q, %q", first, again, other)
	}
}

func TestChainOrder(t *testing.T) {
	t.Parallel()
	var notes []string
	mw := func(name string) protocol.Middleware {
		return func(app protocol.Application) protocol.Application {
			return protocol.ApplicationFunc(func(ctx context.Context, s *protocol.Scope, c *protocol.Conn) (protocol.Handler, error) {
				notes = append(notes, name)
				return app.Open(ctx, s, c)
			})
		}
	}
	l, _ := begin(t)
	must(t, l.Open(protocol.Chain(mw("outer"), protocol.Chain(mw("middle")), protocol.Chain(), mw("inner"))(&app{})))
	l.End(nil)
	want(t, "order", strings.Join(notes, " "), "outer middle inner")
}
