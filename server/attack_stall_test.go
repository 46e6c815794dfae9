package server_test

import (
	"crypto/tls"
	"io"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/portico-go/portico/server"
)

// Who begins and does not go on, or trickles, is closed when its time is up, with
// an answer if there is a protocol to answer in; many of them hold up nobody.
func TestAttackStalls(t *testing.T) {
	cert, _ := certificate(t)
	withTLS := func(l *server.Listener) { l.TLS = &tls.Config{Certificates: []tls.Certificate{cert}} }
	behindProxy := func(l *server.Listener) { l.ProxyProtocol = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")} }
	hello := "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" // the beginning of TLS's
	tests := []struct {
		name, send, want string
		edit             func(*server.Listener)
	}{
		{"silence", "", "", nil},
		{"half a request line", "GET /whoami?" + secret, "408 the request took too long", nil},
		{"half a head", "GET / HTTP/1.1\r\nHost: localhost\r\nCookie: a=" + secret, "408 the request took too long", nil},
		{"half an upgrade", strings.TrimSuffix(upgrade("/ws/go"), "\r\n"), "408 the request took too long", nil},
		{"half a body", request("POST", "/login", "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 100\r\n") + "password=" + secret, "408 the request's body took too long", nil},
		{"half a chunk", request("POST", "/login", "Content-Type: application/x-www-form-urlencoded\r\nTransfer-Encoding: chunked\r\n") + "ff\r\npassword=" + secret, "408 the request's body took too long", nil},
		{"half a line", "/pass " + secret, "/err 408 the handshake took too long", nil},
		{"half a handshake", "/nick bob\n/pass " + secret + "\n", "/err 408 the handshake took too long", nil},
		{"silence instead of TLS", "", "", withTLS},
		{"half of TLS's hello", hello, "", withTLS},
		{"silence instead of PROXY", "", "", behindProxy},
		{"half a PROXY header", "PROXY TCP4 192.0.2.1", "", behindProxy},
		{"half a binary PROXY header", v2(1, 0x11, []byte(v2tcp4))[:20], "", behindProxy},
		{"half a request behind PROXY", "PROXY TCP4 192.0.2.1 198.51.100.2 12345 443\r\nGET / HTTP/1.1\r\n", "408 the request took too long", behindProxy},
	}
	short := server.Config{Timeouts: server.Timeouts{
		Header: 150 * time.Millisecond, Terminal: 200 * time.Millisecond, Stall: 200 * time.Millisecond, Idle: 100 * time.Millisecond,
	}}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			edit := tt.edit
			if edit == nil {
				edit = func(*server.Listener) {}
			}
			besiege(t, rooms(t), short, 0, func(addr string) {
				var many sync.WaitGroup
				for range 20 {
					many.Go(func() {
						if got := shout(t, addr, tt.send); got != tt.want {
							t.Errorf("got %q, want %q", got, tt.want)
						}
					})
				}
				if tt.edit == nil {
					unhurt(t, addr) // meanwhile
				}
				many.Wait()
			}, edit)
		})
	}
}

// A head that comes byte by byte is as slow as one that does not come: the time is
// that of the whole.
func TestAttackTrickle(t *testing.T) {
	cfg := server.Config{Timeouts: server.Timeouts{Header: 200 * time.Millisecond, Terminal: 200 * time.Millisecond}}
	for begin, want := range map[string]string{
		"GET / HTTP/1.1\r\nHost: localhost\r\nX-Slow: ": "408 the request took too long",
		"/nick ": "/err 408 the handshake took too long",
	} {
		besiege(t, rooms(t), cfg, 0, func(addr string) {
			c := dial(t, addr)
			defer c.Close()
			began, over := time.Now(), make(chan struct{})
			go func() {
				_, _ = io.WriteString(c, begin)
				for tick := time.NewTicker(10 * time.Millisecond); ; {
					select {
					case <-tick.C:
						_, _ = io.WriteString(c, "x")
					case <-over:
						return
					}
				}
			}()
			heard, _ := io.ReadAll(c) // a byte that comes too late may reset it
			close(over)
			if got := inShort(heard); got != want || time.Since(began) > patience/2 {
				t.Errorf("after %v: %q, want %q", time.Since(began), got, want)
			}
		})
	}
}
