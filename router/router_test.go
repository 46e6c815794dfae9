package router_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/portico-go/portico/protocol"
	"github.com/portico-go/portico/router"
)

// recorder is a transport that keeps what was sent.
type recorder struct{ sent []protocol.Event }

func (r *recorder) Send(ev protocol.Event) error { r.sent = append(r.sent, ev); return nil }
func (*recorder) Flush() error                   { return nil }
func (*recorder) Post(protocol.Event) error      { return protocol.ErrClosed }

// app is an application that says which one it is and what it got.
type app string

// opened is what an app's Open returned: which it was and the scope it got.
type opened struct {
	app   app
	scope *protocol.Scope
}

func (a app) Open(_ context.Context, scope *protocol.Scope, _ *protocol.Conn) (protocol.Handler, error) {
	return &opened{a, scope}, nil
}

func (*opened) Handle(context.Context, protocol.Event) error { return nil }

// String returns "app root|rest name=value …".
func (o *opened) String() string {
	var b strings.Builder
	b.WriteString(string(o.app))
	if o.scope.RootPath() != "" {
		fmt.Fprintf(&b, " %s|%s", o.scope.RootPath(), o.scope.Rest())
	}
	for p := range o.scope.Params() {
		fmt.Fprintf(&b, " %s=%s", p.Name, p.Value)
	}
	return b.String()
}

// noRoute is an application that has no route.
var noRoute = protocol.ApplicationFunc(func(context.Context, *protocol.Scope, *protocol.Conn) (protocol.Handler, error) {
	return nil, protocol.NoRoute()
})

// get is the request of "METHOD target", or of "target" with GET.
func get(target string) *protocol.Request {
	method, path, ok := strings.Cut(target, " ")
	if !ok {
		method, path = "GET", target
	}
	return &protocol.Request{Protocol: "http", Method: method, Target: path}
}

// open opens a through a connection of its own, as a server does, and returns
// what came out: "app root|rest params", or "STATUS allow".
func open(tb testing.TB, a protocol.Application, req *protocol.Request) string {
	tb.Helper()
	o, err := try(tb, a, req)
	if err == nil {
		return o.String()
	}
	r, ok := errors.AsType[*protocol.Reject](err)
	if !ok {
		tb.Fatalf("Open: %v, want a handler or a *protocol.Reject", err)
	}
	return strings.TrimSpace(fmt.Sprintf("%d %s", r.Status, r.Header.Get("Allow")))
}

func try(tb testing.TB, a protocol.Application, req *protocol.Request) (o *opened, err error) {
	tb.Helper()
	l, err := protocol.NewLifecycle(tb.Context(), req, &recorder{}, &protocol.Settings{})
	if err != nil {
		return nil, err
	}
	defer l.End(nil)
	err = l.Open(protocol.ApplicationFunc(func(ctx context.Context, scope *protocol.Scope, conn *protocol.Conn) (protocol.Handler, error) {
		h, err := a.Open(ctx, scope, conn)
		o, _ = h.(*opened)
		return h, err
	}))
	return o, err
}

// want checks what several targets lead to.
func want(t *testing.T, a protocol.Application, targets map[string]string) {
	t.Helper()
	for target, want := range targets {
		if got := open(t, a, get(target)); got != want {
			t.Errorf("%s leads to %q, want %q", target, got, want)
		}
	}
}

// plain is a middleware that knows nothing of routers.
func plain(inner protocol.Application) protocol.Application {
	return protocol.ApplicationFunc(func(ctx context.Context, scope *protocol.Scope, conn *protocol.Conn) (protocol.Handler, error) {
		return inner.Open(ctx, scope, conn)
	})
}

func routerOf(tb testing.TB, routes ...router.Route) *router.URLRouter {
	tb.Helper()
	r, err := router.NewURLRouter(routes...)
	if err != nil {
		tb.Fatal(err)
	}
	return r
}

func wantReject(t *testing.T, err error, status int, text string) {
	t.Helper()
	r, ok := errors.AsType[*protocol.Reject](err)
	if !ok || r.Status != status || !strings.Contains(r.Text(), text) {
		t.Errorf("got %v, want a Reject with %d that says %q", err, status, text)
	}
}

// connection returns the scope and Conn of a connection.
func connection(tb testing.TB, req *protocol.Request) (scope *protocol.Scope, conn *protocol.Conn) {
	tb.Helper()
	l, err := protocol.NewLifecycle(tb.Context(), req, &recorder{}, &protocol.Settings{})
	if err != nil {
		tb.Fatal(err)
	}
	err = l.Open(protocol.ApplicationFunc(func(_ context.Context, s *protocol.Scope, _ *protocol.Conn) (protocol.Handler, error) {
		scope = s
		return protocol.HandlerFunc(func(context.Context, protocol.Event) error { return nil }), nil
	}))
	if err != nil {
		tb.Fatal(err)
	}
	return scope, l.Conn()
}
