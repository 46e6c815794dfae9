package server_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"

	"github.com/portico-go/portico/protocol"
	httpproto "github.com/portico-go/portico/protocol/http"
	"github.com/portico-go/portico/router"
	"github.com/portico-go/portico/server"
)

// whoami tells what the scope says of both ends.
var whoami = protocol.ApplicationFunc(func(_ context.Context, scope *protocol.Scope, conn *protocol.Conn) (protocol.Handler, error) {
	text := fmt.Sprintf("%v %v", scope.Client(), scope.Server())
	if p := scope.Peer(); p != nil {
		text = fmt.Sprintf("pid %d uid %d gid %d", p.PID, p.UID, p.GID)
	}
	if scope.TLS() != nil {
		text = scope.Scheme() + " " + scope.TLS().NegotiatedProtocol
	}
	return protocol.HandlerFunc(func(_ context.Context, ev protocol.Event) error {
		switch ev.(type) {
		case *httpproto.Request:
			return conn.Send(&httpproto.Response{Body: []byte(text + "\n")})
		case *protocol.Connect:
			if err := conn.Accept("", nil); err != nil {
				return err
			}
			return conn.SendText(text)
		}
		return nil
	}), nil
})

// certificate is one for 127.0.0.1, and the pool that trusts it.
func certificate(t *testing.T) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		NotAfter:     time.Now().Add(time.Hour),
		IPAddresses:  []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(cert)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pool
}

func TestTLS(t *testing.T) {
	t.Parallel()
	cert, pool := certificate(t)
	addr := start(t, whoami, server.Config{}, func(l *server.Listener) {
		l.TLS = &tls.Config{Certificates: []tls.Certificate{cert}}
	})

	t.Run("https", func(t *testing.T) {
		client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, ForceAttemptHTTP2: true}}
		defer client.CloseIdleConnections()
		if status, body := get(t, client, "https://"+addr+"/"); status != 200 || body != "https http/1.1\n" {
			t.Fatalf("got %d %q", status, body)
		}
	})
	t.Run("wss", func(t *testing.T) {
		c := dialWebSocket(t, "wss://"+addr+"/", ws.Dialer{TLSConfig: &tls.Config{RootCAs: pool}})
		if got, err := wsutil.ReadServerText(c); err != nil || string(got) != "wss " {
			t.Fatalf("got %q, %v", got, err)
		}
	})
	t.Run("chat", func(t *testing.T) {
		c, err := tls.Dial("tcp", addr, &tls.Config{RootCAs: pool})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if _, err := io.WriteString(c, "/join /\n/quit\n"); err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(c)
		if err != nil || !strings.HasPrefix(string(got), "/ok\nchat \n") {
			t.Fatalf("got %q, %v", got, err)
		}
	})
	t.Run("no TLS", func(t *testing.T) {
		c := dial(t, addr)
		_, _ = io.WriteString(c, "/join /\n")
		if got, _ := io.ReadAll(c); strings.Contains(string(got), "/ok") {
			t.Fatalf("got %q", got)
		}
	})
}

func TestUnixSocket(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "s")
	stale, err := net.ListenUnix("unix", &net.UnixAddr{Name: path})
	if err != nil {
		t.Fatal(err)
	}
	stale.SetUnlinkOnClose(false) // as a process leaves it that is killed
	_ = stale.Close()

	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- server.New(whoami, server.Config{}).ListenAndServe(ctx, "unix:"+path) }()
	c := dialUnix(t, path)
	defer c.Close()
	if _, err := io.WriteString(c, "/join /\n/quit\n"); err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(c)
	if want := fmt.Sprintf("/ok\npid %d uid %d gid %d\n", os.Getpid(), os.Getuid(), os.Getgid()); err != nil || !strings.HasPrefix(string(got), want) {
		t.Errorf("chat: %q, %v; want %q", got, err, want)
	}
	client := &http.Client{Transport: &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) { return net.Dial("unix", path) }}}
	defer client.CloseIdleConnections()
	if status, body := get(t, client, "http://unix/"); status != 200 || !strings.HasPrefix(body, fmt.Sprintf("pid %d ", os.Getpid())) {
		t.Errorf("http: %d %q", status, body)
	}
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

// dialUnix connects to a socket that is about to be opened.
func dialUnix(t *testing.T, path string) net.Conn {
	t.Helper()
	for end := time.Now().Add(patience); ; {
		c, err := net.Dial("unix", path)
		if err == nil {
			return c
		}
		if time.Now().After(end) {
			t.Fatal(err)
		}
	}
}

func TestIPv6(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "[::1]:0")
	if err != nil {
		t.Fatal(err)
	}
	stop := serve(whoami, server.Config{}, server.Listener{Net: ln})
	if got := talk(t, ln.Addr().String(), "/join /\n/quit\n"); !strings.HasPrefix(got, "/ok\n[::1]:") {
		t.Errorf("got %q", got)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
}

// A listener serves what it names and nothing else.
func TestListenerProtocols(t *testing.T) {
	t.Parallel()
	addr := start(t, all, server.Config{}, func(l *server.Listener) { l.Protocols = []string{"websocket"} })
	if got := talk(t, addr, "/join /\n"); got != "" {
		t.Errorf("chat: %q, want the end", got)
	}
	if got := talk(t, addr, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"); !strings.HasPrefix(got, "HTTP/1.1 426 ") || !strings.Contains(got, "Upgrade: websocket\r\n") {
		t.Errorf("http: %q, want 426", got)
	}

	addr = start(t, router.ProtocolTypeRouter{"http": hello}, server.Config{})
	if got := talk(t, addr, "/join /\n"); got != "" {
		t.Errorf("chat without an application: %q, want the end", got)
	}
	if got := talk(t, addr, upgradeRequest("/", "Connection: close\r\n")); !strings.HasPrefix(got, "HTTP/1.1 200 ") {
		t.Errorf("an upgrade without an application: %q, want a plain answer", got)
	}
}

func TestConfigErrors(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		app       protocol.Application
		cfg       server.Config
		listeners []server.Listener
		want      []string
	}{
		"no application":  {nil, server.Config{}, []server.Listener{{Address: ":0"}}, []string{"the application is nil"}},
		"no listener":     {all, server.Config{}, nil, []string{"no listener"}},
		"an app that has": {router.ProtocolTypeRouter{"http": nil}, server.Config{}, []server.Listener{{Address: ":0"}}, []string{`"http" is nil`}},
		"many at once": {
			all,
			server.Config{RootPath: "x/", Limits: server.Limits{Body: -1}, Timeouts: server.Timeouts{Idle: -1}},
			[]server.Listener{
				{},
				{Address: "a", Network: "udp"},
				{Address: "b", Protocols: []string{"gopher"}},
				{Address: "c", Protocols: []string{}},
				{Address: "d", TLS: &tls.Config{NextProtos: []string{"h2"}}},
				{Address: "e", ProxyProtocol: []netip.Prefix{{}}},
			},
			[]string{"RootPath", "Limits.Body", "Timeouts.Idle", "neither Net nor Address", `network "udp"`, `"gopher", which is unknown`, "serves no protocol", "without a certificate", "h2", "invalid prefix"},
		},
		"not routed": {
			router.ProtocolTypeRouter{"http": hello},
			server.Config{},
			[]server.Listener{{Address: ":0", Protocols: []string{"http", "chat"}}},
			[]string{`"chat", for which the ProtocolTypeRouter has no application`},
		},
		"nothing to serve": {
			router.ProtocolTypeRouter{"channel": hello},
			server.Config{},
			[]server.Listener{{Address: ":0"}},
			[]string{"can serve nothing"},
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			err := server.New(c.app, c.cfg).Serve(t.Context(), c.listeners...)
			if err == nil {
				t.Fatal("Serve = nil, want an error")
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q is missing in:\n%v", want, err)
				}
			}
		})
	}
}

func TestServeTwice(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	srv := server.New(all, server.Config{})
	if err := srv.ListenAndServe(ctx, "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	if err := srv.ListenAndServe(ctx, "127.0.0.1:0"); err == nil {
		t.Fatal("the second ListenAndServe = nil, want an error")
	}
}

func TestAddressInUse(t *testing.T) {
	t.Parallel()
	addr := start(t, all, server.Config{})
	err := server.New(all, server.Config{}).ListenAndServe(t.Context(), "127.0.0.1:0", addr)
	if err == nil || !strings.Contains(err.Error(), "in use") {
		t.Fatalf("ListenAndServe = %v, want address in use", err)
	}
}
