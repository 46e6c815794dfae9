package server_test

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"

	"github.com/portico-go/portico/protocol"
	"github.com/portico-go/portico/server"
)

// Whoever is slow to say what it wants is closed, with an answer if it began.
func TestStalledBeginnings(t *testing.T) {
	t.Parallel()
	addr := start(t, all, server.Config{Timeouts: server.Timeouts{Header: 50 * time.Millisecond, Terminal: 100 * time.Millisecond}})
	machines := start(t, all, server.Config{Timeouts: server.Timeouts{Header: 50 * time.Millisecond, Terminal: time.Hour}},
		func(l *server.Listener) { l.Protocols = []string{"http", "websocket"} })
	cases := map[string]struct{ addr, send, want string }{
		"nothing":              {addr, "", ""},
		"nothing of a machine": {machines, "", ""},
		"half a request line":  {addr, "GET / HT", "HTTP/1.1 408 "},
		"half a head":          {addr, "GET / HTTP/1.1\r\nHost: x\r\n", "HTTP/1.1 408 "},
		"half a chat line":     {addr, "/nick al", "/err 408 "},
		"half a handshake":     {addr, "/nick alice\n", "/err 408 "},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := talk(t, c.addr, c.send); !strings.HasPrefix(got, c.want) || c.want == "" && got != "" {
				t.Fatalf("got %q, want %q", got, c.want)
			}
		})
	}
}

// A handler that neither accepts nor refuses is refused.
func TestNoAnswer(t *testing.T) {
	t.Parallel()
	app := newRecorder()
	app.handle = func(context.Context, *protocol.Conn, protocol.Event) error { return nil }
	addr := start(t, app, server.Config{Timeouts: server.Timeouts{Handshake: 50 * time.Millisecond}})
	for request, want := range map[string]string{"/join /\n": "/err 503 ", upgradeRequest("/"): "HTTP/1.1 503 "} {
		if got := talk(t, addr, request); !strings.HasPrefix(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
		app.want(t, "connect", "disconnect")
		app.wantCause(t, protocol.ErrHandshakeTimeout)
	}
}

func TestSizes(t *testing.T) {
	t.Parallel()
	addr := start(t, all, server.Config{Limits: server.Limits{Header: 1024, Body: 100, Frame: 200}})
	long := strings.Repeat("x", 2000)
	cases := map[string]struct{ send, want string }{
		"header":         {"GET / HTTP/1.1\r\nHost: x\r\nX: " + long + "\r\n\r\n", "HTTP/1.1 431 "},
		"upgrade header": {upgradeRequest("/", "X: "+long+"\r\n"), "HTTP/1.1 431 "},
		"path":           {"GET /" + long + " HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 431 "},
		"body":           {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2000\r\n\r\n" + long, "HTTP/1.1 413 "},
		"chunked body":   {"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n7d0\r\n" + long + "\r\n0\r\n\r\n", "HTTP/1.1 413 "},
		"handshake":      {strings.Repeat("/cookie a=b\n", 200), "/err "},
		"handshake line": {"/nick " + long, "/err 400 "},
		"line":           {"/join /\n" + long + "\n", "/ok\n/err 400 "},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			conn := dial(t, addr)
			go func() { _, _ = io.WriteString(conn, c.send) }()
			got, _ := io.ReadAll(conn) // what is left unread may reset it in the end
			if !strings.HasPrefix(string(got), c.want) {
				t.Fatalf("got %q, want %q", got, c.want)
			}
		})
	}
}

// webSocket is a WebSocket to an application that notes its events.
func webSocket(t *testing.T, cfg server.Config) (*recorder, io.ReadWriter) {
	t.Helper()
	app := newRecorder()
	addr := start(t, app, cfg)
	return app, dialWebSocket(t, "ws://"+addr+"/", ws.Dialer{})
}

func TestV10_TooBigForTheLimits(t *testing.T) {
	t.Parallel()
	limits := server.Config{Limits: server.Limits{Frame: 100, Message: 150}}
	cases := map[string][]ws.Frame{
		"frame":   {ws.NewTextFrame(make([]byte, 101))},
		"message": {ws.NewFrame(ws.OpText, false, make([]byte, 100)), ws.NewFrame(ws.OpContinuation, true, make([]byte, 51))},
	}
	for name, frames := range cases {
		t.Run(name, func(t *testing.T) {
			app, c := webSocket(t, limits)
			for _, f := range frames {
				if err := ws.WriteFrame(c, ws.MaskFrame(f)); err != nil {
					t.Fatal(err)
				}
			}
			wantClosed(t, c, ws.StatusMessageTooBig)
			app.want(t, "connect", "disconnect")
		})
	}
}

func TestV11_UnderTheLimits(t *testing.T) {
	t.Parallel()
	app, c := webSocket(t, server.Config{Limits: server.Limits{Frame: 100, Message: 150}})
	if err := wsutil.WriteClientText(c, make([]byte, 100)); err != nil {
		t.Fatal(err)
	}
	app.want(t, "connect", "message")
}

// What bounds HTTP requests does not bound WebSockets.
func TestV12_HTTPTimeoutsSpareWebSockets(t *testing.T) {
	t.Parallel()
	short := 20 * time.Millisecond
	app, c := webSocket(t, server.Config{Timeouts: server.Timeouts{Header: short, Idle: short, Terminal: short}})
	app.want(t, "connect")
	wait := time.NewTimer(10 * short)
	select {
	case ev := <-app.events:
		t.Fatalf("the handler got %s", ev)
	case <-wait.C:
	}
	if err := wsutil.WriteClientText(c, []byte("still there")); err != nil {
		t.Fatal(err)
	}
	app.want(t, "message")
}

func TestIdleRequests(t *testing.T) {
	t.Parallel()
	addr := start(t, all, server.Config{Timeouts: server.Timeouts{Idle: 50 * time.Millisecond}})
	got := talk(t, addr, "GET / HTTP/1.1\r\nHost: x\r\n\r\n") // returns when the server hangs up
	if !strings.HasPrefix(got, "HTTP/1.1 200 ") || strings.Count(got, "HTTP/1.1") != 1 {
		t.Fatalf("got %q, want one answer and the end", got)
	}
}

// Connections over a limit are closed; when others have ended there is room again.
func TestConnectionLimits(t *testing.T) {
	t.Parallel()
	edits := map[string]func(*server.Config, *server.Listener){
		"of the server":   func(c *server.Config, _ *server.Listener) { c.Limits.Connections = 2 },
		"of the listener": func(_ *server.Config, l *server.Listener) { l.Limits.Connections = 2 },
		"of a client":     func(c *server.Config, _ *server.Listener) { c.Limits.ConnectionsPerIP = 2 },
	}
	for name, edit := range edits {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := server.Config{}
			var l server.Listener
			edit(&cfg, &l)
			addr := start(t, all, cfg, func(to *server.Listener) { to.Limits = l.Limits })
			join := func() (*bufio.Reader, io.Closer, bool) {
				c := dial(t, addr)
				_, _ = io.WriteString(c, "/join /\n")
				r := bufio.NewReader(c)
				line, _ := r.ReadString('\n')
				return r, c, line == "/ok\n"
			}
			_, first, ok1 := join()
			_, _, ok2 := join()
			_, _, ok3 := join()
			if !ok1 || !ok2 || ok3 {
				t.Fatalf("joined: %v %v %v; want two", ok1, ok2, ok3)
			}
			_ = first.Close()
			for end := time.Now().Add(patience); ; {
				if _, _, ok := join(); ok {
					break
				}
				if time.Now().After(end) {
					t.Fatal("there was no room when a connection had ended")
				}
			}
		})
	}
}

// A keep-alive connection serves request after request, pipelined ones too.
func TestPipelining(t *testing.T) {
	t.Parallel()
	addr := start(t, all, server.Config{})
	c := dial(t, addr)
	if _, err := io.WriteString(c, strings.Repeat("GET / HTTP/1.1\r\nHost: x\r\n\r\n", 3)+upgradeRequest("/")); err != nil {
		t.Fatal(err)
	}
	r := bufio.NewReader(c)
	for _, want := range []int{200, 200, 200, 101} {
		res, err := http.ReadResponse(r, nil)
		if err != nil || res.StatusCode != want {
			t.Fatalf("got %v, %v; want %d", res, err, want)
		}
		_, _ = io.Copy(io.Discard, res.Body)
		_ = res.Body.Close()
	}
}
