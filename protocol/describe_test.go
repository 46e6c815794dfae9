package protocol_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/portico-go/portico/protocol"
)

// A room is an application of which only the description counts.
type room struct {
	protocol.Application
	d protocol.Description
}

func (r *room) Describe() protocol.Description { return r.d }

func keys(k ...protocol.AnyKey) []protocol.AnyKey { return k }

var (
	userKey    = protocol.NewKey[string]("user")
	sessionKey = protocol.NewKey[string]("session")
)

func around(name string, requires, provides []protocol.AnyKey, inner ...protocol.Inner) *room {
	return &room{d: protocol.Description{Name: name, Requires: requires, Provides: provides, Inner: inner}}
}

func only(app protocol.Application) protocol.Inner { return protocol.Inner{App: app} }

func TestCheck(t *testing.T) {
	t.Parallel()
	leaf := around("chat", keys(userKey), nil)
	session := func(app protocol.Application) *room { return around("session", nil, keys(sessionKey), only(app)) }
	auth := func(app protocol.Application) *room {
		return around("auth", keys(sessionKey), keys(userKey), only(app))
	}
	opaque := protocol.ApplicationFunc(nil)
	broken := &room{d: protocol.Description{Name: "URLRouter", Err: errTest}}
	tests := []struct {
		name string
		app  protocol.Application
		want []string // errors, in order
	}{
		{"in order", session(auth(leaf)), nil},
		{"opaque", opaque, nil},
		{"opaque inside", session(opaque), nil},
		{"wrong order", auth(session(leaf)), []string{`protocol: auth needs "session"; session provides it but stands inside: put session outside of auth`}},
		{"missing", leaf, []string{`protocol: chat needs "user"; nothing around it provides it: put a middleware that does outside of it`}},
		{
			"a branch without", around("ProtocolTypeRouter", nil, nil, protocol.Inner{Label: "http", App: session(auth(leaf))}, protocol.Inner{Label: "chat", App: leaf}),
			[]string{`protocol: chat at chat needs "user"; nothing around it provides it: put a middleware that does outside of it`},
		},
		{
			"construction", around("ProtocolTypeRouter", nil, nil, protocol.Inner{Label: "http", App: broken}, protocol.Inner{Label: "chat", App: broken}),
			[]string{"URLRouter at http: the test's error", "URLRouter at chat: the test's error"},
		},
		{"nil", around("ProtocolTypeRouter", nil, nil, protocol.Inner{Label: "http"}), []string{"protocol: there is no application at http: it is nil"}},
		{"itself provides what it needs", around("odd", keys(userKey), keys(userKey)), []string{`protocol: odd needs "user"; nothing around it provides it: put a middleware that does outside of it`}},
		{"a key of the same name", around("other", nil, keys(protocol.NewKey[string]("user")), only(leaf)), []string{`protocol: chat needs "user"; nothing around it provides it: put a middleware that does outside of it`}},
	}
	for _, tt := range tests {
		var got []string
		if err := protocol.Check(tt.app); err != nil {
			got = strings.Split(err.Error(), "\n")
		}
		if !slices.Equal(got, tt.want) {
			t.Errorf("%s:\n got %q\nwant %q", tt.name, got, tt.want)
		}
	}
	if err := protocol.Check(broken); !errors.Is(err, errTest) {
		t.Errorf("Check = %v does not match the fault", err)
	}
}

func TestWalk(t *testing.T) {
	t.Parallel()
	leaf := protocol.ApplicationFunc(nil)
	tree := around("router", nil, nil,
		protocol.Inner{Label: "http", App: around("session", nil, nil, only(around("urls", nil, nil,
			protocol.Inner{Label: "/a", App: leaf}, protocol.Inner{Label: "/b", App: leaf})))},
		protocol.Inner{Label: "chat", App: leaf})
	var got []string
	must(t, protocol.Walk(tree, func(n protocol.Node) error {
		got = append(got, strings.Join(n.Labels, " ")+": "+strings.Join(n.Names, " > "))
		return nil
	}))
	const f = "protocol.ApplicationFunc"
	want := []string{
		": router", "http: router > session", "http: router > session > urls",
		"http /a: router > session > urls > " + f, "http /b: router > session > urls > " + f, "chat: router > " + f,
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	visits := 0
	err := protocol.Walk(tree, func(protocol.Node) error { visits++; return errTest })
	if err != errTest || visits != 1 {
		t.Errorf("Walk = %v after %d visits", err, visits)
	}
}

// hooked is an application with hooks that note that they ran.
func hooked(notes *[]string, name string, fail error, inner ...protocol.Inner) *room {
	r := around(name, nil, nil, inner...)
	r.d.Start = func(_ context.Context, state *protocol.LifespanState) error {
		*notes = append(*notes, "start "+name)
		state.Set(noteKey.Of(name))
		return fail
	}
	r.d.Stop = func(ctx context.Context) error {
		*notes = append(*notes, "stop "+name)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return fail
	}
	return r
}

func TestLifespan(t *testing.T) {
	t.Parallel()
	var notes []string
	shared := hooked(&notes, "shared", nil)
	tree := hooked(&notes, "outer", nil, only(shared), only(protocol.ApplicationFunc(nil)), only(hooked(&notes, "inner", nil)), only(shared))
	span, err := protocol.StartAll(t.Context(), tree)
	must(t, err)
	scope := newScope(t, &protocol.Request{Target: "/"}, span.Values...)
	if v, _ := noteKey.From(scope); v != "inner" {
		t.Errorf("the scope has %q, want what was set last", v)
	}
	must(t, span.StopAll(t.Context()))
	must(t, span.StopAll(t.Context()))
	want(t, "order", strings.Join(notes, ", "), "start outer, start shared, start inner, stop inner, stop shared, stop outer")
}

func TestLifespanFails(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var notes []string
		bad := hooked(&notes, "bad", errTest)
		tree := hooked(&notes, "outer", nil, only(hooked(&notes, "inner", nil)), only(bad), only(hooked(&notes, "never", nil)))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		time.Sleep(time.Minute) // the hooks that stop must not inherit a dead context
		_, err := protocol.StartAll(ctx, tree)
		wantErr(t, err, "protocol: bad did not start: the test's error", errTest)
		want(t, "order", strings.Join(notes, ", "), "start outer, start inner, start bad, stop inner, stop outer")
		if errors.Is(err, context.DeadlineExceeded) {
			t.Error("the stop hooks got the context that is over")
		}
	})
}

func TestLifespanPanics(t *testing.T) {
	t.Parallel()
	var notes []string
	bad := hooked(&notes, "bad", nil)
	bad.d.Start = func(context.Context, *protocol.LifespanState) error { panic("oops") }
	_, err := protocol.StartAll(t.Context(), hooked(&notes, "outer", nil, only(bad)))
	if _, ok := errors.AsType[*protocol.PanicError](err); !ok {
		t.Errorf("StartAll = %v, want the panic", err)
	}
	want(t, "order", strings.Join(notes, ", "), "start outer, stop outer")

	notes = nil
	bad = hooked(&notes, "bad", nil)
	bad.d.Stop = func(context.Context) error { panic("oops") }
	span, err := protocol.StartAll(t.Context(), hooked(&notes, "outer", errors.Join(), only(bad)))
	must(t, err)
	if _, ok := errors.AsType[*protocol.PanicError](span.StopAll(t.Context())); !ok {
		t.Error("StopAll hides the panic")
	}
	want(t, "order", strings.Join(notes, ", "), "start outer, start bad, stop outer")
}
