package middleware_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/portico-go/portico/middleware"
	"github.com/portico-go/portico/protocol"
)

func TestSameOrigin(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		proto   string
		scheme  string // "" is that of the protocol without TLS
		headers []string
		trusted []string
		reason  string // "" passes
	}{
		{name: "websocket of the same origin", proto: "websocket", headers: []string{"Host: example.com", "Origin: http://example.com"}},
		{name: "websocket of another origin", proto: "websocket", headers: []string{"Host: example.com", "Origin: http://evil.example"}, reason: "evil.example"},
		{name: "a subdomain is another origin", proto: "websocket", headers: []string{"Host: example.com", "Origin: http://a.example.com"}, reason: "a.example.com"},
		{name: "another port is another origin", proto: "websocket", headers: []string{"Host: example.com:8000", "Origin: http://example.com:8001"}, reason: "8001"},
		{name: "the same port", proto: "websocket", headers: []string{"Host: example.com:8000", "Origin: http://example.com:8000"}},
		{name: "the default port in one of them", proto: "websocket", headers: []string{"Host: example.com:443", "Origin: https://example.com"}},
		{name: "IPv6", proto: "websocket", headers: []string{"Host: [::1]:8000", "Origin: http://[::1]:8000"}},
		{name: "case", proto: "websocket", headers: []string{"Host: Example.com", "Origin: HTTP://EXAMPLE.COM"}},
		{name: "https page behind a proxy that ends TLS", proto: "websocket", headers: []string{"Host: example.com", "Origin: https://example.com"}},
		{name: "http page, https server", proto: "websocket", scheme: "wss", headers: []string{"Host: example.com", "Origin: http://example.com"}, reason: "http://example.com"},
		{name: "no browser", proto: "websocket", headers: []string{"Host: example.com"}},
		{name: "an empty Origin", proto: "websocket", headers: []string{"Host: example.com", "Origin:"}, reason: "origin"},
		{name: "a null Origin", proto: "websocket", headers: []string{"Host: null", "Origin: null"}, reason: "null"},
		{name: "a scheme that is no page's", proto: "websocket", headers: []string{"Host: example.com", "Origin: app://example.com"}, reason: "app://"},
		{name: "two Origins", proto: "websocket", headers: []string{"Host: example.com", "Origin: http://example.com", "Origin: http://evil.example"}, reason: "more than one"},
		{name: "no Host", proto: "websocket", headers: []string{"Origin: http://example.com"}, reason: "host"},
		{name: "Sec-Fetch-Site says same", proto: "websocket", headers: []string{"Host: proxy", "Origin: https://example.com", "Sec-Fetch-Site: same-origin"}},
		{name: "Sec-Fetch-Site says other", proto: "websocket", headers: []string{"Host: example.com", "Origin: http://example.com", "Sec-Fetch-Site: same-site"}, reason: "Sec-Fetch-Site"},
		{name: "Sec-Fetch-Site twice", proto: "websocket", headers: []string{"Host: example.com", "Sec-Fetch-Site: same-origin", "Sec-Fetch-Site: cross-site"}, reason: "more than one"},
		{name: "trusted", proto: "websocket", headers: []string{"Host: example.com", "Origin: https://app.example.org", "Sec-Fetch-Site: cross-site"}, trusted: []string{"https://.example.org"}},
		{name: "trusted app", proto: "websocket", headers: []string{"Host: example.com", "Origin: capacitor://localhost"}, trusted: []string{"capacitor://localhost"}},
		{name: "not trusted with this scheme", proto: "websocket", headers: []string{"Host: example.com", "Origin: http://example.org"}, trusted: []string{"https://example.org"}, reason: "http://example.org"},

		{name: "login from another site", proto: "POST http", headers: []string{"Host: example.com", "Origin: http://evil.example"}, reason: "evil.example"},
		{name: "login from another site, new browser", proto: "POST http", headers: []string{"Host: example.com", "Sec-Fetch-Site: cross-site"}, reason: "cross-site"},
		{name: "login from here", proto: "POST http", headers: []string{"Host: example.com", "Origin: http://example.com"}},
		{name: "login typed by the user", proto: "POST http", headers: []string{"Host: example.com", "Sec-Fetch-Site: none"}},
		{name: "login by curl", proto: "POST http", headers: []string{"Host: example.com"}},
		{name: "an unknown method is unsafe", proto: "get http", headers: []string{"Host: example.com", "Origin: http://evil.example"}, reason: "evil.example"},
		{name: "GET is safe", proto: "GET http", headers: []string{"Host: example.com", "Origin: http://evil.example"}},
		{name: "HEAD is safe", proto: "HEAD http", headers: []string{"Host: example.com", "Sec-Fetch-Site: cross-site"}},
		{name: "OPTIONS is safe", proto: "OPTIONS http", headers: []string{"Host: example.com", "Origin: http://evil.example"}},
		{name: "chat has no origin", proto: "chat", headers: []string{"Nick: alice"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			req := request(t, tt.proto, tt.headers...)
			if tt.scheme != "" {
				req.Scheme = tt.scheme
			}
			mw := middleware.SameOrigin(middleware.SameOriginConfig{TrustedOrigins: tt.trusted})
			wantNoFault(t, mw)
			d := run(t, mw(yes), req)
			if tt.reason == "" {
				if len(d.of(protocol.Accepted)) != 1 {
					t.Errorf("refused: %v", d.of(protocol.Refused))
				}
				return
			}
			wantRefusal(t, d, 403, tt.reason)
		})
	}
}

func TestSameOriginRequired(t *testing.T) {
	t.Parallel()
	mw := middleware.SameOrigin(middleware.SameOriginConfig{RequireOrigin: true})
	wantRefusal(t, run(t, mw(yes), request(t, "websocket", "Host: a")), 403, "no Origin")
	wantRefusal(t, run(t, mw(yes), request(t, "POST http", "Host: a")), 403, "no Origin")
	if d := run(t, mw(yes), request(t, "http", "Host: a")); d.status() != 200 {
		t.Errorf("GET: status %d, want 200", d.status())
	}
}

func TestSameOriginAllow(t *testing.T) {
	t.Parallel()
	mw := middleware.SameOrigin(middleware.SameOriginConfig{Allow: func(_ context.Context, scope *protocol.Scope) bool {
		return scope.Header("Origin") == "https://tenant.example"
	}})
	if d := run(t, mw(yes), request(t, "websocket", "Host: a", "Origin: https://tenant.example")); d.status() != 101 {
		t.Errorf("status %d, want 101", d.status())
	}
	wantRefusal(t, run(t, mw(yes), request(t, "websocket", "Host: a", "Origin: https://evil.example")), 403, "evil.example")
}

func TestSameOriginFaults(t *testing.T) {
	t.Parallel()
	for _, pattern := range []string{"*", "*.example.com", "https://example.com/path", "", "https://", "exämple.com"} {
		mw := middleware.SameOrigin(middleware.SameOriginConfig{TrustedOrigins: []string{pattern}})
		wantFault(t, mw, "SameOrigin", pattern)
		wantRefusal(t, run(t, mw(yes), request(t, "websocket", "Host: a", "Origin: https://example.com")), 403, "example.com")
	}
}

func ExampleSameOrigin() {
	site := protocol.Chain(
		middleware.AllowedHosts("chat.example", "localhost"),
		middleware.SameOrigin(middleware.SameOriginConfig{TrustedOrigins: []string{"https://app.example"}}),
	)
	fmt.Println(protocol.Check(site(yes)))
	// Output: <nil>
}
