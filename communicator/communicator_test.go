package communicator_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/portico-go/portico/communicator"
	"github.com/portico-go/portico/consumer"
	"github.com/portico-go/portico/protocol"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func echo() *consumer.Messages[struct{}] {
	return &consumer.Messages[struct{}]{
		Receive: func(_ *struct{}, _ context.Context, c *consumer.Conn, m *protocol.Message) error { return c.Send(m) },
	}
}

func connect(t *testing.T, app protocol.Application) *communicator.Messages {
	t.Helper()
	m := communicator.WebSocket(t, app, "/")
	if _, err := m.Connect(); err != nil {
		t.Fatal(err)
	}
	return m
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestC2_TextBinaryAndJSONRoundTrip(t *testing.T) {
	t.Parallel()
	m := connect(t, echo())
	must(t, m.SendText("hello"))
	if got, err := m.ReceiveText(); err != nil || got != "hello" {
		t.Errorf("ReceiveText = %q, %v", got, err)
	}
	must(t, m.SendBinary([]byte{0, 255}))
	if got, err := m.ReceiveBinary(); err != nil || string(got) != "\x00\xff" {
		t.Errorf("ReceiveBinary = %q, %v", got, err)
	}
	must(t, m.SendJSON(map[string]string{"hello": "world"}))
	var got map[string]string
	if err := m.ReceiveJSON(&got); err != nil || got["hello"] != "world" {
		t.Errorf("ReceiveJSON = %v, %v", got, err)
	}
	must(t, m.Disconnect(protocol.CloseNormal))
}

func TestC3_ACloseWhereAMessageWasExpected(t *testing.T) {
	t.Parallel()
	app := &consumer.Messages[struct{}]{
		Connect: func(_ *struct{}, _ context.Context, c *consumer.Conn) error {
			must(t, c.Accept("", nil))
			return c.Close(4001, "bye")
		},
	}
	m := connect(t, app)
	_, err := m.ReceiveText()
	if err == nil || !strings.Contains(err.Error(), "expected message, but was close") {
		t.Errorf("ReceiveText = %v", err)
	}
	if closed, ok := errors.AsType[*protocol.CloseError](err); !ok || closed.Code != 4001 {
		t.Errorf("the error wraps %v, want the close", closed)
	}
}

func TestC5_ATimeoutLeavesTheApplicationAlone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := connect(t, echo())
		begin := time.Now()
		if _, err := m.ReceiveText(); !errors.Is(err, communicator.ErrTimeout) || time.Since(begin) != communicator.DefaultTimeout {
			t.Fatalf("ReceiveText = %v after %v", err, time.Since(begin))
		}
		must(t, m.SendText("still here"))
		if got, err := m.ReceiveText(); err != nil || got != "still here" {
			t.Fatalf("ReceiveText = %q, %v", got, err)
		}
		must(t, m.Disconnect(protocol.CloseNormal))
	})
}

func TestC6_Scope(t *testing.T) {
	t.Parallel()
	tests := []struct{ target, path, query string }{
		{"/testws/?foo=bar", "/testws/", "foo=bar"},
		{"/test/caf%C3%A9/", "/test/café/", ""},
		{"/?token=a%20b", "/", "token=a%20b"},
	}
	for _, tt := range tests {
		app := protocol.ApplicationFunc(func(_ context.Context, s *protocol.Scope, _ *protocol.Conn) (protocol.Handler, error) {
			if s.Protocol() != "websocket" || s.Path() != tt.path || s.RawQuery() != tt.query {
				t.Errorf("scope = %s %q %q, want websocket %q %q", s.Protocol(), s.Path(), s.RawQuery(), tt.path, tt.query)
			}
			return nil, protocol.Rejectf(418, "seen")
		})
		if _, err := communicator.WebSocket(t, app, tt.target).Connect(); err == nil || !strings.Contains(err.Error(), "418") {
			t.Errorf("Connect = %v, want the refusal", err)
		}
	}
}

func TestC7_ReceiveNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := connect(t, echo())
		if begin := time.Now(); !m.ReceiveNothing(time.Hour) || time.Since(begin) != time.Hour {
			t.Error("something came, or the wait was too short")
		}
		for range 2 {
			must(t, m.SendText("x"))
		}
		for range 2 {
			if m.ReceiveNothing(time.Hour) {
				t.Error("what was pending is overlooked")
			}
			if _, err := m.ReceiveText(); err != nil {
				t.Error(err)
			}
		}
		must(t, m.Disconnect(protocol.CloseNormal))
		if !m.ReceiveNothing(time.Hour) {
			// The close that answers the peer's is what is left.
			if _, err := m.ReceiveClose(); err != nil {
				t.Error(err)
			}
		}
		if !m.ReceiveNothing(10 * time.Millisecond) {
			t.Error("something came after the end")
		}
	})
}

// The application's error surfaces at every call, whatever the call is about.
func TestFailuresSurface(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		oops := errors.New("oops")
		app := &consumer.Messages[struct{}]{
			Receive: func(*struct{}, context.Context, *consumer.Conn, *protocol.Message) error { return oops },
		}
		m := connect(t, app)
		calls := []struct {
			name string
			call func() error
		}{
			{"SendText", func() error { return m.SendText("x") }},
			{"ReceiveClose", func() error { _, err := m.ReceiveClose(); return err }},
			{"ReceiveText", func() error { _, err := m.ReceiveText(); return err }},
			{"Wait", m.Wait},
			{"Disconnect", func() error { return m.Disconnect(protocol.CloseNormal) }},
		}
		for _, c := range calls {
			if err := c.call(); !errors.Is(err, oops) {
				t.Errorf("%s = %v, want the application's error", c.name, err)
			}
		}
	})
}

func TestAPanicSurfaces(t *testing.T) {
	t.Parallel()
	app := &consumer.Messages[struct{}]{
		Connect: func(*struct{}, context.Context, *consumer.Conn) error { panic("at the disco") },
	}
	_, err := communicator.WebSocket(t, app, "/").Connect()
	if p, ok := errors.AsType[*protocol.PanicError](err); !ok || p.Value != "at the disco" {
		t.Fatalf("Connect = %v, want the panic", err)
	}
}

func TestBreakCancelsTheContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var cause, end error
		app := &consumer.Messages[struct{}]{
			Receive: func(_ *struct{}, ctx context.Context, _ *consumer.Conn, _ *protocol.Message) error {
				<-ctx.Done()
				cause = context.Cause(ctx)
				return nil
			},
			Disconnect: func(_ *struct{}, ctx context.Context, _ *consumer.Conn, ev *protocol.Disconnect) error {
				end = ev.Cause
				return ctx.Err()
			},
		}
		m := connect(t, app)
		go func() { _ = m.SendText("work") }()
		synctest.Wait()
		must(t, m.Break())
		if !errors.Is(cause, protocol.ErrReset) || !errors.Is(end, protocol.ErrReset) || !errors.Is(m.Cause(), protocol.ErrReset) {
			t.Errorf("causes = %v, %v, %v, want ErrReset", cause, end, m.Cause())
		}
	})
}

func TestABadPathIsRefused(t *testing.T) {
	t.Parallel()
	_, err := communicator.WebSocket(t, echo(), "/a/../b").Connect()
	if r, ok := errors.AsType[*protocol.Reject](err); !ok || r.Status != 400 {
		t.Fatalf("Connect = %v, want 400", err)
	}
}

func TestAConnectionThatIsNeverOpened(t *testing.T) {
	t.Parallel()
	communicator.WebSocket(t, echo(), "/").Stop()
}

func TestChat(t *testing.T) {
	t.Parallel()
	app := &consumer.Messages[string]{
		Connect: func(nick *string, _ context.Context, c *consumer.Conn) error {
			*nick = c.Scope().Header("Nick")
			return nil
		},
		Receive: func(nick *string, _ context.Context, c *consumer.Conn, m *protocol.Message) error {
			return c.SendText(*nick + " says " + string(m.Data) + " in " + c.Scope().Path())
		},
	}
	m := communicator.Chat(t, app, "/nick alice", "/join /rooms/go")
	if _, err := m.Connect(); err != nil {
		t.Fatal(err)
	}
	must(t, m.SendText("hi"))
	if got, err := m.ReceiveText(); err != nil || got != "alice says hi in /rooms/go" {
		t.Fatalf("ReceiveText = %q, %v", got, err)
	}
	must(t, m.Disconnect(protocol.CloseNormal))
}
