package server_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"

	"github.com/portico-go/portico/protocol"
	"github.com/portico-go/portico/server"
)

// scopeOf opens a WebSocket and returns the scope that the application saw.
func scopeOf(t *testing.T, cfg server.Config, path string, d ws.Dialer) *protocol.Scope {
	t.Helper()
	scopes := make(chan *protocol.Scope, 1)
	app := newRecorder()
	app.open = func(_ context.Context, scope *protocol.Scope) error {
		scopes <- scope
		return nil
	}
	addr := start(t, app, cfg)
	dialWebSocket(t, "ws://"+addr+path, d)
	app.want(t, "connect")
	return <-scopes
}

func TestV1_Accept(t *testing.T) {
	t.Parallel()
	scope := scopeOf(t, server.Config{}, "/", ws.Dialer{})
	if scope.Protocol() != "websocket" || scope.Scheme() != "ws" || !scope.Client().Addr().IsLoopback() || !scope.Server().Addr().IsLoopback() {
		t.Errorf("scope: %s %s from %v to %v", scope.Protocol(), scope.Scheme(), scope.Client(), scope.Server())
	}
}

func TestV2_RefusedBeforeAccept(t *testing.T) {
	t.Parallel()
	app := newRecorder()
	app.handle = func(_ context.Context, conn *protocol.Conn, ev protocol.Event) error {
		if _, ok := ev.(*protocol.Connect); ok {
			return conn.Close(protocol.CloseNormal, "")
		}
		return nil
	}
	addr := start(t, app, server.Config{})
	got := talk(t, addr, upgradeRequest("/"))
	if !strings.HasPrefix(got, "HTTP/1.1 403 ") || !strings.Contains(got, "Connection: close\r\n") {
		t.Errorf("got %q, want 403", got)
	}
	app.want(t, "connect", "disconnect")
}

func TestV3_Subprotocol(t *testing.T) {
	t.Parallel()
	app := newRecorder()
	app.handle = func(_ context.Context, conn *protocol.Conn, ev protocol.Event) error {
		if _, ok := ev.(*protocol.Connect); ok {
			header := protocol.Fields{{Name: "Set-Cookie", Value: "a=b"}}
			return conn.Accept(conn.Request().Subprotocols[1], header)
		}
		return nil
	}
	addr := start(t, app, server.Config{})
	header := make(http.Header)
	d := ws.Dialer{Protocols: []string{"one", "two"}, OnHeader: func(key, value []byte) error {
		header.Add(string(key), string(value))
		return nil
	}}
	c, _, hs, err := d.Dial(t.Context(), "ws://"+addr+"/")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if hs.Protocol != "two" || header.Get("Set-Cookie") != "a=b" {
		t.Errorf("subprotocol %q, header %v", hs.Protocol, header)
	}
}

func TestV5_PathQueryHeaders(t *testing.T) {
	t.Parallel()
	d := ws.Dialer{Header: ws.HandshakeHeaderHTTP{"X-Test": {"one", "two"}}}
	scope := scopeOf(t, server.Config{}, "/a%20b/c?d=e%20f", d)
	var tests []string
	for v := range scope.Headers().Values("x-test") {
		tests = append(tests, v)
	}
	if scope.Path() != "/a b/c" || scope.Query("d") != "e f" || strings.Join(tests, ",") != "one,two" {
		t.Errorf("path %q, query %q, headers %q", scope.Path(), scope.Query("d"), tests)
	}
}

func TestV6_RawPath(t *testing.T) {
	t.Parallel()
	if scope := scopeOf(t, server.Config{}, "/a%2fb", ws.Dialer{}); scope.RawPath() != "/a%2fb" || scope.Path() != "/a/b" {
		t.Errorf("raw path %q, path %q", scope.RawPath(), scope.Path())
	}
}

func TestV7_RootPath(t *testing.T) {
	t.Parallel()
	cfg := server.Config{RootPath: "/app"}
	if scope := scopeOf(t, cfg, "/app/x", ws.Dialer{}); scope.RootPath() != "/app" || scope.Rest() != "/x" {
		t.Errorf("root path %q, rest %q", scope.RootPath(), scope.Rest())
	}
	addr := start(t, all, cfg)
	for request, want := range map[string]string{
		upgradeRequest("/x"): "HTTP/1.1 404 ",
		"/join /x\n":         "/err 404 ",
		"GET /x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n": "HTTP/1.1 404 ",
	} {
		if got := talk(t, addr, request); !strings.HasPrefix(got, want) {
			t.Errorf("outside of the root path: %q, want %q", got, want)
		}
	}
}

func TestV8_Text(t *testing.T) {
	t.Parallel()
	addr := start(t, all, server.Config{})
	c := dialWebSocket(t, "ws://"+addr+"/", ws.Dialer{})
	const text = "I \u2764\ufe0f \U0001F40D and \U0001F439"
	if err := wsutil.WriteClientText(c, []byte(text)); err != nil {
		t.Fatal(err)
	}
	if got, op, err := wsutil.ReadServerData(c); err != nil || op != ws.OpText || string(got) != text {
		t.Errorf("got %q (%v), %v", got, op, err)
	}
}

func TestV9_Binary(t *testing.T) {
	t.Parallel()
	addr := start(t, all, server.Config{})
	c := dialWebSocket(t, "ws://"+addr+"/", ws.Dialer{})
	const data = "\xff\x00\xfe"
	if err := wsutil.WriteClientBinary(c, []byte(data)); err != nil {
		t.Fatal(err)
	}
	if got, op, err := wsutil.ReadServerData(c); err != nil || op != ws.OpBinary || string(got) != data {
		t.Errorf("got %q (%v), %v", got, op, err)
	}
}

// A handler that returns its context's error leaves nothing behind.
func TestV13_CancelledHandler(t *testing.T) {
	t.Parallel()
	app := newRecorder()
	app.handle = func(ctx context.Context, conn *protocol.Conn, ev protocol.Event) error {
		switch ev.(type) {
		case *protocol.Connect:
			return conn.Accept("", nil)
		case *protocol.Message:
			<-ctx.Done()
			return ctx.Err()
		}
		return nil
	}
	logger, logs := logged()
	addr, stop := run(t, app, server.Config{Logger: logger, Timeouts: server.Timeouts{Shutdown: time.Millisecond}})
	c := dialWebSocket(t, "ws://"+addr+"/", ws.Dialer{})
	if err := wsutil.WriteClientText(c, []byte("x")); err != nil {
		t.Fatal(err)
	}
	app.want(t, "connect", "message")
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	app.want(t, "disconnect")
	app.wantCause(t, protocol.ErrShutdown)
	if strings.Contains(logs.String(), "failed") {
		t.Errorf("logs = %s; want no failure", logs)
	}
}
