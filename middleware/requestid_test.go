package middleware_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/portico-go/portico/middleware"
	"github.com/portico-go/portico/protocol"
)

func TestRequestID(t *testing.T) {
	t.Parallel()
	proxy := []string{"192.0.2.0/24"}
	tests := []struct {
		name    string
		proto   string
		trusted []string
		headers []string
		want    string // "" is the connection's own
	}{
		{"nothing is trusted", "http", nil, []string{"X-Request-ID: forged"}, ""},
		{"another proxy is trusted", "http", []string{"10.0.0.0/8"}, []string{"X-Request-ID: forged"}, ""},
		{"a trusted proxy", "http", proxy, []string{"X-Request-ID: abc-1"}, "abc-1"},
		{"a websocket through it", "websocket", proxy, []string{"x-request-id: abc-1"}, "abc-1"},
		{"without one", "http", proxy, nil, ""},
		{"with two", "http", proxy, []string{"X-Request-ID: a", "X-Request-ID: b"}, ""},
		{"empty", "http", proxy, []string{"X-Request-ID:"}, ""},
		{"with a space", "http", proxy, []string{"X-Request-ID: a b"}, ""},
		{"not ASCII", "http", proxy, []string{"X-Request-ID: ä"}, ""},
		{"as long as it may be", "http", proxy, []string{"X-Request-ID: " + strings.Repeat("x", 128)}, strings.Repeat("x", 128)},
		{"too long", "http", proxy, []string{"X-Request-ID: " + strings.Repeat("x", 129)}, ""},
		{"chat has no proxy's headers", "chat", proxy, []string{"X-Request-ID: forged"}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var got string
			mw := middleware.RequestID(middleware.RequestIDConfig{TrustedProxies: tt.trusted})
			wantNoFault(t, mw)
			d := run(t, mw(answering(func(s *protocol.Scope) { got, _ = middleware.RequestIDKey.From(s) })), request(t, tt.proto, tt.headers...))
			want := tt.want
			if want == "" {
				want = d.Conn().ID()
			}
			if got != want {
				t.Errorf("the id is %q, want %q", got, want)
			}
			if tt.proto == "chat" {
				want = ""
			}
			if h := d.header().Get("X-Request-ID"); h != want {
				t.Errorf("the answer has %q, want %q", h, want)
			}
		})
	}
}

func TestRequestIDOnRefusals(t *testing.T) {
	t.Parallel()
	d := run(t, middleware.RequestID(middleware.RequestIDConfig{Header: "Trace"})(noRoute), request(t, "websocket"))
	if d.status() != 404 || d.header().Get("Trace") != d.Conn().ID() {
		t.Errorf("status %d with %v, want 404 with the id", d.status(), d.header())
	}
}

func TestRequestIDFaults(t *testing.T) {
	t.Parallel()
	wantFault(t, middleware.RequestID(middleware.RequestIDConfig{Header: "a b"}), "RequestID", `"a b"`)
	for _, proxy := range []string{"", "proxy.example", "10.0.0.0/33", "fe80::1%eth0", "::ffff:10.0.0.0/104", "*"} {
		wantFault(t, middleware.RequestID(middleware.RequestIDConfig{TrustedProxies: []string{proxy}}), "RequestID", fmt.Sprintf("%q", proxy))
	}
}

func ExampleRequestID() {
	app := middleware.RequestID(middleware.RequestIDConfig{TrustedProxies: []string{"10.0.0.0/8", "unix"}})(
		answering(func(scope *protocol.Scope) {
			id, _ := middleware.RequestIDKey.From(scope)
			_ = id // for logs
		}))
	fmt.Println(protocol.Check(app))
	// Output: <nil>
}

func TestRequestIDTrustsThePeerNotTheClientItNames(t *testing.T) {
	t.Parallel()
	mw := protocol.Chain(
		middleware.ProxyHeaders(middleware.ProxyHeadersConfig{TrustedProxies: []string{"192.0.2.7"}}),
		middleware.RequestID(middleware.RequestIDConfig{TrustedProxies: []string{"192.0.2.7"}}),
	)
	scope := scopeBehind(t, mw, request(t, "http", "X-Forwarded-For: 10.1.2.3", "X-Request-ID: abc"))
	if id, _ := middleware.RequestIDKey.From(scope); id != "abc" || scope.Client().Addr().String() != "10.1.2.3" {
		t.Errorf("the id is %q for the client %v, want the proxy's", id, scope.Client())
	}
}
