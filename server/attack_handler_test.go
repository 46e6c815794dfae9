package server_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/portico-go/portico/channellayer"
	"github.com/portico-go/portico/consumer"
	"github.com/portico-go/portico/middleware"
	"github.com/portico-go/portico/protocol"
	httpproto "github.com/portico-go/portico/protocol/http"
	"github.com/portico-go/portico/server"
)

// The phases of a connection in which an application can panic.
var phases = []string{"middleware", "Open", "Connect", "hook", "Receive", "posted", "layer event", "Disconnect", "cleanup"}

// A landmine is an application that panics in one phase.
type landmine struct {
	phase string
	hub   *channellayer.Hub

	mu   sync.Mutex
	ends []string // what was called in the end
}

func (l *landmine) step(phase string) {
	if phase == l.phase {
		panic("stepped on a mine")
	}
}

func (l *landmine) ended(what string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ends = append(l.ends, what)
}

func (l *landmine) app() protocol.Application {
	hook := func(context.Context, *protocol.Head) error {
		l.step("hook")
		return nil
	}
	guard := middleware.Transform{Name: "guard", Scope: func(_ context.Context, scope *protocol.Scope) (*protocol.Scope, error) {
		scope.OnClose(func(context.Context, error) { l.ended("outer cleanup") })
		scope.OnClose(func(context.Context, error) { l.step("cleanup") })
		l.step("middleware")
		return scope, scope.OnResponse(hook)
	}}
	messages := &consumer.Messages[struct{}]{
		Layer: l.hub, Groups: []string{"all"},
		Receive: func(_ *struct{}, ctx context.Context, c *consumer.Conn, _ *protocol.Message) error {
			l.step("Receive")
			c.PostAfter(0, nil)
			return c.GroupSend(ctx, "all", "tick", nil)
		},
		Posted: func(*struct{}, context.Context, *consumer.Conn, protocol.Event) error {
			l.step("posted")
			return nil
		},
		Events: consumer.Events[struct{}]{"tick": consumer.Event(func(_ *struct{}, _ context.Context, c *consumer.Conn, _ any) error {
			l.step("layer event")
			c.PostAfter(time.Millisecond, nil)
			return nil
		})},
	}
	return guard.Middleware()(protocol.ApplicationFunc(func(ctx context.Context, scope *protocol.Scope, conn *protocol.Conn) (protocol.Handler, error) {
		l.step("Open")
		inner := protocol.Handler(protocol.HandlerFunc(func(_ context.Context, ev protocol.Event) error {
			if _, ok := ev.(*httpproto.Request); ok {
				return conn.Send(&httpproto.Response{Body: []byte("fine")})
			}
			return nil
		}))
		if scope.Framing() != protocol.FramingNone {
			var err error
			if inner, err = messages.Open(ctx, scope, conn); err != nil {
				return nil, err
			}
		}
		return protocol.HandlerFunc(func(ctx context.Context, ev protocol.Event) error {
			switch ev.(type) {
			case *protocol.Disconnect:
				l.ended("Disconnect")
				l.step("Disconnect")
			case *protocol.Connect, *httpproto.Request:
				l.step("Connect")
			}
			return inner.Handle(ctx, ev)
		}), nil
	}))
}

// A handler that panics, in whatever phase, is answered as a failure, logged once
// with its stack, and cleaned up behind: its Disconnect and the cleanups of others
// come once, and the server goes on.
func TestAttackLandmines(t *testing.T) {
	const word = "GET /?token=" + secret + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
	protocols := map[string]struct{ open, say, refused, fine, broken string }{
		"http":      {word, "", "500 Internal Server Error", "200 fine", ""},
		"websocket": {upgradeRequest("/?token=" + secret), text("hi"), "500 Internal Server Error", "101", "101; close 1011 internal error"},
		"chat":      {"/nick bob\n/pass " + secret + "\n/join /\n", "hi\n", "/err 500 Internal Server Error", "/ok", "/ok; /err 500 internal error"},
	}
	for _, phase := range phases {
		for name, p := range protocols {
			want, ends := p.refused, "Disconnect, Disconnect, outer cleanup, outer cleanup"
			switch phase {
			case "middleware", "Open":
				ends = "outer cleanup, outer cleanup" // there was no handler
			case "Receive", "posted", "layer event":
				want = p.broken
			case "Disconnect", "cleanup":
				want = p.fine
			}
			if want == "" {
				continue // HTTP has no such phase
			}
			t.Run(phase+" "+name, func(t *testing.T) {
				hub, err := channellayer.New(channellayer.Config{})
				if err != nil {
					t.Fatal(err)
				}
				mine := &landmine{phase: phase, hub: hub}
				cfg := server.Config{Timeouts: server.Timeouts{Close: 50 * time.Millisecond}}
				logs := besiege(t, mine.app(), cfg, 2, func(addr string) {
					for range 2 { // the second shows that the server goes on
						steps := []string{p.open}
						switch {
						case want == p.broken:
							steps = append(steps, p.say)
						case want == p.fine && p.say != "":
							steps = append(steps, p.say+halfClose)
						}
						if got := converse(t, addr, steps...); got != want {
							t.Errorf("got %q, want %q", got, want)
						}
					}
				})
				if n := strings.Count(logs, `"stack":"goroutine `); n != 2 || strings.Count(logs, "attack_handler_test.go") == 0 {
					t.Errorf("%d stacks, want 2 that lead here:\n%s", n, logs)
				}
				slices.Sort(mine.ends) // the ends of the two connections may overlap
				if got := strings.Join(mine.ends, ", "); got != ends {
					t.Errorf("at the ends: %q, want %q", got, ends)
				}
			})
		}
	}
}

// An application that does what the contract forbids gets errors that say so, and
// its client a clear answer.
func TestAttackStates(t *testing.T) {
	accept := func(conn *protocol.Conn) error { return conn.Accept("", nil) }
	hello := func(conn *protocol.Conn) error { return conn.SendText("hello") }
	refuse := func(conn *protocol.Conn) error { return conn.Send(protocol.Rejectf(418, "no tea")) }
	end := func(conn *protocol.Conn) error { return conn.Close(4000, "bye") }
	tests := []struct {
		name      string
		do        []func(*protocol.Conn) error
		errs      string
		socket    string
		chat      string
		halfClose bool
	}{
		{"nothing", nil, "", "503 Service Unavailable", "/err 503 Service Unavailable", false},
		{"accept twice", []func(*protocol.Conn) error{accept, accept, end}, "nil, accept in accepted, nil", "101; close 4000 bye", "/ok; /close 4000 bye", false},
		{"send before accept", []func(*protocol.Conn) error{hello, accept, hello, end}, "message in connecting, nil, nil, nil", "101; hello; close 4000 bye", "/ok; hello; /close 4000 bye", false},
		{"send after close", []func(*protocol.Conn) error{accept, end, hello, end}, "nil, nil, closed, closed", "101; close 4000 bye", "/ok; /close 4000 bye", false},
		{"refuse twice", []func(*protocol.Conn) error{refuse, refuse}, "nil, closed", "418 no tea", "/err 418 no tea", false},
		{"accept after a refusal", []func(*protocol.Conn) error{refuse, accept, hello}, "nil, closed, closed", "418 no tea", "/err 418 no tea", false},
		{"refuse after accept", []func(*protocol.Conn) error{accept, refuse, end}, "nil, reject in accepted, nil", "101; close 4000 bye", "/ok; /close 4000 bye", false},
		{"close before accept", []func(*protocol.Conn) error{end, accept}, "nil, closed", "403 bye", "/err 403 bye", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			app := newRecorder()
			var errs []string
			app.handle = func(_ context.Context, conn *protocol.Conn, ev protocol.Event) error {
				if _, ok := ev.(*protocol.Connect); ok {
					errs = nil
					for _, do := range tt.do {
						errs = append(errs, named(do(conn)))
					}
				}
				return nil
			}
			cfg := server.Config{Timeouts: server.Timeouts{Handshake: 50 * time.Millisecond, Close: 50 * time.Millisecond}}
			besiege(t, app, cfg, 0, func(addr string) {
				for send, want := range map[string]string{upgradeRequest("/"): tt.socket, "/join /\n": tt.chat} {
					if got := shout(t, addr, send); got != want {
						t.Errorf("got %q, want %q", got, want)
					}
					app.want(t, "connect", "disconnect")
					if got := strings.Join(errs, ", "); got != tt.errs {
						t.Errorf("the errors are %q, want %q", got, tt.errs)
					}
				}
			})
		})
	}
}

// named is an error of Send in short.
func named(err error) string {
	if s, ok := errors.AsType[*protocol.StateError](err); ok {
		return fmt.Sprintf("%s in %s", s.Event, s.State)
	}
	switch {
	case err == nil:
		return "nil"
	case errors.Is(err, protocol.ErrClosed):
		return "closed"
	}
	return err.Error()
}

// A request that is answered twice, or not at all.
func TestAttackAnswers(t *testing.T) {
	tests := []struct {
		name, want string
		answers    []string
		failures   int
	}{
		{"none", "500 Internal Server Error", nil, 1},
		{"two", "200 one", []string{"one", "two"}, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			app := newRecorder()
			var late error
			app.handle = func(_ context.Context, conn *protocol.Conn, ev protocol.Event) error {
				if _, ok := ev.(*httpproto.Request); ok {
					for _, answer := range tt.answers {
						late = conn.Send(&httpproto.Response{Body: []byte(answer)})
					}
				}
				return nil
			}
			besiege(t, app, server.Config{}, tt.failures, func(addr string) {
				if got := shout(t, addr, request("GET", "/", "Connection: close\r\n")); got != tt.want {
					t.Errorf("got %q, want %q", got, tt.want)
				}
			})
			if len(tt.answers) > 1 && !errors.Is(late, protocol.ErrClosed) {
				t.Errorf("the second answer is %v, want ErrClosed", late)
			}
		})
	}
}
