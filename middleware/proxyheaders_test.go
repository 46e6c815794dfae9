package middleware_test

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/portico-go/portico/middleware"
	"github.com/portico-go/portico/protocol"
)

// proxies are the trusted ones of the tests, whose connections come from 192.0.2.7.
var proxies = []string{"192.0.2.0/24", "2001:db8:1::/48", "unix"}

// behindProxy returns client, scheme and Host as scopes have them behind ProxyHeaders.
func behindProxy(t *testing.T, c middleware.ProxyHeadersConfig, proto string, headers ...string) [3]string {
	t.Helper()
	mw := middleware.ProxyHeaders(c)
	wantNoFault(t, mw)
	s := scopeBehind(t, mw, request(t, proto, headers...))
	return [3]string{s.Client().String(), s.Scheme(), s.Host()}
}

func TestD8_ForwardedForIsIgnoredByDefault(t *testing.T) {
	t.Parallel()
	headers := []string{"Host: a", "X-Forwarded-For: 10.1.2.3", "X-Forwarded-Proto: https", "X-Forwarded-Host: b", "Forwarded: for=10.1.2.3"}
	want := [3]string{"192.0.2.7:4711", "http", "a"}
	for _, c := range []middleware.ProxyHeadersConfig{
		{},
		{Forwarded: true, Host: true},
		{TrustedProxies: []string{"10.0.0.0/8"}, Host: true},
		{TrustedProxies: []string{"unix"}, Host: true},
	} {
		if got := behindProxy(t, c, "http", headers...); got != want {
			t.Errorf("%+v: got %q, want %q", c, got, want)
		}
	}
}

func TestD8_ForwardedForWithoutPort(t *testing.T) {
	t.Parallel()
	c := middleware.ProxyHeadersConfig{TrustedProxies: proxies}
	got := behindProxy(t, c, "http", "Host: a", "X-Forwarded-For: 10.1.2.3")
	if want := [3]string{"10.1.2.3:0", "http", "a"}; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestV4_ForwardedForOfAWebSocket(t *testing.T) {
	t.Parallel()
	c := middleware.ProxyHeadersConfig{TrustedProxies: proxies}
	got := behindProxy(t, c, "websocket", "Host: a", "X-Forwarded-For: 10.1.2.3:80", "X-Forwarded-Proto: https")
	if want := [3]string{"10.1.2.3:80", "wss", "a"}; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestD13_ForwardedFor(t *testing.T) {
	t.Parallel()
	const peer = "192.0.2.7:4711"
	tests := []struct {
		name    string
		headers []string
		client  string
		scheme  string
	}{
		{"address, port and proto", []string{"X-Forwarded-For: 10.1.2.3:1234", "X-Forwarded-Proto: https"}, "10.1.2.3:1234", "https"},
		{"IPv6", []string{"X-Forwarded-For: 1043::a321:0001"}, "[1043::a321:1]:0", "http"},
		{"IPv6 in brackets", []string{"X-Forwarded-For: [1043::1]"}, "[1043::1]:0", "http"},
		{"IPv6 with port", []string{"X-Forwarded-For: [1043::1]:99"}, "[1043::1]:99", "http"},
		{"IPv4 in IPv6", []string{"X-Forwarded-For: ::ffff:10.1.2.3"}, "10.1.2.3:0", "http"},
		{"missing", nil, peer, "http"},
		{"empty", []string{"X-Forwarded-For:", "X-Forwarded-Proto:"}, peer, "http"},
		{"garbage", []string{"X-Forwarded-For: unknown", "X-Forwarded-Proto: gopher"}, peer, "http"},
		{"a zone", []string{"X-Forwarded-For: fe80::1%eth0"}, peer, "http"},
		{"proto alone", []string{"X-Forwarded-Proto: HTTPS"}, peer, "https"},

		{"a client that forges", []string{"X-Forwarded-For: 127.0.0.1, 10.1.2.3", "X-Forwarded-Proto: https, http"}, "10.1.2.3:0", "http"},
		{"a client that forges a proxy", []string{"X-Forwarded-For: 127.0.0.1, 192.0.2.9, 10.1.2.3"}, "10.1.2.3:0", "http"},
		{"two proxies", []string{"X-Forwarded-For: 127.0.0.1, 10.1.2.3, 192.0.2.9", "X-Forwarded-Proto: http, https, http"}, "10.1.2.3:0", "https"},
		{"two proxies, one proto", []string{"X-Forwarded-For: 10.1.2.3, 192.0.2.9", "X-Forwarded-Proto: https"}, "10.1.2.3:0", "https"},
		{"two headers", []string{"X-Forwarded-For: 127.0.0.1", "X-Forwarded-For: 10.1.2.3,192.0.2.9"}, "10.1.2.3:0", "http"},
		{"an IPv6 proxy", []string{"X-Forwarded-For: 10.1.2.3, 2001:db8:1::1"}, "10.1.2.3:0", "http"},
		{"proxies only", []string{"X-Forwarded-For: 192.0.2.8, 192.0.2.9"}, "192.0.2.8:0", "http"},
		{"garbage behind a proxy", []string{"X-Forwarded-For: 10.1.2.3, x, 192.0.2.9"}, "192.0.2.9:0", "http"},
	}
	for _, tt := range tests {
		c := middleware.ProxyHeadersConfig{TrustedProxies: proxies}
		got := behindProxy(t, c, "http", append(tt.headers, "Host: a", "Forwarded: for=1.1.1.1;proto=https")...)
		if want := [3]string{tt.client, tt.scheme, "a"}; got != want {
			t.Errorf("%s: got %q, want %q", tt.name, got, want)
		}
	}
}

func TestForwarded(t *testing.T) {
	t.Parallel()
	tests := []struct {
		header string
		want   [3]string
	}{
		{`for=10.1.2.3;proto=https;host=b;by=192.0.2.7`, [3]string{"10.1.2.3:0", "https", "b"}},
		{`For="[1043::1]:99" ; PROTO="https"`, [3]string{"[1043::1]:99", "https", "a"}},
		{`for="10.1.2.3:80"`, [3]string{"10.1.2.3:80", "http", "a"}},
		{`for=10.1.2.3:80`, [3]string{"10.1.2.3:80", "http", "a"}},
		{`for=127.0.0.1, for=10.1.2.3`, [3]string{"10.1.2.3:0", "http", "a"}},
		{`for=127.0.0.1;host=evil,for=10.1.2.3;proto=https,for=192.0.2.9;proto=http;host=b`, [3]string{"10.1.2.3:0", "https", "b"}},
		{`for=127.0.0.1, by=192.0.2.7`, [3]string{"192.0.2.7:4711", "http", "a"}},
		{`for=unknown;proto=https`, [3]string{"192.0.2.7:4711", "https", "a"}},
		{`for="_gazonk"`, [3]string{"192.0.2.7:4711", "http", "a"}},
		{`for="10.1\.2.3";host="b\"`, [3]string{}},
		{`for="10.1\.2.3"`, [3]string{"10.1.2.3:0", "http", "a"}},
		{`, ,for=10.1.2.3;, `, [3]string{"10.1.2.3:0", "http", "a"}},
		{``, [3]string{"192.0.2.7:4711", "http", "a"}},
		{`for=127.0.0.1;by=", for=10.1.2.3`, [3]string{}},
		{`for=1.1.1.1;for=10.1.2.3`, [3]string{}},
		{`for`, [3]string{}},
		{`for=`, [3]string{}},
		{`for = 10.1.2.3`, [3]string{}},
		{`for="10.1.2.3"x`, [3]string{}},
		{`for=10.1.2.3 proto=https`, [3]string{}},
		{`for=10.1"2.3`, [3]string{}},
	}
	for _, tt := range tests {
		c := middleware.ProxyHeadersConfig{TrustedProxies: proxies, Forwarded: true, Host: true}
		headers := []string{"Host: a", "X-Forwarded-For: 1.1.1.1", "X-Forwarded-Proto: https", "Forwarded: " + tt.header}
		if tt.want == ([3]string{}) {
			wantRefusal(t, run(t, middleware.ProxyHeaders(c)(yes), request(t, "http", headers...)), 400, "malformed")
		} else if got := behindProxy(t, c, "http", headers...); got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.header, got, tt.want)
		}
	}
}

func TestProxyHeadersHost(t *testing.T) {
	t.Parallel()
	tests := []struct {
		headers []string
		want    string
	}{
		{[]string{"X-Forwarded-Host: b"}, "b"},
		{[]string{"X-Forwarded-Host: b:8000"}, "b:8000"},
		{[]string{"X-Forwarded-Host: b", "X-Forwarded-Port: 8000"}, "b:8000"},
		{[]string{"X-Forwarded-Host: b:1", "X-Forwarded-Port: 8000"}, "b:1"},
		{[]string{"X-Forwarded-Host: [::1]", "X-Forwarded-Port: 8000"}, "[::1]:8000"},
		{[]string{"X-Forwarded-Host: b", "X-Forwarded-Port: 443", "X-Forwarded-Proto: https"}, "b"},
		{[]string{"X-Forwarded-Host: b", "X-Forwarded-Port: 443"}, "b:443"},
		{[]string{"X-Forwarded-Host: b", "X-Forwarded-Port: x"}, "b"},
		{[]string{"X-Forwarded-Port: 8000"}, "a:8000"},
		{[]string{"X-Forwarded-Host: evil, b", "X-Forwarded-For: 10.1.2.3"}, "b"},
		{[]string{"X-Forwarded-Host: b/c"}, "a"},
		{[]string{"X-Forwarded-Host:"}, "a"},
		{nil, "a"},
	}
	for _, tt := range tests {
		for _, order := range [][]string{append([]string{"Host: a", "Host: a2", "Cookie: x=y"}, tt.headers...), append(tt.headers, "Cookie: x=y", "Host: a")} {
			c := middleware.ProxyHeadersConfig{TrustedProxies: proxies, Host: true}
			s := scopeBehind(t, middleware.ProxyHeaders(c), request(t, "http", order...))
			if s.Host() != tt.want || s.Header("Cookie") != "x=y" {
				t.Errorf("%q: the Host is %q, want %q", order, s.Host(), tt.want)
			}
		}
		c := middleware.ProxyHeadersConfig{TrustedProxies: proxies}
		if got := behindProxy(t, c, "http", append(tt.headers, "Host: a")...); got[2] != "a" {
			t.Errorf("%q: the Host is %q though nobody asked for it", tt.headers, got[2])
		}
	}
}

func TestD7_RootPathHeader(t *testing.T) {
	t.Parallel()
	testRootPathHeader(t, "http")
}

func TestV7_RootPathHeaderOfAWebSocket(t *testing.T) {
	t.Parallel()
	testRootPathHeader(t, "websocket")
}

func testRootPathHeader(t *testing.T, proto string) {
	t.Helper()
	mw := middleware.ProxyHeaders(middleware.ProxyHeadersConfig{TrustedProxies: proxies, Prefix: "Daphne-Root-Path"})
	wantNoFault(t, mw)
	s := scopeBehind(t, mw, request(t, proto, "Host: a", "Daphne-Root-Path: /foobar%20/bar/"))
	got := [...]string{s.RootPath(), s.Path(), s.Rest(), s.RawQuery(), s.Host()}
	if want := [...]string{"/foobar%20/bar", "/foobar /bar/room", "/room", "token=secret", "a"}; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if v, ok := s.Headers().Lookup("Daphne-Root-Path"); ok {
		t.Errorf("the header is still there: %q", v)
	}
	for _, headers := range [][]string{nil, {"Daphne-Root-Path: /"}, {"Daphne-Root-Path:"}} {
		if s := scopeBehind(t, mw, request(t, proto, headers...)); s.RootPath() != "" {
			t.Errorf("%q: the root path is %q, want none", headers, s.RootPath())
		}
	}
	for _, headers := range [][]string{{"Daphne-Root-Path: //evil.example"}, {"Daphne-Root-Path: /.."}, {"Daphne-Root-Path: x"}, {"Daphne-Root-Path: /a", "Daphne-Root-Path: /b"}} {
		wantRefusal(t, run(t, mw(yes), request(t, proto, headers...)), 400, "")
	}
	untrusted := request(t, proto, "Daphne-Root-Path: /a")
	untrusted.Client = netip.MustParseAddrPort("198.51.100.1:1")
	if s := scopeBehind(t, mw, untrusted); s.RootPath() != "" || s.Header("Daphne-Root-Path") != "/a" {
		t.Errorf("a header of a client was believed: %q", s.RootPath())
	}
}

func TestProxyHeadersOverOtherWires(t *testing.T) {
	t.Parallel()
	mw := middleware.ProxyHeaders(middleware.ProxyHeadersConfig{TrustedProxies: proxies, Host: true, Prefix: "X-Forwarded-Prefix"})
	chat := request(t, "chat", "X-Forwarded-For: 10.1.2.3", "X-Forwarded-Prefix: /a", "X-Forwarded-Proto: https")
	if s := scopeBehind(t, mw, chat); s.Client() != chat.Client || s.Scheme() != "chat" || s.RootPath() != "" {
		t.Errorf("chat: a client's line was believed: %v %s %s", s.Client(), s.Scheme(), s.RootPath())
	}
	unix := request(t, "http", "X-Forwarded-For: 10.1.2.3")
	unix.Client = netip.AddrPort{}
	if s := scopeBehind(t, mw, unix); s.Client().String() != "10.1.2.3:0" {
		t.Errorf("unix socket: the client is %v, want 10.1.2.3:0", s.Client())
	}
	mapped := request(t, "http", "X-Forwarded-For: 10.1.2.3")
	mapped.Client = netip.MustParseAddrPort("[::ffff:192.0.2.7]:1")
	if s := scopeBehind(t, mw, mapped); s.Client().String() != "10.1.2.3:0" {
		t.Errorf("a dual-stack socket: the client is %v, want 10.1.2.3:0", s.Client())
	}
}

func TestProxyHeadersFaults(t *testing.T) {
	t.Parallel()
	wantFault(t, middleware.ProxyHeaders(middleware.ProxyHeadersConfig{TrustedProxies: []string{"*"}}), "ProxyHeaders", `"*"`, "10.0.0.0/8")
	wantFault(t, middleware.ProxyHeaders(middleware.ProxyHeadersConfig{Prefix: "a b"}), "ProxyHeaders", `"a b"`)
}

func ExampleProxyHeaders() {
	app := protocol.Chain(
		middleware.ProxyHeaders(middleware.ProxyHeadersConfig{TrustedProxies: []string{"10.0.0.0/8"}, Host: true}),
		middleware.AllowedHosts("chat.example"),
	)(yes)
	fmt.Println(protocol.Check(app))
	// Output: <nil>
}

func FuzzProxyHeaders(f *testing.F) {
	f.Add("10.1.2.3, 192.0.2.9", "https", "b:80", "/x", false)
	f.Add(`for="[::1]:4711";proto=https;host=b, by=x;;`, "", "", "", true)
	f.Add(`for="\`, "", "", "", true)
	f.Fuzz(func(t *testing.T, addrs, proto, host, prefix string, forwarded bool) {
		const last = "198.51.100.1"
		name, nearest := "X-Forwarded-For", last
		if forwarded {
			name, nearest = "Forwarded", "for="+last
		}
		headers, err := protocol.NewHeaders(protocol.Fields{
			{Name: "Host", Value: "a"},
			{Name: "X-Forwarded-Proto", Value: proto},
			{Name: "X-Forwarded-Host", Value: host},
			{Name: "Prefix", Value: prefix},
			{Name: name, Value: strings.TrimPrefix(addrs+", "+nearest, ", ")},
		})
		if err != nil {
			return
		}
		req := request(t, "http")
		req.Headers = headers
		var got *protocol.Scope
		c := middleware.ProxyHeadersConfig{TrustedProxies: proxies, Forwarded: forwarded, Host: true, Prefix: "Prefix"}
		d := run(t, middleware.ProxyHeaders(c)(answering(func(s *protocol.Scope) { got = s })), req)
		switch {
		case got == nil && d.status() == 400:
		case got == nil:
			t.Fatalf("refused with %d: %v", d.status(), d.of(protocol.Refused))
		case got.Client().Addr().String() != last:
			t.Fatalf("%q made the client %v", addrs, got.Client())
		case got.Scheme() != "http" && got.Scheme() != "https":
			t.Fatalf("%q made the scheme %q", proto, got.Scheme())
		case strings.ContainsAny(got.Host(), "/@, ") || got.Host() == "":
			t.Fatalf("%q made the Host %q", host, got.Host())
		}
	})
}
