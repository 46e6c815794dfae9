package middleware_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/portico-go/portico/middleware"
	"github.com/portico-go/portico/protocol"
)

// slow is an application that takes its time in Open and in Connect, and then says
// yes. It keeps the cause that its context ended with, if it waits for that.
type slow struct {
	open, connect time.Duration
	waits         bool
	cause         error
	kept          context.Context // of Connect
}

func (s *slow) take(ctx context.Context, d time.Duration) error {
	if !s.waits {
		time.Sleep(d)
		return nil
	}
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		s.cause = context.Cause(ctx)
		return s.cause
	}
}

func (s *slow) Open(ctx context.Context, scope *protocol.Scope, conn *protocol.Conn) (protocol.Handler, error) {
	if err := s.take(ctx, s.open); err != nil {
		return nil, err
	}
	h, err := yes.Open(ctx, scope, conn)
	return protocol.HandlerFunc(func(ctx context.Context, ev protocol.Event) error {
		if _, ok := ev.(*protocol.Connect); ok {
			s.kept = ctx
			if err := s.take(ctx, s.connect); err != nil {
				return err
			}
		}
		return h.Handle(ctx, ev)
	}), err
}

func TestHandshakeTimeout(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		app  slow
		late bool
	}{
		{"in time", slow{open: time.Second, connect: time.Second}, false},
		{"slow Open", slow{open: time.Minute}, true},
		{"slow Open that watches its context", slow{open: time.Minute, waits: true}, true},
		{"slow Connect", slow{connect: time.Minute}, true},
		{"slow Connect that watches its context", slow{connect: time.Minute, waits: true}, true},
		{"slow together", slow{open: 2 * time.Second, connect: 2 * time.Second, waits: true}, true},
	}
	for _, tt := range tests {
		for _, proto := range []string{"http", "websocket", "chat"} {
			t.Run(tt.name+" over "+proto, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) { testHandshakeTimeout(t, proto, tt.app, tt.late) })
			})
		}
	}
}

// testHandshakeTimeout runs app behind a timeout of three seconds.
func testHandshakeTimeout(t *testing.T, proto string, app slow, late bool) {
	t.Helper()
	d := newDrive(t, request(t, proto))
	go func() {
		if d.Open(middleware.HandshakeTimeout(3*time.Second)(&app)) == nil {
			_ = d.Deliver(&protocol.Connect{}) // what came of it is in what was sent
		}
		time.Sleep(time.Minute)
		d.End(nil)
	}()
	time.Sleep(3*time.Second + 1)
	synctest.Wait()
	if got := d.status() == 503; got != late {
		t.Errorf("after 3 s the status is %d, want a refusal %v", d.status(), late)
	}
	time.Sleep(3 * time.Minute)
	synctest.Wait()
	if len(d.events()) != 1 || len(d.of(protocol.Failed)) != 0 {
		t.Errorf("sent %v, want one answer; failed %v", d.events(), d.of(protocol.Failed))
	}
	if late && app.waits && !errors.Is(app.cause, protocol.ErrHandshakeTimeout) {
		t.Errorf("the context ended with %v, want ErrHandshakeTimeout", app.cause)
	}
	if refused := d.of(protocol.Refused); late && (len(refused) != 1 || !errors.Is(refused[0], protocol.ErrHandshakeTimeout)) {
		t.Errorf("the observer was told %v, want the timeout", refused)
	}
}

func TestHandshakeTimeoutIsOverOnceAccepted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		app, d := &slow{}, newDrive(t, request(t, "websocket"))
		if err := errors.Join(d.Open(middleware.HandshakeTimeout(time.Second)(app)), d.Deliver(&protocol.Connect{})); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		if err := d.Deliver(&protocol.Message{}); err != nil || app.kept.Err() != nil {
			t.Errorf("an hour later: %v, and the context of Connect: %v", err, app.kept.Err())
		}
		d.End(protocol.ErrReset)
		synctest.Wait()
		if cause := context.Cause(app.kept); !errors.Is(cause, protocol.ErrReset) {
			t.Errorf("the context ended with %v, want what ended the connection", cause)
		}
	})
}

func TestHandshakeTimeoutKeepsWhatOthersPutIntoTheContext(t *testing.T) {
	t.Parallel()
	type key struct{}
	around := middleware.Around{Open: func(ctx context.Context, s *protocol.Scope, c *protocol.Conn, inner protocol.Application) (protocol.Handler, error) {
		h, err := inner.Open(ctx, s, c)
		return protocol.HandlerFunc(func(ctx context.Context, ev protocol.Event) error {
			return h.Handle(context.WithValue(ctx, key{}, ev.EventType()), ev)
		}), err
	}}.Middleware()
	app := &slow{}
	run(t, around(middleware.HandshakeTimeout(time.Minute)(app)), request(t, "websocket"))
	if got := app.kept.Value(key{}); got != "connect" {
		t.Errorf("the value is %v, want connect", got)
	}
}

func TestHandshakeTimeoutEndsWithAMiss(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		timed := middleware.HandshakeTimeout(time.Second)(noRoute)
		d := newDrive(t, request(t, "websocket"))
		_ = d.Open(protocol.ApplicationFunc(func(ctx context.Context, scope *protocol.Scope, conn *protocol.Conn) (protocol.Handler, error) {
			mark := scope.Mark()
			_, err := timed.Open(ctx, scope, conn)
			scope.Rollback(ctx, mark, err)
			return yes.Open(ctx, scope, conn)
		}))
		time.Sleep(time.Hour)
		if err := d.Deliver(&protocol.Connect{}); err != nil || d.status() != 101 {
			t.Errorf("status %d, %v: the timeout of an abandoned branch fired", d.status(), err)
		}
		d.End(nil)
	})
}

func TestHandshakeTimeoutFaults(t *testing.T) {
	t.Parallel()
	wantFault(t, middleware.HandshakeTimeout(0), "HandshakeTimeout", "positive")
	wantFault(t, middleware.HandshakeTimeout(-1), "HandshakeTimeout", "positive")
	wantNoFault(t, middleware.HandshakeTimeout(1))
}

func ExampleHandshakeTimeout() {
	app := middleware.HandshakeTimeout(2 * time.Second)(yes)
	fmt.Println(protocol.Check(app))
	// Output: <nil>
}
