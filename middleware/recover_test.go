package middleware_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/portico-go/portico/middleware"
	"github.com/portico-go/portico/protocol"
)

// panicking panics in Open, or when it gets an event of the type given; before
// that it says yes.
func panicking(in string) protocol.Application {
	return protocol.ApplicationFunc(func(ctx context.Context, scope *protocol.Scope, conn *protocol.Conn) (protocol.Handler, error) {
		if in == "open" {
			panic("at the disco")
		}
		h, err := yes.Open(ctx, scope, conn)
		return protocol.HandlerFunc(func(ctx context.Context, ev protocol.Event) error {
			if ev.EventType() == in {
				panic("at the disco")
			}
			return h.Handle(ctx, ev)
		}), err
	})
}

// runAll opens app, delivers a Connect and a Message, and ends the connection.
func runAll(t *testing.T, app protocol.Application, req *protocol.Request) *drive {
	t.Helper()
	d := newDrive(t, req)
	if d.Open(app) == nil && d.Deliver(&protocol.Connect{}) == nil {
		_ = d.Deliver(&protocol.Message{Data: []byte("hi")}) // what came of it is in what was sent
	}
	d.End(nil)
	return d
}

func TestRecover(t *testing.T) {
	t.Parallel()
	for _, proto := range []string{"http", "websocket", "chat"} {
		for _, in := range []string{"open", "connect", "message", "disconnect"} {
			if proto == "http" && in == "message" {
				continue // requests have none
			}
			t.Run(proto+" "+in, func(t *testing.T) {
				t.Parallel()
				core, logs := observer.New(zap.DebugLevel)
				app := middleware.Recover(middleware.RecoverConfig{Logger: zap.New(core)})(panicking(in))
				wantPanicAnswered(t, runAll(t, app, request(t, proto)), in)
				entries := logs.All()
				if len(entries) != 1 || !strings.Contains(fmt.Sprint(entries[0].ContextMap()["stack"]), "panicking") {
					t.Errorf("logged %v, want the panic and its stack, once", entries)
				}

				silent := runAll(t, middleware.Recover(middleware.RecoverConfig{})(panicking(in)), request(t, proto))
				failed := silent.of(protocol.Failed)
				if p, ok := errors.AsType[*protocol.PanicError](errors.Join(failed...)); len(failed) != 1 || !ok || !strings.Contains(string(p.Stack), "panicking") {
					t.Errorf("without a logger the observer was told %v, want the panic and its stack, once", failed)
				}
			})
		}
	}
}

func wantPanicAnswered(t *testing.T, d *drive, in string) {
	t.Helper()
	if failed := d.of(protocol.Failed); len(failed) != 0 {
		t.Errorf("what Recover logged was reported again: %v", failed)
	}
	events := d.events()
	last := events[len(events)-1]
	switch in {
	case "open", "connect":
		if d.status() != 500 {
			t.Errorf("status %d, want 500", d.status())
		}
	case "message":
		if c, ok := last.(*protocol.Close); !ok || c.Code != protocol.CloseInternalError {
			t.Errorf("sent %#v, want a close with 1011", last)
		}
	}
}

func TestRecoverAnswer(t *testing.T) {
	t.Parallel()
	mw := middleware.Recover(middleware.RecoverConfig{Answer: func(_ *protocol.Scope, p *protocol.PanicError) error {
		return &protocol.Reject{Status: 503, Body: []byte(fmt.Sprint("sorry: ", p.Value))}
	}})
	d := runAll(t, mw(panicking("connect")), request(t, "http"))
	if r, ok := d.events()[0].(*protocol.Reject); !ok || r.Status != 503 || string(r.Body) != "sorry: at the disco" {
		t.Errorf("sent %#v, want the own answer", d.events()[0])
	}
}

func TestRecoverShowsAnErrorOutside(t *testing.T) {
	t.Parallel()
	var seen error
	outer := middleware.Around{Open: func(ctx context.Context, s *protocol.Scope, c *protocol.Conn, inner protocol.Application) (protocol.Handler, error) {
		h, err := inner.Open(ctx, s, c)
		seen = err
		return h, err
	}}.Middleware()
	run(t, outer(middleware.Recover(middleware.RecoverConfig{})(panicking("open"))), request(t, "http"))
	if _, ok := errors.AsType[*protocol.PanicError](seen); !ok {
		t.Errorf("the middleware around saw %v, want a *protocol.PanicError", seen)
	}
}

func TestRecoverLeavesErrorsAlone(t *testing.T) {
	t.Parallel()
	failing := protocol.ApplicationFunc(func(context.Context, *protocol.Scope, *protocol.Conn) (protocol.Handler, error) {
		return nil, errTest
	})
	d := newDrive(t, request(t, "http"))
	if err := d.Open(middleware.Recover(middleware.RecoverConfig{})(failing)); !errors.Is(err, errTest) {
		t.Errorf("Open returned %v, want the application's error", err)
	}
	d.End(nil)
}

func ExampleRecover() {
	app := middleware.Recover(middleware.RecoverConfig{
		Logger: zap.NewExample(),
		Answer: func(*protocol.Scope, *protocol.PanicError) error {
			return protocol.Rejectf(500, "we have been told")
		},
	})(yes)
	fmt.Println(protocol.Check(app))
	// Output: <nil>
}
