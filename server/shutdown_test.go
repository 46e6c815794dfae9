package server_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"github.com/portico-go/portico/protocol"
	httpproto "github.com/portico-go/portico/protocol/http"
	"github.com/portico-go/portico/router"
	"github.com/portico-go/portico/server"
)

// Each peer hears of a shutdown in its own way, and each handler gets its
// Disconnect before Serve returns.
func TestShutdown(t *testing.T) {
	t.Parallel()
	app := newRecorder()
	addr, stop := run(t, app, server.Config{})

	c := dialWebSocket(t, "ws://"+addr+"/", ws.Dialer{})
	app.want(t, "connect")
	terminal := dial(t, addr)
	lines := bufio.NewReader(terminal)
	if _, err := io.WriteString(terminal, "/nick alice\n/join /\n"); err != nil {
		t.Fatal(err)
	}
	wantLines(t, lines, "/ok")
	app.want(t, "connect")
	typing := dial(t, addr)
	if _, err := io.WriteString(typing, "/nick bo"); err != nil {
		t.Fatal(err)
	}
	silent := dial(t, addr)

	stopped := make(chan error, 1)
	go func() { stopped <- stop() }()

	wantClosed(t, c, ws.StatusGoingAway)
	wantLines(t, lines, "/close 1001 server shutting down")
	if got, err := lines.ReadString('\n'); err != io.EOF {
		t.Errorf("the terminal read %q, %v; want the end", got, err)
	}
	_ = terminal.Close()
	if got, _ := io.ReadAll(typing); len(got) > 0 && !strings.HasPrefix(string(got), "/err 503 ") {
		t.Errorf("who was typing read %q, want /err 503 or the end", got)
	}
	if got, _ := io.ReadAll(silent); len(got) > 0 {
		t.Errorf("who was silent read %q, want the end", got)
	}
	if err := <-stopped; err != nil {
		t.Fatal(err)
	}
	for range 2 {
		app.want(t, "disconnect")
		app.wantCause(t, protocol.ErrShutdown)
	}
}

// A request that runs is finished, and an idle connection is closed.
func TestShutdownFinishesRequests(t *testing.T) {
	t.Parallel()
	entered, leave := make(chan struct{}), make(chan struct{})
	app := newRecorder()
	app.handle = func(_ context.Context, conn *protocol.Conn, ev protocol.Event) error {
		if _, ok := ev.(*httpproto.Request); ok {
			if conn.Request().Target == "/slow" {
				close(entered)
				<-leave
			}
			return conn.Send(&httpproto.Response{Body: []byte("done")})
		}
		return nil
	}
	addr, stop := run(t, app, server.Config{})

	idle := dial(t, addr)
	r := bufio.NewReader(idle)
	if _, err := io.WriteString(idle, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	res, err := http.ReadResponse(r, nil)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, res.Body)
	_ = res.Body.Close()

	busy := dial(t, addr)
	if _, err := io.WriteString(busy, "GET /slow HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	<-entered
	stopped := make(chan error, 1)
	go func() { stopped <- stop() }()
	if got, err := r.ReadString('\n'); err == nil {
		t.Errorf("the idle connection read %q, want the end", got)
	}
	select {
	case err := <-stopped:
		t.Fatalf("Serve = %v while a request ran", err)
	default:
	}
	close(leave)
	answer, err := io.ReadAll(busy)
	if err != nil || !strings.Contains(string(answer), "Connection: close") || !strings.HasSuffix(string(answer), "done") {
		t.Errorf("the busy connection read %q, %v", answer, err)
	}
	if err := <-stopped; err != nil {
		t.Fatal(err)
	}
}

// Handlers that do not finish in time are cancelled, in every protocol.
func TestShutdownCancels(t *testing.T) {
	t.Parallel()
	for name, request := range map[string]string{
		"http":      "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
		"websocket": upgradeRequest("/"),
		"chat":      "/join /\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			app := newRecorder()
			app.handle = func(ctx context.Context, _ *protocol.Conn, ev protocol.Event) error {
				if _, ok := ev.(*protocol.Disconnect); ok {
					return nil
				}
				<-ctx.Done()
				return context.Cause(ctx)
			}
			addr, stop := run(t, app, server.Config{Timeouts: server.Timeouts{Shutdown: 50 * time.Millisecond}})
			c := dial(t, addr)
			if _, err := io.WriteString(c, request); err != nil {
				t.Fatal(err)
			}
			first := <-app.events
			if err := stop(); err != nil {
				t.Fatalf("after %s: %v", first, err)
			}
			app.want(t, "disconnect")
			app.wantCause(t, protocol.ErrShutdown)
		})
	}
}

// A handler that ignores even its context is logged with its stack, and Serve says so.
func TestShutdownWithAStuckHandler(t *testing.T) {
	t.Parallel()
	for name, p := range opening {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			leave := make(chan struct{})
			app := newRecorder()
			app.handle = func(context.Context, *protocol.Conn, protocol.Event) error {
				<-leave
				return nil
			}
			logger, logs := logged()
			addr, stop := run(t, app, server.Config{
				Logger:   logger,
				Timeouts: server.Timeouts{Shutdown: 20 * time.Millisecond, Handler: 50 * time.Millisecond},
			})
			c := dial(t, addr)
			if _, err := io.WriteString(c, p.open); err != nil {
				t.Fatal(err)
			}
			<-app.events
			if err := stop(); err == nil || !strings.Contains(err.Error(), "1 connections") {
				t.Errorf("Serve = %v, want an error about one connection", err)
			}
			if got := logs.await("TestShutdownWithAStuckHandler"); !strings.Contains(got, "TestShutdownWithAStuckHandler") || strings.Contains(got, "password") {
				t.Errorf("logs = %s; want the handler's stack, and no query", got)
			}
			close(leave)
			app.want(t, "disconnect")
		})
	}
}

// lifespan is an application with start and stop hooks.
type lifespan struct {
	protocol.Application
	name  string
	err   error
	notes *notes
}

type notes struct {
	mu   sync.Mutex
	list []string
}

func (n *notes) add(text string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.list = append(n.list, text)
}

var greeting = protocol.NewKey[string]("greeting")

func (l *lifespan) Describe() protocol.Description {
	return protocol.Description{
		Name:  l.name,
		Inner: []protocol.Inner{{App: l.Application}},
		Start: func(_ context.Context, state *protocol.LifespanState) error {
			l.notes.add("start " + l.name)
			state.Set(greeting.Of("hi from " + l.name))
			return l.err
		},
		Stop: func(context.Context) error {
			l.notes.add("stop " + l.name)
			return nil
		},
	}
}

func TestLifespan(t *testing.T) {
	t.Parallel()
	n := &notes{}
	app := newRecorder()
	app.open = func(_ context.Context, scope *protocol.Scope) error {
		text, _ := greeting.From(scope)
		return protocol.Rejectf(403, "%s", text)
	}
	tree := &lifespan{Application: router.ProtocolTypeRouter{"chat": &lifespan{Application: app, name: "inner", notes: n}}, name: "outer", notes: n}
	addr, stop := run(t, tree, server.Config{})
	if got := talk(t, addr, "/join /\n"); got != "/err 403 hi from inner\n" {
		t.Errorf("got %q", got)
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	if want := []string{"start outer", "start inner", "stop inner", "stop outer"}; !slices.Equal(n.list, want) {
		t.Errorf("hooks = %v, want %v", n.list, want)
	}
}

func TestLifespanStartFails(t *testing.T) {
	t.Parallel()
	n, broken := &notes{}, errors.New("no database")
	tree := &lifespan{Application: &lifespan{Application: hello, name: "inner", err: broken, notes: n}, name: "outer", notes: n}
	err := server.New(tree, server.Config{}).ListenAndServe(t.Context(), "127.0.0.1:0")
	if !errors.Is(err, broken) {
		t.Errorf("ListenAndServe = %v, want %v", err, broken)
	}
	if want := []string{"start outer", "start inner", "stop outer"}; !slices.Equal(n.list, want) {
		t.Errorf("hooks = %v, want %v", n.list, want)
	}
}
