package server_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os/exec"
	"slices"
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

// Three protocols on one port, each with a client that is not ours.
func TestOnePort(t *testing.T) {
	t.Parallel()
	addr := start(t, all, server.Config{})
	for name, try := range map[string]func(*testing.T, string){
		"http by net/http":    tryNetHTTP,
		"http by curl":        tryCurl,
		"websocket by gobwas": tryGobwas,
		"chat by nc":          tryNetcat,
		"nothing served":      tryJunk,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			try(t, addr)
		})
	}
}

func tryNetHTTP(t *testing.T, addr string) {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	for range 3 { // keep-alive
		if status, body := get(t, client, "http://"+addr+"/a"); status != 200 || body != "hello /a\n" {
			t.Fatalf("got %d %q", status, body)
		}
	}
}

func tryCurl(t *testing.T, addr string) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "curl", "-sS", "-d", "x=1", "http://"+addr+"/b").CombinedOutput()
	if err != nil || string(out) != "hello /b\n" {
		t.Fatalf("curl printed %q, %v", out, err)
	}
}

func tryGobwas(t *testing.T, addr string) {
	t.Helper()
	c := dialWebSocket(t, "ws://"+addr+"/ws", ws.Dialer{})
	for _, text := range []string{"one", "zwei", strings.Repeat("x", 100<<10)} {
		if err := wsutil.WriteClientText(c, []byte(text)); err != nil {
			t.Fatal(err)
		}
		got, err := wsutil.ReadServerText(c)
		if err != nil || string(got) != text {
			t.Fatalf("got %.20q, %v", got, err)
		}
	}
	closeFrame := ws.MaskFrame(ws.NewCloseFrame(ws.NewCloseFrameBody(4321, "")))
	if err := ws.WriteFrame(c, closeFrame); err != nil {
		t.Fatal(err)
	}
	rest, err := io.ReadAll(c) // not by wsutil, which would answer the answer
	if got := framesInShort(bytes.NewReader(rest)); err != nil || !slices.Equal(got, []string{"close 4321"}) {
		t.Fatalf("the close is answered with %q, %v", got, err)
	}
}

func tryNetcat(t *testing.T, addr string) {
	t.Helper()
	if got := netcat(t, addr, "/nick alice\n/join /rooms/go\nhi\n/ping 7\nbye\n", "-N"); got != "/ok\nhi\n/pong 7\nbye\n" {
		t.Errorf("nc -N printed %q", got)
	}
	if got := netcat(t, addr, "/nick alice\n/join /rooms/go\nhi\n/quit\n"); !strings.HasPrefix(got, "/ok\nhi\n") {
		t.Errorf("nc printed %q", got)
	}
}

func tryJunk(t *testing.T, addr string) {
	t.Helper()
	if got := talk(t, addr, "\x16\x03\x01 what is this"); got != "" {
		t.Errorf("got %q, want the end", got)
	}
	if got := talk(t, addr, "EHLO example.com\r\n\r\n"); !strings.HasPrefix(got, "HTTP/1.1 400 ") {
		t.Errorf("got %q, want 400", got)
	}
}

// netcat runs nc with text as its input.
func netcat(t *testing.T, addr, text string, flags ...string) string {
	t.Helper()
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "nc", append(flags, host, port)...)
	cmd.Stdin = strings.NewReader(text)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("nc: %v: %s", err, out)
	}
	return string(out)
}

// A frame that came in one packet with the handshake is not lost.
func TestFrameBehindTheHandshake(t *testing.T) {
	t.Parallel()
	addr := start(t, all, server.Config{})
	frame, err := ws.CompileFrame(ws.MaskFrame(ws.NewTextFrame([]byte("early"))))
	if err != nil {
		t.Fatal(err)
	}
	bye, err := ws.CompileFrame(ws.MaskFrame(ws.NewCloseFrame(nil)))
	if err != nil {
		t.Fatal(err)
	}
	got := talk(t, addr, upgradeRequest("/ws")+string(frame)+string(bye))
	if !strings.HasPrefix(got, "HTTP/1.1 101 ") || !strings.Contains(got, "\r\n\r\n\x81\x05early\x88") {
		t.Fatalf("got %q, want the handshake, an echo and a close", got)
	}
}

func TestRefusedUpgrades(t *testing.T) {
	t.Parallel()
	app := newRecorder()
	addr := start(t, app, server.Config{})
	cases := map[string]struct {
		request string
		status  int
	}{
		"a body":         {upgradeRequest("/", "Content-Length: 5\r\n") + "GET /", 400},
		"wrong version":  {strings.Replace(upgradeRequest("/"), "Version: 13", "Version: 8", 1), 426},
		"no key":         {strings.Replace(upgradeRequest("/"), "Sec-WebSocket-Key", "X-Key", 1), 400},
		"wrong method":   {strings.Replace(upgradeRequest("/"), "GET", "POST", 1), 405},
		"dots in a path": {upgradeRequest("/a/../b"), 400},
		"a NUL":          {upgradeRequest("/a%00"), 400},
		"no connection":  {strings.Replace(upgradeRequest("/"), "Connection: Upgrade\r\n", "", 1), 400},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got := talk(t, addr, c.request)
			if !strings.HasPrefix(got, fmt.Sprintf("HTTP/1.1 %d ", c.status)) || !strings.Contains(got, "Connection: close\r\n") {
				t.Fatalf("got %q, want %d and Connection: close", got, c.status)
			}
		})
	}
}

// A browser's form posted to a chat port is closed at its first line.
func TestFormPostedToAChatPort(t *testing.T) {
	t.Parallel()
	app := newRecorder()
	addr := start(t, app, server.Config{}, func(l *server.Listener) { l.Protocols = []string{"chat"} })
	got := talk(t, addr, "POST /x HTTP/1.1\r\nHost: x\r\n\r\n/nick alice\r\n/join /rooms/go\r\n")
	if strings.Contains(got, "/ok") {
		t.Fatalf("got %q", got)
	}
	select {
	case ev := <-app.events:
		t.Fatalf("the application got %s", ev)
	default:
	}
}

// A plain GET on the route of a WebSocket is told what is there.
func TestPlainGetOnAWebSocketRoute(t *testing.T) {
	t.Parallel()
	app := router.ProtocolTypeRouter{
		"http":      router.MustURLRouter(router.Path("/page", hello)),
		"websocket": router.MustURLRouter(router.Path("/ws/{room}", echo), router.Path("/page", echo)),
	}
	addr := start(t, app, server.Config{})
	for request, want := range map[string]string{
		"GET /ws/go":  "HTTP/1.1 426 ",
		"GET /page":   "HTTP/1.1 200 ",
		"GET /no":     "HTTP/1.1 404 ",
		"POST /ws/go": "HTTP/1.1 404 ",
	} {
		got := talk(t, addr, request+" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
		if !strings.HasPrefix(got, want) || strings.Contains(got, "Upgrade: websocket") != strings.Contains(want, "426") {
			t.Errorf("%s: %q, want %q", request, got, want)
		}
	}
}

// A long answer may take longer than a stall, as long as the client reads.
func TestLongAnswerToASlowReader(t *testing.T) {
	t.Parallel()
	body := bytes.Repeat([]byte("x"), 32<<20)
	app := protocol.ApplicationFunc(func(_ context.Context, _ *protocol.Scope, conn *protocol.Conn) (protocol.Handler, error) {
		return protocol.HandlerFunc(func(_ context.Context, ev protocol.Event) error {
			if _, ok := ev.(*httpproto.Request); ok {
				return conn.Send(&httpproto.Response{Body: body})
			}
			return nil
		}), nil
	})
	const stall = 500 * time.Millisecond
	addr := start(t, app, server.Config{Timeouts: server.Timeouts{Stall: stall}})
	c := dial(t, addr)
	if err := c.(*net.TCPConn).SetReadBuffer(64 << 10); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	total, began := 0, time.Now()
	for tick := time.NewTicker(stall / 15); ; <-tick.C {
		n, err := io.CopyN(io.Discard, c, 512<<10)
		total += int(n)
		if err != nil {
			break
		}
	}
	if total < len(body) || time.Since(began) < 2*stall {
		t.Fatalf("read %d bytes of %d in %v", total, len(body), time.Since(began))
	}
}
