package server_test

import (
	"bufio"
	"crypto/tls"
	"encoding/binary"
	"io"
	"net/netip"
	"strings"
	"testing"

	"github.com/portico-go/portico/server"
)

// v2 is a PROXY header of version 2.
func v2(command, family byte, body []byte) string {
	b := append([]byte("\r\n\r\n\x00\r\nQUIT\n"), 0x20|command, family)
	b = binary.BigEndian.AppendUint16(b, uint16(len(body)))
	return string(append(b, body...))
}

var (
	v2tcp4 = string([]byte{192, 0, 2, 1, 198, 51, 100, 2, 0x30, 0x39, 0x01, 0xbb})
	v2tcp6 = string(netip.MustParseAddr("2001:db8::1").AsSlice()) + string(netip.MustParseAddr("2001:db8::2").AsSlice()) + "\x30\x39\x01\xbb"
)

func TestParseProxyHeader(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		in, client, server string // no client: none is told
		bad, more          bool
	}{
		"v1 tcp4":             {in: "PROXY TCP4 192.0.2.1 198.51.100.2 12345 443\r\n", client: "192.0.2.1:12345", server: "198.51.100.2:443"},
		"v1 tcp6":             {in: "PROXY TCP6 2001:db8::1 2001:db8::2 12345 443\r\n", client: "[2001:db8::1]:12345", server: "[2001:db8::2]:443"},
		"v1 unknown":          {in: "PROXY UNKNOWN\r\n"},
		"v1 unknown and more": {in: "PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n"},
		"v1 unfinished":       {in: "PROXY TCP4 192.0.2.1", more: true},
		"v1 begun":            {in: "PRO", more: true},
		"v1 too long":         {in: "PROXY TCP4 " + strings.Repeat("1", 100), bad: true},
		"v1 wrong family":     {in: "PROXY TCP4 2001:db8::1 2001:db8::2 12345 443\r\n", bad: true},
		"v1 zone":             {in: "PROXY TCP6 fe80::1%eth0 2001:db8::2 12345 443\r\n", bad: true},
		"v1 port":             {in: "PROXY TCP4 192.0.2.1 198.51.100.2 12345 65536\r\n", bad: true},
		"v1 port with zeros":  {in: "PROXY TCP4 192.0.2.1 198.51.100.2 012 443\r\n", bad: true},
		"v1 two spaces":       {in: "PROXY TCP4  192.0.2.1 198.51.100.2 1 2\r\n", bad: true},
		"v1 bare line feed":   {in: "PROXY TCP4 192.0.2.1 198.51.100.2 1 2\n" + strings.Repeat("x", 100), bad: true},
		"v2 tcp4":             {in: v2(1, 0x11, []byte(v2tcp4)), client: "192.0.2.1:12345", server: "198.51.100.2:443"},
		"v2 tcp6":             {in: v2(1, 0x21, []byte(v2tcp6)), client: "[2001:db8::1]:12345", server: "[2001:db8::2]:443"},
		"v2 with extensions":  {in: v2(1, 0x11, []byte(v2tcp4+"\x04\x00\x01x")), client: "192.0.2.1:12345", server: "198.51.100.2:443"},
		"v2 local":            {in: v2(0, 0, nil)},
		"v2 unspec":           {in: v2(1, 0, nil)},
		"v2 unix":             {in: v2(1, 0x31, make([]byte, 216))},
		"v2 short":            {in: v2(1, 0x11, []byte(v2tcp4[:11])), bad: true},
		"v2 command":          {in: v2(2, 0x11, []byte(v2tcp4)), bad: true},
		"v2 huge":             {in: v2(1, 0x11, make([]byte, 60000)), bad: true},
		"v2 begun":            {in: "\r\n\r\n\x00\r\nQU", more: true},
		"v2 unfinished":       {in: v2(1, 0x11, []byte(v2tcp4))[:20], more: true},
		"none":                {in: "GET / HTTP/1.1\r\n", bad: true},
		"empty":               {in: "", more: true},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			client, srv, n, err := server.ParseProxyHeader([]byte(c.in))
			switch {
			case (err != nil) != c.bad:
				t.Fatalf("error = %v", err)
			case !c.bad && (n == 0) != c.more:
				t.Fatalf("took %d bytes of %d", n, len(c.in))
			case n > 0 && n != len(c.in):
				t.Fatalf("took %d bytes of %d", n, len(c.in))
			case c.client == "" && client.IsValid():
				t.Fatalf("client = %v, want none", client)
			case c.client != "" && (client.String() != c.client || srv.String() != c.server):
				t.Fatalf("client %v to %v, want %s to %s", client, srv, c.client, c.server)
			}
		})
	}
}

func FuzzProxyHeader(f *testing.F) {
	for _, seed := range []string{
		"PROXY TCP4 192.0.2.1 198.51.100.2 12345 443\r\nGET /", "PROXY UNKNOWN\r\n", "PROXY ", "\r\n\r\n\x00\r\nQUIT\n",
		v2(1, 0x11, []byte(v2tcp4)) + "x", v2(1, 0x21, []byte(v2tcp6)), v2(0, 0, nil),
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		client, srv, n, err := server.ParseProxyHeader(in)
		if n < 0 || n > len(in) || err != nil && n != 0 {
			t.Fatalf("took %d of %d bytes with %v", n, len(in), err)
		}
		if client.IsValid() != srv.IsValid() || client.IsValid() && n == 0 {
			t.Fatalf("client %v, server %v, %d bytes", client, srv, n)
		}
		if n == 0 {
			return
		}
		// More bytes behind the header change nothing, and fewer are not enough.
		if _, _, again, err := server.ParseProxyHeader(append(in[:n:n], "more"...)); again != n || err != nil {
			t.Fatalf("with more behind it: %d bytes, %v; want %d", again, err, n)
		}
		if _, _, short, err := server.ParseProxyHeader(in[:n-1]); short != 0 || err != nil {
			t.Fatalf("with a byte less: %d bytes, %v", short, err)
		}
	})
}

// The address that a believed proxy tells is the client's, in every protocol.
func TestProxyProtocol(t *testing.T) {
	t.Parallel()
	loopback := func(l *server.Listener) { l.ProxyProtocol = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")} }
	addr := start(t, whoami, server.Config{}, loopback)
	header := "PROXY TCP4 192.0.2.1 198.51.100.2 12345 443\r\n"

	if got := talk(t, addr, header+"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"); !strings.HasSuffix(got, "192.0.2.1:12345 198.51.100.2:443\n") {
		t.Errorf("http: %q", got)
	}
	if got := talk(t, addr, v2(1, 0x11, []byte(v2tcp4))+"/join /\n/quit\n"); !strings.HasPrefix(got, "/ok\n192.0.2.1:12345 198.51.100.2:443\n") {
		t.Errorf("chat: %q", got)
	}
	if got := talk(t, addr, v2(0, 0, nil)+"/join /\n/quit\n"); !strings.HasPrefix(got, "/ok\n127.0.0.1:") {
		t.Errorf("local: %q", got)
	}
	if got := talk(t, addr, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"); got != "" {
		t.Errorf("without a header: %q, want the end", got)
	}
}

// A PROXY header of somebody who is not believed is what it looks like: junk.
func TestProxyProtocolOfAStranger(t *testing.T) {
	t.Parallel()
	addr := start(t, whoami, server.Config{}, func(l *server.Listener) {
		l.ProxyProtocol = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}
	})
	c := dial(t, addr)
	if _, err := io.WriteString(c, "PROXY TCP4 192.0.2.1 198.51.100.2 12345 443\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	answer, _ := io.ReadAll(c) // the unread rest may reset it
	if !strings.HasPrefix(string(answer), "HTTP/1.1 400 ") {
		t.Fatalf("got %q, want 400", answer)
	}
	if got := talk(t, addr, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"); !strings.Contains(got, "127.0.0.1:") {
		t.Fatalf("without a header: %q", got)
	}
}

// Behind a proxy each client is counted for itself, not all for the proxy.
func TestConnectionsPerIPBehindAProxy(t *testing.T) {
	t.Parallel()
	addr := start(t, echo, server.Config{Limits: server.Limits{ConnectionsPerIP: 1}}, func(l *server.Listener) {
		l.InsecureProxyProtocol = true
	})
	join := func(client string) string {
		c := dial(t, addr)
		if _, err := io.WriteString(c, "PROXY TCP4 "+client+" 198.51.100.2 12345 443\r\n/join /\n"); err != nil {
			t.Fatal(err)
		}
		line, _ := bufio.NewReader(c).ReadString('\n') // nothing, if it was closed
		return line
	}
	for _, try := range []struct{ client, want string }{
		{"192.0.2.1", "/ok\n"}, {"192.0.2.2", "/ok\n"}, {"192.0.2.1", ""},
	} {
		if got := join(try.client); got != try.want {
			t.Errorf("%s: %q, want %q", try.client, got, try.want)
		}
	}
}

// The header comes before TLS.
func TestProxyProtocolBeforeTLS(t *testing.T) {
	t.Parallel()
	cert, pool := certificate(t)
	addr := start(t, whoami, server.Config{}, func(l *server.Listener) {
		l.InsecureProxyProtocol = true
		l.TLS = &tls.Config{Certificates: []tls.Certificate{cert}}
	})
	socket := dial(t, addr)
	if _, err := io.WriteString(socket, v2(1, 0x21, []byte(v2tcp6))); err != nil {
		t.Fatal(err)
	}
	c := tls.Client(socket, &tls.Config{RootCAs: pool, ServerName: "127.0.0.1"})
	if _, err := io.WriteString(c, "/join /\n/quit\n"); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(c); err != nil || !strings.HasPrefix(string(got), "/ok\nchat \n") {
		t.Fatalf("got %q, %v", got, err)
	}
}
