package protocol_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/portico-go/portico/protocol"
)

var noteKey = protocol.NewKey[string]("note")

// Cleanups run last in first out, those of handlers before the Disconnect and
// those of Open behind it, wherever they are registered.
func TestCleanupOrder(t *testing.T) {
	t.Parallel()
	a := &app{}
	clean := func(c *protocol.Conn, name string) {
		c.OnClose(func(context.Context, error) { a.note(name) })
	}
	a.open = func(_ context.Context, s *protocol.Scope, c *protocol.Conn) error {
		s.OnClose(func(context.Context, error) { a.note("open 1") })
		clean(c, "open 2")
		return nil
	}
	a.handle = func(_ context.Context, c *protocol.Conn, ev protocol.Event) error {
		switch ev.(type) {
		case *protocol.Message:
			clean(c, "handle 1")
			c.OnClose(func(context.Context, error) {
				a.note("handle 2")
				clean(c, "cleanup of a cleanup")
			})
		case *protocol.Disconnect:
			clean(c, "disconnect's")
		}
		return nil
	}
	l, _ := connected(t, a)
	must(t, l.Deliver(&protocol.Message{}))
	l.End(nil)
	clean(l.Conn(), "late")
	want(t, "order", a.told(), "connect, message , handle 2, cleanup of a cleanup, handle 1, disconnect true 1000, disconnect's, open 2, open 1, late")
}

func TestCleanupContext(t *testing.T) {
	t.Parallel()
	type valueKey struct{}
	synctest.Test(t, func(t *testing.T) {
		parent, cancel := context.WithCancelCause(context.WithValue(t.Context(), valueKey{}, "v"))
		l, _ := beginWith(t, parent, &protocol.Request{Protocol: "chat", Target: "/"})
		ran := 0
		check := func(ctx context.Context, cause error) {
			ran++
			deadline, ok := ctx.Deadline()
			if !ok || time.Until(deadline) != protocol.CleanupTimeout {
				t.Errorf("deadline = %v, %v", deadline, ok)
			}
			if ctx.Err() != nil || context.Cause(ctx) != nil {
				t.Errorf("the context of cleanups is cancelled: %v", context.Cause(ctx))
			}
			if cause != errTest {
				t.Errorf("cause = %v", cause)
			}
		}
		l.Conn().OnClose(func(ctx context.Context, cause error) { // the last one
			check(ctx, cause)
			derived, stop := context.WithTimeout(ctx, time.Hour)
			defer stop()
			<-derived.Done()
			if !errors.Is(ctx.Err(), context.DeadlineExceeded) {
				t.Errorf("err = %v, want the deadline's", ctx.Err())
			}
		})
		l.Conn().OnClose(func(ctx context.Context, cause error) {
			check(ctx, cause)
			if ctx.Value(valueKey{}) != "v" {
				t.Error("the server's values are lost")
			}
		})
		cancel(errors.New("the server was killed"))
		l.End(errTest)
		l.Conn().OnClose(check) // runs at once
		if ran != 3 {
			t.Errorf("%d cleanups ran, want 3", ran)
		}
	})
}

// A branch that a router abandons leaves nothing behind; its cleanups run at once.
func TestRollback(t *testing.T) {
	t.Parallel()
	var notes []string
	l, w := begin(t)
	var after *protocol.Scope
	must(t, l.Open(&app{open: func(ctx context.Context, s *protocol.Scope, c *protocol.Conn) error {
		write := func(name string) {
			s.Record(noteKey.Of(name))
			s.SetRoute("/" + name)
			c.OnClose(func(_ context.Context, cause error) { notes = append(notes, name+" "+cause.Error()) })
			must(t, s.OnResponse(func(_ context.Context, h *protocol.Head) error {
				h.Header.Add("Branch", name)
				return nil
			}))
		}
		write("a")
		mark := s.Mark()
		write("b")
		write("c")
		inner := s.Mark()
		write("d")
		canceled, cancel := context.WithCancel(ctx)
		cancel()
		s.Rollback(canceled, mark, protocol.NoRoute())
		if len(notes) != 3 || !slices.IsSortedFunc(notes, func(a, b string) int { return strings.Compare(b[:1], a[:1]) }) {
			t.Errorf("cleanups of the branch: %q, want d, c, b", notes)
		}
		s.Rollback(ctx, inner, errTest) // a mark beyond the end takes nothing back
		if v, _ := noteKey.Recorded(s); v != "a" {
			t.Errorf("recorded %q", v)
		}
		s.Rollback(ctx, mark, errTest)
		if s.Route() != "/a" {
			t.Errorf("route = %q, want /a", s.Route())
		}
		write("e")
		after = s
		return nil
	}}))
	if v, _ := noteKey.Recorded(after); v != "e" || l.Conn().Route() != "/a/e" {
		t.Errorf("recorded %q, route %q", v, l.Conn().Route())
	}
	must(t, l.Deliver(&protocol.Connect{}))
	want(t, "sent", w.out(), "accept 101  Branch=a Branch=e")
	notes = nil
	l.End(errTest)
	want(t, "cleanups", strings.Join(notes, ", "), "e the test's error, a the test's error")
}

// A cleanup gets a context that lives, also from a rollback whose own is dead, and
// one that panics takes no other one with it.
func TestRollbackCleanupPanics(t *testing.T) {
	t.Parallel()
	l, w := begin(t)
	ran := map[string]int{}
	err := l.Open(protocol.ApplicationFunc(func(ctx context.Context, s *protocol.Scope, c *protocol.Conn) (protocol.Handler, error) {
		mark := s.Mark()
		c.OnClose(func(ctx context.Context, _ error) {
			ran["first"]++
			if ctx.Err() != nil {
				t.Error("the context of a cleanup is cancelled")
			}
		})
		c.OnClose(func(context.Context, error) { ran["second"]++; panic("oops") })
		ctx, cancel := context.WithCancel(ctx)
		cancel()
		s.Rollback(ctx, mark, protocol.NoRoute())
		return nil, protocol.NoRoute()
	}))
	if _, ok := errors.AsType[*protocol.PanicError](err); !ok {
		t.Errorf("Open = %v, want the panic", err)
	}
	l.End(nil)
	if ran["first"] != 1 || ran["second"] != 1 {
		t.Errorf("the cleanups ran %v times, want once each", ran)
	}
	want(t, "sent", w.out(), "reject 500")
}

// A rollback that comes too late, because a timeout has answered, changes nothing:
// the cleanups run at the end.
func TestRollbackAfterTheAnswer(t *testing.T) {
	t.Parallel()
	l, _ := begin(t)
	ran := 0
	_ = l.Open(protocol.ApplicationFunc(func(ctx context.Context, s *protocol.Scope, c *protocol.Conn) (protocol.Handler, error) {
		mark := s.Mark()
		c.OnClose(func(context.Context, error) { ran++ })
		l.Terminate(protocol.ErrHandshakeTimeout)
		s.Rollback(ctx, mark, protocol.NoRoute())
		return nil, protocol.NoRoute()
	}))
	if ran != 0 {
		t.Error("the cleanup ran while the connection was being refused")
	}
	l.End(nil)
	if ran != 1 {
		t.Errorf("the cleanup ran %d times", ran)
	}
}

// A mark from Open that is used behind it must not cost the handler its Disconnect.
func TestRollbackBehindOpen(t *testing.T) {
	t.Parallel()
	var scope *protocol.Scope
	var mark protocol.Mark
	a := &app{open: func(_ context.Context, s *protocol.Scope, c *protocol.Conn) error {
		scope, mark = s, s.Mark()
		c.OnClose(func(context.Context, error) {})
		return nil
	}}
	l, _ := begin(t)
	must(t, l.Open(a))
	scope.Rollback(t.Context(), mark, errTest)
	l.End(nil)
	if n := a.disconnects(); n != 1 {
		t.Errorf("%d disconnects", n)
	}
}
