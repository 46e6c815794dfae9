package server_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/portico-go/portico/middleware"
	"github.com/portico-go/portico/protocol"
	httpproto "github.com/portico-go/portico/protocol/http"
	"github.com/portico-go/portico/server"
)

// buffer is a bytes.Buffer for concurrent use.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// await returns what was written when text is in it, or when the patience is over.
func (b *buffer) await(text string) string {
	for end := time.Now().Add(patience); ; <-time.After(5 * time.Millisecond) {
		if got := b.String(); strings.Contains(got, text) || time.Now().After(end) {
			return got
		}
	}
}

// logged returns a logger with what it logs.
func logged() (*zap.Logger, *buffer) {
	logs := &buffer{}
	encoder := zapcore.NewJSONEncoder(zap.NewProductionEncoderConfig())
	return zap.New(zapcore.NewCore(encoder, zapcore.AddSync(logs), zap.DebugLevel)), logs
}

// opening is each protocol's way to ask for a path, and then to send a message.
var opening = map[string]struct{ open, refused500 string }{
	"http":      {"GET /?password=secret HTTP/1.1\r\nHost: x\r\nCookie: sessionid=secret\r\nConnection: close\r\n\r\n", "HTTP/1.1 500 "},
	"websocket": {upgradeRequest("/?password=secret", "Cookie: sessionid=secret\r\n"), "HTTP/1.1 500 "},
	"chat":      {"/nick alice\n/pass secret\n/cookie sessionid=secret\n/join /?password=secret\n", "/err 500 "},
}

// panicky panics in one phase of a connection, and refuses otherwise.
func panicky(phase string) protocol.Application {
	panicIn := func(here string) {
		if phase == here {
			panic("secret reason")
		}
	}
	app := newRecorder()
	app.open = func(context.Context, *protocol.Scope) error {
		panicIn("Open")
		return nil
	}
	app.handle = func(_ context.Context, _ *protocol.Conn, ev protocol.Event) error {
		switch ev.(type) {
		case *protocol.Disconnect:
			panicIn("Disconnect")
		case *protocol.Connect, *httpproto.Request:
			panicIn("Connect")
			return protocol.Rejectf(418, "no")
		}
		return nil
	}
	return middleware.Transform{Name: "broken", Scope: func(_ context.Context, scope *protocol.Scope) (*protocol.Scope, error) {
		panicIn("middleware")
		return scope, nil
	}}.Middleware()(app)
}

// A panic in any phase is answered, logged once with its stack, and leaks nothing;
// the server goes on.
func TestPanics(t *testing.T) {
	t.Parallel()
	for _, phase := range []string{"Open", "middleware", "Connect", "Disconnect"} {
		for name, p := range opening {
			t.Run(phase+" "+name, func(t *testing.T) {
				t.Parallel()
				want := p.refused500
				if phase == "Disconnect" {
					want = strings.Replace(want, "500", "418", 1)
				}
				testPanic(t, panicky(phase), p.open, want)
			})
		}
	}
}

func testPanic(t *testing.T, app protocol.Application, request, want string) {
	t.Helper()
	logger, logs := logged()
	addr, stop := run(t, app, server.Config{Logger: logger})
	for range 2 { // the second shows that the server goes on
		if got := talk(t, addr, request); !strings.HasPrefix(got, want) || strings.Contains(got, "secret") {
			t.Errorf("got %q, want %q and nothing of the reason", got, want)
		}
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	text := logs.String()
	if n := strings.Count(text, `"the application failed"`); n != 2 {
		t.Errorf("logged %d times, want twice:\n%s", n, text)
	}
	if !strings.Contains(text, "panicky") {
		t.Errorf("there is no stack in %s", text)
	}
	if strings.Contains(text, "password") || strings.Contains(text, "sessionid") {
		t.Errorf("a credential is in %s", text)
	}
}

func TestPanicInReceive(t *testing.T) {
	t.Parallel()
	logger, logs := logged()
	addr, stop := run(t, all, server.Config{Logger: logger})
	if got := talk(t, addr, "/join /rooms/go\npanic\n"); !strings.HasPrefix(got, "/ok\n/err 500 ") {
		t.Errorf("chat: %q, want /err 500", got)
	}
	if got := talk(t, addr, "/join /rooms/go\nerror\n"); !strings.HasPrefix(got, "/ok\n/err 500 ") || strings.Contains(got, "broken") {
		t.Errorf("chat: %q, want /err 500", got)
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(logs.String(), `"the application failed"`); n != 2 {
		t.Errorf("logged %d times, want twice:\n%s", n, logs)
	}
}

// A peer that resets during a slow Open, or while a handler runs, cancels it.
func TestResetCancels(t *testing.T) {
	t.Parallel()
	for name, p := range opening {
		for _, inOpen := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s in Open: %v", name, inOpen), func(t *testing.T) {
				t.Parallel()
				entered, causes := make(chan struct{}), make(chan error, 1)
				addr := start(t, blocking(inOpen, entered, causes), server.Config{})
				c := dial(t, addr)
				if _, err := io.WriteString(c, p.open); err != nil {
					t.Fatal(err)
				}
				<-entered
				if err := c.(*net.TCPConn).SetLinger(0); err != nil {
					t.Fatal(err)
				}
				_ = c.Close()
				select {
				case cause := <-causes:
					if !errors.Is(cause, protocol.ErrReset) {
						t.Fatalf("cause = %v, want ErrReset", cause)
					}
				case <-time.After(patience):
					t.Fatal("the reset did not cancel the context")
				}
			})
		}
	}
}

// blocking blocks in Open, or in the first event, until its context is cancelled.
func blocking(inOpen bool, entered chan<- struct{}, causes chan<- error) protocol.Application {
	block := func(ctx context.Context) error {
		close(entered)
		<-ctx.Done()
		causes <- context.Cause(ctx)
		return context.Cause(ctx)
	}
	app := newRecorder()
	if inOpen {
		app.open = func(ctx context.Context, _ *protocol.Scope) error { return block(ctx) }
	}
	app.handle = func(ctx context.Context, _ *protocol.Conn, ev protocol.Event) error {
		if _, ok := ev.(*protocol.Disconnect); ok {
			return nil
		}
		return block(ctx)
	}
	return app
}

// A route miss is a 404 with a line at debug level, never a stack.
func TestRouteMiss(t *testing.T) {
	t.Parallel()
	logger, logs := logged()
	miss := protocol.ApplicationFunc(func(context.Context, *protocol.Scope, *protocol.Conn) (protocol.Handler, error) {
		return nil, protocol.NoRoute()
	})
	addr, stop := run(t, miss, server.Config{Logger: logger})
	for name, p := range opening {
		want := strings.Replace(p.refused500, "500", "404", 1)
		if got := talk(t, addr, p.open); !strings.HasPrefix(got, want) {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	text := logs.String()
	if strings.Contains(text, `"level":"error"`) || strings.Contains(text, `"level":"warn"`) || strings.Count(text, `"no_route":true`) != 3 {
		t.Errorf("logs = %s; want three lines at debug level", text)
	}
}

// The observer sees each connection from its beginning to its end.
func TestObserver(t *testing.T) {
	t.Parallel()
	seen := make(observer, 100)
	addr, stop := run(t, all, server.Config{Observer: seen})
	_ = talk(t, addr, "/join /rooms/go\nerror\n")
	_ = talk(t, addr, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	close(seen)
	got := make(map[string][]string)
	for o := range seen {
		name, kind, _ := strings.Cut(o, " ")
		got[name] = append(got[name], kind)
	}
	for name, want := range map[string]string{"chat": "opened accepted error closed", "http": "opened accepted closed"} {
		if seen := strings.Join(got[name], " "); seen != want {
			t.Errorf("%s was %s, want %s", name, seen, want)
		}
	}
}

type observer chan string

func (o observer) Observe(ob protocol.Observation) {
	o <- fmt.Sprintf("%s %s", ob.Conn.Request().Protocol, ob.Kind)
}
