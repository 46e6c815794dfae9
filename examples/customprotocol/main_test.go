package main

import (
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"
	"go.uber.org/goleak"
	"go.uber.org/zap"

	"github.com/portico-go/portico/server"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.updateServerDate.func1"), // lives as long as the process
	)
}

// start serves on a loopback port until the test is over.
func start(t *testing.T) (addr string) {
	t.Helper()
	srv, err := newServer(server.Config{Logger: zap.NewNop()})
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- srv.Serve(ctx, server.Listener{Net: ln}) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Errorf("Serve = %v, want nil", err)
		}
	})
	return ln.Addr().String()
}

// A peer is a client on a plain socket.
type peer struct {
	net.Conn
	t *testing.T
}

func dial(t *testing.T, addr, text string) peer {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if err := c.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	p := peer{c, t}
	p.send(text)
	return p
}

func (p peer) send(text string) {
	p.t.Helper()
	if _, err := io.WriteString(p, text); err != nil {
		p.t.Fatal(err)
	}
}

// want reads what must come next.
func (p peer) want(text string) {
	p.t.Helper()
	got := make([]byte, len(text))
	if n, err := io.ReadFull(p, got); err != nil || string(got) != text {
		p.t.Fatalf("read %q, %v; want %q", got[:n], err, text)
	}
}

// wantEnd reads all that comes until the server hangs up.
func (p peer) wantEnd(text string) {
	p.t.Helper()
	if got, err := io.ReadAll(p); err != nil || string(got) != text {
		p.t.Fatalf("read %q, %v; want %q and the end", got, err, text)
	}
}

func TestFourProtocolsOnOnePort(t *testing.T) {
	t.Parallel()
	addr := start(t)

	program := dial(t, addr, "17:/rooms/go builder,")
	program.want("6:200 OK,")
	person := dial(t, addr, "/token wonderland\n/join /rooms/go\n")
	person.want("/ok\n")
	dialer := ws.Dialer{Header: ws.HandshakeHeaderHTTP{"Authorization": {"Bearer wonderland"}}}
	browser, _, _, err := dialer.Dial(t.Context(), "ws://"+addr+"/rooms/go")
	if err != nil {
		t.Fatal(err)
	}
	defer browser.Close()

	program.send(netstring(`{"text":"one,\ntwo lines"}`))
	program.want(netstring(`{"from":"bob","via":"netstring","text":"one,\ntwo lines"}`))
	person.want("<bob> one,\n<bob> two lines\n")
	if got, err := wsutil.ReadServerText(browser); err != nil || string(got) != `{"from":"bob","via":"netstring","text":"one,\ntwo lines"}` {
		t.Fatalf("the browser got %q, %v", got, err)
	}
	person.send("hello, program\n")
	program.want(netstring(`{"from":"alice","via":"chat","text":"hello, program"}`))

	res, err := http.Get("http://" + addr + "/")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if body, err := io.ReadAll(res.Body); err != nil || res.StatusCode != 200 || !strings.Contains(string(body), "netstrings") {
		t.Fatalf("HTTP got %d %q, %v", res.StatusCode, body, err)
	}
	http.DefaultClient.CloseIdleConnections()
}

func TestEndsAndRefusals(t *testing.T) {
	t.Parallel()
	addr := start(t)
	for _, c := range []struct{ name, in, want string }{
		{"anonymous", "9:/rooms/go,", "403 a room needs a token"},
		{"a wrong token", "16:/rooms/go burger,", "401 wrong credentials"},
		{"an unknown path", netstring("/nowhere builder"), "404 Not Found"},
		{"a path that climbs", netstring("/rooms/../x builder"), `400 a path must have no "." or ".." segment`},
		{"no netstring", "4:/abc;", "400 expected a netstring with a path"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dial(t, addr, c.in).wantEnd(netstring(c.want))
		})
	}
	t.Run("half-closed", func(t *testing.T) { // printf … | nc -N
		t.Parallel()
		p := dial(t, addr, `17:/rooms/go builder,13:{"text":"hi"},`)
		if err := p.Conn.(*net.TCPConn).CloseWrite(); err != nil {
			t.Fatal(err)
		}
		p.wantEnd(`6:200 OK,44:{"from":"bob","via":"netstring","text":"hi"},`)
	})
	t.Run("a malformed message", func(t *testing.T) {
		t.Parallel()
		dial(t, addr, netstring("/rooms/x builder")+"hello").wantEnd("6:200 OK,")
	})
}

func netstring(s string) string { return string(appendNetstring(nil, s)) }
