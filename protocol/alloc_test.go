//go:build !race

package protocol_test

import (
	"context"
	"testing"

	"github.com/portico-go/portico/protocol"
)

var (
	numberKey = protocol.NewKey[int]("number")
	pointer   = protocol.NewKey[*app]("pointer")
)

// sink keeps a result on the heap, where it would be.
var sink *protocol.Scope

// mute is a transport of a request that takes everything.
type mute struct{}

func (mute) Send(protocol.Event) error { return nil }
func (mute) Flush() error              { return nil }
func (mute) Post(protocol.Event) error { return nil }

func TestAllocations(t *testing.T) {
	h, err := protocol.ParseHeaders("Host: example.org\r\nCookie: a=1; sessionid=xyz\r\nAccept: */*\r\n")
	must(t, err)
	req := &protocol.Request{Protocol: "http", Method: "GET", Target: "/rooms/go?a=1&token=abc", Headers: h}
	scope := newScope(t, req, pointer.Of(&app{})).Descend(6, []protocol.Param{{Name: "room", Value: "go"}})
	params := []protocol.Param{{Name: "id", Value: "7"}}
	bound := pointer.Of(&app{})
	scope.Record(bound)
	tests := []struct {
		name string
		want float64
		do   func()
	}{
		{"Key.From", 0, func() { _, _ = pointer.From(scope) }},
		{"Key.From in vain", 0, func() { _, _ = numberKey.From(scope) }},
		{"Key.Recorded", 0, func() { _, _ = pointer.Recorded(scope) }},
		{"Header", 0, func() { _ = scope.Header("accept") }},
		{"Headers.Contains", 0, func() { _ = scope.Headers().Contains("accept", "*/*") }},
		{"Cookie", 0, func() { _, _ = scope.Cookie("sessionid") }},
		{"Query", 0, func() { _ = scope.Query("token") }},
		{"Param", 0, func() { _ = scope.Param("room") }},
		{"paths", 0, func() { _, _, _, _ = scope.Path(), scope.RootPath(), scope.Rest(), scope.RawQuery() }},
		{"Mark", 0, func() { _ = scope.Mark() }},
		{"With", 1, func() { sink = scope.With(bound) }},                       // the scope with its values
		{"Descend without params", 1, func() { sink = scope.Descend(1, nil) }}, // the scope with its values
		{"Descend", 1, func() { sink = scope.Descend(1, params) }},             // and the joined params
		{"NewScope", 4, func() { _ = newScope(t, req) }},                       // the scope, its record, and two of the request
		{"SplitTarget", 0, func() { _, _, _, _ = protocol.SplitTarget("/rooms/go.html?a=b") }},
		{"a request's life", requestAllocs, func() { serve(req) }},
	}
	for _, tt := range tests {
		if got := testing.AllocsPerRun(100, tt.do); got != tt.want {
			t.Errorf("%s: %v allocations, want %v", tt.name, got, tt.want)
		}
	}
}

// requestAllocs are the Lifecycle, the scope, and what the end needs.
const requestAllocs = 3

var (
	settings = &protocol.Settings{}
	server   = context.Background()
	answered = &response{head: protocol.Head{Status: 200}}
	body     = &protocol.Message{}
)

// hello answers every request and allocates nothing itself.
type hello struct{ conn *protocol.Conn }

var greeter = &hello{}

func (h *hello) Open(_ context.Context, _ *protocol.Scope, c *protocol.Conn) (protocol.Handler, error) {
	h.conn = c
	return h, nil
}

func (h *hello) Handle(_ context.Context, ev protocol.Event) error {
	if _, ok := ev.(*protocol.Disconnect); ok {
		return nil
	}
	return h.conn.Send(answered)
}

// serve is what a transport does for a request that is answered whole.
func serve(req *protocol.Request) {
	l, err := protocol.NewLifecycle(server, req, mute{}, settings)
	if err != nil {
		panic(err)
	}
	if l.Open(greeter) == nil {
		_ = l.Deliver(body) // the app never fails
	}
	l.End(nil)
}

func BenchmarkRequest(b *testing.B) {
	req := &protocol.Request{Protocol: "http", Method: "GET", Target: "/hello"}
	b.ReportAllocs()
	for b.Loop() {
		serve(req)
	}
}

func BenchmarkWith(b *testing.B) {
	scope := newScope(b, &protocol.Request{Target: "/"})
	bound := pointer.Of(&app{})
	b.ReportAllocs()
	for b.Loop() {
		sink = scope.With(bound)
	}
}
