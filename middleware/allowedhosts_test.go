package middleware_test

import (
	"fmt"
	"net/netip"
	"testing"

	"github.com/portico-go/portico/middleware"
	"github.com/portico-go/portico/protocol"
)

func TestAllowedHosts(t *testing.T) {
	t.Parallel()
	const public = "192.0.2.1:80"
	tests := []struct {
		name   string
		hosts  []string
		server string // default a loopback address, "-" a unix socket
		host   string
		want   int
	}{
		{name: "listed", hosts: []string{"example.com"}, host: "example.com", want: 101},
		{name: "any port", hosts: []string{"example.com"}, host: "example.com:8000", want: 101},
		{name: "case", hosts: []string{"Example.com"}, host: "eXample.com", want: 101},
		{name: "the root's dot", hosts: []string{"example.com"}, host: "example.com.", want: 101},
		{name: "foreign", hosts: []string{"example.com"}, host: "evil.example", want: 421},
		{name: "loopback is not listed", hosts: []string{"example.com"}, host: "localhost", want: 421},
		{name: "exact means exact", hosts: []string{"example.com"}, host: "a.example.com", want: 421},
		{name: "subdomain", hosts: []string{".example.com"}, host: "a.b.example.com", want: 101},
		{name: "the domain itself", hosts: []string{".example.com"}, host: "example.com", want: 101},
		{name: "another domain with its end", hosts: []string{".example.com"}, host: "badexample.com", want: 421},
		{name: "port", hosts: []string{"example.com:8000"}, host: "example.com:8000", want: 101},
		{name: "another port", hosts: []string{"example.com:8000"}, host: "example.com:8001", want: 421},
		{name: "the default port", hosts: []string{"example.com:80"}, host: "example.com", want: 101},
		{name: "no default port", hosts: []string{"example.com:8000"}, host: "example.com", want: 421},
		{name: "IPv6", hosts: []string{"[2001:db8::1]"}, host: "[2001:db8::1]:8000", want: 101},
		{name: "IPv6 with port", hosts: []string{"[2001:db8::1]:80"}, host: "[2001:db8::1]:8000", want: 421},
		{name: "everything", hosts: []string{"*"}, host: "whatever.example:1", want: 101},
		{name: "everything that is a host", hosts: []string{"*"}, host: "a b", want: 400},

		{name: "no list: localhost", host: "localhost:8000", want: 101},
		{name: "no list: 127.0.0.1", host: "127.0.0.1:8000", want: 101},
		{name: "no list: all of 127/8", host: "127.3.2.1", want: 101},
		{name: "no list: [::1]", host: "[::1]:8000", want: 101},
		{name: "no list: rebound name", host: "evil.example:8000", want: 421},
		{name: "no list: a name that starts like loopback", host: "127.0.0.1.evil.example", want: 421},
		{name: "no list: localhost as a label", host: "localhost.evil.example", want: 421},
		{name: "no list: number", host: "2130706433", want: 421},
		{name: "no list: unix socket", server: "-", host: "localhost", want: 101},
		{name: "no list: unix socket, foreign", server: "-", host: "evil.example", want: 421},
		{name: "no list: public, own address", server: public, host: "192.0.2.1", want: 101},
		{name: "no list: public, loopback", server: public, host: "localhost", want: 421},
		{name: "no list: public, 127.0.0.1", server: public, host: "127.0.0.1", want: 421},
		{name: "no list: public, name", server: public, host: "example.com", want: 421},

		{name: "empty", hosts: []string{"example.com"}, host: "", want: 400},
		{name: "user info", hosts: []string{"example.com"}, host: "x@example.com", want: 400},
		{name: "path", hosts: []string{"example.com"}, host: "example.com/x", want: 400},
		{name: "list", hosts: []string{"example.com"}, host: "example.com, evil.example", want: 400},
		{name: "bad port", hosts: []string{"example.com"}, host: "example.com:http", want: 400},
		{name: "huge port", hosts: []string{"example.com"}, host: "example.com:99999999999999999999", want: 400},
		{name: "empty port", hosts: []string{"example.com"}, host: "example.com:", want: 400},
		{name: "bare IPv6", hosts: []string{"[::1]"}, host: "::1", want: 400},
		{name: "open bracket", hosts: []string{"[::1]"}, host: "[::1", want: 400},
		{name: "zone", hosts: []string{"*"}, host: "[fe80::1%eth0]", want: 400},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			req := request(t, "websocket", "Host: "+tt.host)
			switch tt.server {
			case "":
			case "-":
				req.Server = netip.AddrPort{}
			default:
				req.Server = netip.MustParseAddrPort(tt.server)
			}
			mw := middleware.AllowedHosts(tt.hosts...)
			wantNoFault(t, mw)
			if d := run(t, mw(yes), req); d.status() != tt.want {
				t.Errorf("status %d, want %d: %v", d.status(), tt.want, d.of(protocol.Refused))
			}
		})
	}
}

func TestAllowedHostsNeedsOneHost(t *testing.T) {
	t.Parallel()
	mw := middleware.AllowedHosts("example.com")
	wantRefusal(t, run(t, mw(yes), request(t, "http")), 400, "not 0")
	wantRefusal(t, run(t, mw(yes), request(t, "http", "Host: example.com", "Host: example.com")), 400, "not 2")
	if d := run(t, mw(yes), request(t, "chat")); len(d.of(protocol.Accepted)) != 1 {
		t.Errorf("chat, which has no Host, was refused: %v", d.of(protocol.Refused))
	}
}

func TestAllowedHostsSaysWhatToDo(t *testing.T) {
	t.Parallel()
	req := request(t, "http", "Host: example.com")
	wantRefusal(t, run(t, middleware.AllowedHosts()(yes), req), 421, "give AllowedHosts the hosts to serve")
	wantRefusal(t, run(t, middleware.AllowedHosts("a.example")(yes), req), 421, `"example.com" is not among those`)
}

func TestAllowedHostsFaults(t *testing.T) {
	t.Parallel()
	wantFault(t, middleware.AllowedHosts("https://example.com"), "AllowedHosts", "not origins")
	wantFault(t, middleware.AllowedHosts("a.example", "*.b.example"), "AllowedHosts", `"*.b.example"`)
	wantFault(t, middleware.AllowedHosts("::1"), "AllowedHosts", "brackets")
	wantRefusal(t, run(t, middleware.AllowedHosts("*.b.example")(yes), request(t, "http", "Host: localhost")), 421, "localhost")
}

func ExampleAllowedHosts() {
	app := middleware.AllowedHosts("chat.example", ".staging.example")(yes)
	fmt.Println(protocol.Check(app))
	// Output: <nil>
}
