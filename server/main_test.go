package server_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"
	"go.uber.org/goleak"
	"go.uber.org/zap"

	"github.com/portico-go/portico/protocol"
	httpproto "github.com/portico-go/portico/protocol/http"
	"github.com/portico-go/portico/router"
	"github.com/portico-go/portico/server"
)

// portable says how the servers of the tests run; it changes between two runs only.
var portable bool

// both runs all tests twice: with the event-driven engine where it can be, and with
// a goroutine for each connection.
type both struct{ *testing.M }

func (b both) Run() int {
	polled := b.M.Run()
	portable = true
	return max(polled, b.M.Run())
}

func TestMain(m *testing.M) {
	if role := os.Getenv(roleVariable); role != "" {
		os.Exit(roles[role]())
	}
	goleak.VerifyTestMain(both{m},
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.updateServerDate.func1"), // lives as long as the process
	)
}

// patience is how long a test waits for something on a real socket.
const patience = 10 * time.Second

// start serves app on a loopback port until the test is over, and returns the
// address. The listener can be edited.
func start(t *testing.T, app protocol.Application, cfg server.Config, edit ...func(*server.Listener)) string {
	t.Helper()
	addr, stop := run(t, app, cfg, edit...)
	t.Cleanup(func() {
		if err := stop(); err != nil {
			t.Errorf("Serve = %v, want nil", err)
		}
	})
	return addr
}

// run is start without a cleanup: stop shuts down and returns what Serve returned.
func run(t *testing.T, app protocol.Application, cfg server.Config, edit ...func(*server.Listener)) (addr string, stop func() error) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := server.Listener{Net: ln}
	for _, f := range edit {
		f(&l)
	}
	return ln.Addr().String(), serve(app, cfg, l)
}

func serve(app protocol.Application, cfg server.Config, listeners ...server.Listener) (stop func() error) {
	if cfg.Logger == nil {
		cfg.Logger = zap.NewNop()
	}
	cfg.Portable = portable
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- server.New(app, cfg).Serve(ctx, listeners...) }()
	return sync.OnceValue(func() error {
		cancel()
		return <-done
	})
}

// dial connects to addr.
func dial(t *testing.T, addr string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	return c
}

// talk sends text and returns all that comes until the server hangs up.
func talk(t *testing.T, addr, text string) string {
	t.Helper()
	c := dial(t, addr)
	if _, err := io.WriteString(c, text); err != nil {
		t.Fatal(err)
	}
	answer, err := io.ReadAll(c)
	if err != nil {
		t.Fatalf("after %q: %v", answer, err)
	}
	_ = c.Close() // or the server lingers
	return string(answer)
}

// wantLines reads lines from r and compares them.
func wantLines(t *testing.T, r *bufio.Reader, lines ...string) {
	t.Helper()
	for _, want := range lines {
		got, err := r.ReadString('\n')
		if err != nil || strings.TrimRight(got, "\r\n") != want {
			t.Fatalf("read %q, %v; want %q", got, err, want)
		}
	}
}

// get makes an HTTP request and returns status and body.
func get(t *testing.T, client *http.Client, url string) (int, string) {
	t.Helper()
	res, err := client.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(body)
}

// hello answers each request with the client's protocol and path.
var hello = protocol.ApplicationFunc(func(_ context.Context, scope *protocol.Scope, conn *protocol.Conn) (protocol.Handler, error) {
	return protocol.HandlerFunc(func(_ context.Context, ev protocol.Event) error {
		if _, ok := ev.(*httpproto.Request); ok {
			return conn.Send(&httpproto.Response{Body: []byte("hello " + scope.Path() + "\n")})
		}
		return nil
	}), nil
})

// echo accepts message connections and sends messages back; "panic", "error" and
// "close" do what they say.
var echo = protocol.ApplicationFunc(func(_ context.Context, _ *protocol.Scope, conn *protocol.Conn) (protocol.Handler, error) {
	return protocol.HandlerFunc(func(_ context.Context, ev protocol.Event) error {
		switch ev := ev.(type) {
		case *protocol.Connect:
			return conn.Accept("", nil)
		case *protocol.Message:
			switch string(ev.Data) {
			case "panic":
				panic("receive")
			case "error":
				return errors.New("broken")
			case "close":
				return conn.Close(4000, "as you like")
			}
			return conn.Send(ev)
		}
		return nil
	}), nil
})

// all serves everything.
var all = router.ProtocolTypeRouter{"http": hello, "websocket": echo, "chat": echo}

// A recorder is an application that notes the events of its connections.
type recorder struct {
	events chan string
	causes chan error
	open   func(ctx context.Context, scope *protocol.Scope) error
	handle func(ctx context.Context, conn *protocol.Conn, ev protocol.Event) error
}

func newRecorder() *recorder {
	return &recorder{events: make(chan string, 100), causes: make(chan error, 10)}
}

func (r *recorder) Open(ctx context.Context, scope *protocol.Scope, conn *protocol.Conn) (protocol.Handler, error) {
	if r.open != nil {
		if err := r.open(ctx, scope); err != nil {
			return nil, err
		}
	}
	return protocol.HandlerFunc(func(ctx context.Context, ev protocol.Event) error {
		r.events <- ev.EventType()
		if d, ok := ev.(*protocol.Disconnect); ok {
			r.causes <- d.Cause
		}
		if r.handle != nil {
			return r.handle(ctx, conn, ev)
		}
		if _, ok := ev.(*protocol.Connect); ok {
			return conn.Accept("", nil)
		}
		return nil
	}), nil
}

// want waits for events.
func (r *recorder) want(t *testing.T, events ...string) {
	t.Helper()
	for _, want := range events {
		select {
		case got := <-r.events:
			if got != want {
				t.Fatalf("the handler got %s, want %s", got, want)
			}
		case <-time.After(patience):
			t.Fatalf("the handler did not get %s", want)
		}
	}
}

// wantCause waits for the cause of a Disconnect.
func (r *recorder) wantCause(t *testing.T, want error) {
	t.Helper()
	select {
	case got := <-r.causes:
		if !errors.Is(got, want) {
			t.Fatalf("cause = %v, want %v", got, want)
		}
	case <-time.After(patience):
		t.Fatal("there was no Disconnect")
	}
}

// upgradeRequest is a WebSocket handshake.
func upgradeRequest(path string, extra ...string) string {
	return fmt.Sprintf("GET %s HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n%s\r\n", path, strings.Join(extra, ""))
}

// dialWebSocket opens a WebSocket with a client that is not ours.
func dialWebSocket(t *testing.T, url string, d ws.Dialer) io.ReadWriter {
	t.Helper()
	c, br, _, err := d.Dial(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	if br == nil {
		return c
	}
	return struct { // frames came with the handshake
		io.Reader
		io.Writer
	}{br, c}
}

// wantClosed reads a close frame with a code, and answers it.
func wantClosed(t *testing.T, c io.ReadWriter, code ws.StatusCode) {
	t.Helper()
	data, _, err := wsutil.ReadServerData(c)
	if closed, ok := errors.AsType[wsutil.ClosedError](err); !ok || closed.Code != code {
		t.Fatalf("read %q, %v; want a close with %d", data, err, code)
	}
}
