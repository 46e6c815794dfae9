package middleware_test

import (
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/portico-go/portico/middleware"
	"github.com/portico-go/portico/protocol"
)

func wantOrigin(t *testing.T, patterns, headers []string, want bool) {
	t.Helper()
	for _, proto := range []string{"websocket", "POST http"} {
		d := run(t, middleware.AllowedOrigins(patterns...)(yes), request(t, proto, headers...))
		if got := len(d.of(protocol.Accepted)) == 1; got != want {
			t.Errorf("%s: patterns %q with %q: allowed %v, want %v", proto, patterns, headers, got, want)
		}
		if !want {
			wantRefusal(t, d, 403, "rigin")
		}
	}
}

func TestO1_AllowedOriginPasses(t *testing.T) {
	t.Parallel()
	wantOrigin(t, []string{"allowed-domain.com"}, []string{"Origin: http://allowed-domain.com"}, true)
}

func TestO2_ForeignOriginIsRefused(t *testing.T) {
	t.Parallel()
	wantOrigin(t, []string{"allowed-domain.com"}, []string{"Origin: http://bad-domain.com"}, false)
}

func TestO3_StarDotPatternMatchesNothing(t *testing.T) {
	t.Parallel()
	for _, origin := range []string{"http://bad-domain.com", "http://allowed-domain.com", "http://www.allowed-domain.com"} {
		wantOrigin(t, []string{"*.allowed-domain.com"}, []string{"Origin: " + origin}, false)
	}
	wantFault(t, middleware.AllowedOrigins("*.allowed-domain.com"), "AllowedOrigins", `"*.allowed-domain.com"`, "want host")
}

func TestO4_SubdomainPasses(t *testing.T) {
	t.Parallel()
	wantOrigin(t, []string{".allowed-domain.com"}, []string{"Origin: http://www.allowed-domain.com"}, true)
	wantOrigin(t, []string{".allowed-domain.com"}, []string{"Origin: http://allowed-domain.com"}, true)
	wantOrigin(t, []string{".allowed-domain.com"}, []string{"Origin: http://notallowed-domain.com"}, false)
}

func TestO5_SchemeAndPortMatch(t *testing.T) {
	t.Parallel()
	wantOrigin(t, []string{"http://allowed-domain.com"}, []string{"Origin: http://allowed-domain.com"}, true)
	wantOrigin(t, []string{"http://allowed-domain.com"}, []string{"Origin: https://bad-domain.com:443"}, false)
	wantOrigin(t, []string{"http://allowed-domain.com"}, []string{"Origin: https://allowed-domain.com"}, false)
	wantOrigin(t, []string{"http://allowed-domain.com"}, []string{"Origin: http://allowed-domain.com:8080"}, false)
	wantOrigin(t, []string{"http://allowed-domain.com:80"}, []string{"Origin: http://allowed-domain.com"}, true)
	wantOrigin(t, []string{"https://.allowed-domain.com:8443"}, []string{"Origin: https://a.allowed-domain.com:8443"}, true)
	wantOrigin(t, []string{"https://.allowed-domain.com:8443"}, []string{"Origin: https://a.allowed-domain.com"}, false)
}

func TestO6_StarPassesWithoutOrigin(t *testing.T) {
	t.Parallel()
	wantOrigin(t, []string{"*"}, nil, true)
}

func TestO7_NoPatternsRefuseWithoutOrigin(t *testing.T) {
	t.Parallel()
	wantOrigin(t, nil, nil, false)
	wantOrigin(t, []string{"allowed-domain.com"}, nil, false)
}

func TestO8_EmptyOriginIsRefused(t *testing.T) {
	t.Parallel()
	wantOrigin(t, []string{".allowed-domain.com"}, []string{"Origin: "}, false)
	wantOrigin(t, []string{".allowed-domain.com", middleware.AllowMissingOrigin}, []string{"Origin: "}, false)
}

func TestO9_GarbageOriginIsRefused(t *testing.T) {
	t.Parallel()
	for _, origin := range []string{
		"something-invalid", "allowed-domain.com", "//allowed-domain.com", "://allowed-domain.com", "http://", "null",
		"http://allowed-domain.com/path", "http://user@allowed-domain.com", "http://allowed-domain.com:", "http://allowed-domain.com:port",
		"http://allowed-domain.com:99999", "http://[allowed-domain.com", "http://[::1", "http://a..allowed-domain.com", "http://evil.com#.allowed-domain.com",
	} {
		wantOrigin(t, []string{".allowed-domain.com"}, []string{"Origin: " + origin}, false)
	}
}

func TestAllowedOriginsPatterns(t *testing.T) {
	t.Parallel()
	wantOrigin(t, []string{"localhost:8000"}, []string{"Origin: http://localhost:8000"}, true)
	wantOrigin(t, []string{"localhost:8000"}, []string{"Origin: https://localhost:8000"}, true)
	wantOrigin(t, []string{"localhost:8000"}, []string{"Origin: http://localhost:8001"}, false)
	wantOrigin(t, []string{"example.com:443"}, []string{"Origin: https://example.com"}, true)
	wantOrigin(t, []string{"[::1]:8000"}, []string{"Origin: http://[::1]:8000"}, true)
	wantOrigin(t, []string{"a.com", middleware.AllowMissingOrigin}, nil, true)
	wantOrigin(t, []string{"a.com", middleware.AllowMissingOrigin}, []string{"Origin: http://b.com"}, false)
	wantOrigin(t, []string{"a.com"}, []string{"Origin: http://a.com", "Origin: http://a.com"}, false)
	for _, proto := range []string{"http", "HEAD http", "chat"} {
		if d := run(t, middleware.AllowedOrigins()(yes), request(t, proto, "Origin: http://evil.example")); len(d.of(protocol.Accepted)) != 1 {
			t.Errorf("%s was refused: %v", proto, d.of(protocol.Refused))
		}
	}
}

func ExampleAllowedOrigins() {
	fmt.Println(protocol.Check(middleware.AllowedOrigins("https://.example.com", "localhost:3000")(yes)))
	fmt.Println(protocol.Check(middleware.AllowedOrigins("https://example.com/")(yes)))
	// Output:
	// <nil>
	// AllowedOrigins: middleware: the pattern "https://example.com/" is no host: want host, .host for its subdomains too, host:port, scheme://host or *, in ASCII, with IPv6 addresses in brackets
}

func FuzzAllowedOrigins(f *testing.F) {
	f.Add("example.com", "https://example.com")
	f.Add(".example.com:8000", "http://a.example.com:8000")
	f.Add("https://[::1]:1", "https://[::1]:1")
	f.Add("*.example.com", "null")
	f.Fuzz(func(t *testing.T, pattern, origin string) {
		headers, err := protocol.NewHeaders(protocol.Fields{{Name: "Origin", Value: origin}})
		if err != nil || pattern == "*" {
			return
		}
		req := request(t, "websocket")
		req.Headers = headers
		d := run(t, middleware.AllowedOrigins(pattern)(yes), req)
		if d.status() == 403 {
			return
		}
		// What passes is a URL of a scheme and a host whose name ends as the pattern says.
		u, err := url.Parse(strings.Trim(origin, " \t"))
		if err != nil || u.Path != "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
			t.Fatalf("the pattern %q lets %q pass", pattern, origin)
		}
		domain, ok := strings.CutPrefix(strings.ToLower(pattern), ".")
		if strings.ContainsAny(domain, ":[") {
			return // a scheme, a port, an IPv6 address: the tables have them
		}
		got, want := strings.TrimSuffix(strings.ToLower(u.Hostname()), "."), strings.TrimSuffix(domain, ".")
		if got != want && (!ok || !strings.HasSuffix(got, "."+want)) {
			t.Fatalf("the pattern %q lets %q pass, whose host is %q", pattern, origin, got)
		}
	})
}
