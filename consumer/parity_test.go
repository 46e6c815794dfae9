package consumer_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/portico-go/portico/communicator"
	"github.com/portico-go/portico/consumer"
	"github.com/portico-go/portico/protocol"
	"github.com/portico-go/portico/protocol/http"
)

// within returns a consumer that accepts, tells what do returns for each message,
// and notes its Disconnect.
func within(n *notes, do func(c *consumer.Conn) error) *consumer.Messages[struct{}] {
	return &consumer.Messages[struct{}]{
		Receive: func(_ *struct{}, _ context.Context, c *consumer.Conn, _ *protocol.Message) error { return do(c) },
		Disconnect: func(_ *struct{}, _ context.Context, _ *consumer.Conn, ev *protocol.Disconnect) error {
			n.add("disconnect %d %q accepted=%v", ev.Code, ev.Reason, ev.Accepted)
			return nil
		},
	}
}

func wantNotes(t *testing.T, n *notes, want ...string) {
	t.Helper()
	if len(n.lines) != len(want) {
		t.Fatalf("notes = %q, want %q", n.lines, want)
	}
	for i := range want {
		if n.lines[i] != want[i] {
			t.Errorf("notes = %q, want %q", n.lines, want)
		}
	}
}

func TestX1_ClientClose(t *testing.T) {
	for name, tt := range map[string]struct {
		code protocol.CloseCode
		want string
	}{
		"with a code": {4123, `disconnect 4123 "" accepted=true`},
		"without":     {protocol.CloseNoStatus, `disconnect 1005 "" accepted=true`},
	} {
		t.Run(name, func(t *testing.T) {
			n := &notes{}
			m := connect(t, within(n, nil), "/")
			must(t, m.Disconnect(tt.code))
			wantNotes(t, n, tt.want)
		})
	}
}

// What is sent when the client is gone is ErrClosed, and no failure.
func TestX2_ClientGoneOnSend(t *testing.T) {
	n := &notes{}
	var c *consumer.Conn
	m := connect(t, within(n, func(own *consumer.Conn) error { c = own; return nil }), "/")
	must(t, m.SendText("x"))
	must(t, m.Break())
	if err := c.SendText("too late"); !errors.Is(err, protocol.ErrClosed) {
		t.Errorf("SendText = %v, want ErrClosed", err)
	}
	wantNotes(t, n, `disconnect 1006 "" accepted=true`)
	if err := m.Failure(); err != nil {
		t.Errorf("Failure = %v", err)
	}
}

func TestX3_ApplicationClose(t *testing.T) {
	for name, tt := range map[string]struct {
		code, want protocol.CloseCode
	}{
		"with a code": {4321, 4321},
		"without":     {0, protocol.CloseNormal},
	} {
		t.Run(name, func(t *testing.T) {
			m := connect(t, within(&notes{}, func(c *consumer.Conn) error { return c.Close(tt.code, "") }), "/")
			must(t, m.SendText("x"))
			if got, err := m.ReceiveClose(); err != nil || got.Code != tt.want {
				t.Fatalf("ReceiveClose = %+v, %v, want %d", got, err, tt.want)
			}
		})
	}
}

// refusing is a consumer whose Connect does something and then, perhaps, fails.
func refusing(n *notes, do func(c *consumer.Conn) error) *consumer.Messages[struct{}] {
	app := within(n, nil)
	app.Connect = func(_ *struct{}, _ context.Context, c *consumer.Conn) error { return do(c) }
	return app
}

func TestX4_RejectedConnection(t *testing.T) {
	n := &notes{}
	m := communicator.WebSocket(t, refusing(n, func(c *consumer.Conn) error { return c.Close(4001, "not you") }), "/")
	_, err := m.Connect()
	if r, ok := errors.AsType[*protocol.Reject](err); !ok || r.StatusOrDefault() != 403 || r.Text() != "not you" {
		t.Fatalf("Connect = %v, want 403", err)
	}
	must(t, m.Wait())
	if len(n.lines) != 1 {
		t.Errorf("notes = %q, want one disconnect", n.lines)
	}
}

func TestX5_DenialResponse(t *testing.T) {
	denial := &protocol.Reject{Status: 402, Header: protocol.Fields{{Name: "X-Price", Value: "5"}}, Body: []byte("pay first")}
	m := communicator.WebSocket(t, refusing(&notes{}, func(*consumer.Conn) error { return denial }), "/")
	_, err := m.Connect()
	r, ok := errors.AsType[*protocol.Reject](err)
	if !ok || r.Status != 402 || r.Header.Get("X-Price") != "5" || string(r.Body) != "pay first" {
		t.Fatalf("Connect = %+v, want the denial", err)
	}
}

func TestX8_SecondDenial(t *testing.T) {
	var second, accept error
	m := communicator.WebSocket(t, refusing(&notes{}, func(c *consumer.Conn) error {
		must(t, c.Send(&protocol.Reject{Status: 402}))
		second, accept = c.Send(&protocol.Reject{Status: 404}), c.Accept("", nil)
		return nil
	}), "/")
	_, err := m.Connect()
	if r, ok := errors.AsType[*protocol.Reject](err); !ok || r.Status != 402 {
		t.Errorf("Connect = %v, want 402", err)
	}
	must(t, m.Wait())
	if !errors.Is(second, protocol.ErrClosed) || !errors.Is(accept, protocol.ErrClosed) {
		t.Errorf("a second refusal is %v, an accept behind it %v, want ErrClosed", second, accept)
	}
}

func TestX10_Exception(t *testing.T) {
	oops := errors.New("oops")
	n := &notes{}
	m := connect(t, within(n, func(*consumer.Conn) error { return oops }), "/")
	if err := m.SendText("x"); !errors.Is(err, oops) {
		t.Errorf("SendText = %v, want the application's error", err)
	}
	if got, _ := m.ReceiveClose(); got == nil || got.Code != protocol.CloseInternalError || got.Reason != "internal error" {
		t.Errorf("the client got %+v, want 1011 without the error's text", got)
	}
	_ = m.Disconnect(protocol.CloseInternalError) // it has the application's error
	if len(n.lines) != 1 {
		t.Errorf("notes = %q, want one disconnect", n.lines)
	}
}

func TestX11_DuplicateClose(t *testing.T) {
	var second error
	m := connect(t, within(&notes{}, func(c *consumer.Conn) error {
		must(t, c.Close(4001, "first"))
		second = c.Close(4002, "second")
		return nil
	}), "/")
	must(t, m.SendText("x"))
	if got, err := m.ReceiveClose(); err != nil || got.Code != 4001 {
		t.Errorf("ReceiveClose = %+v, %v", got, err)
	}
	if !errors.Is(second, protocol.ErrClosed) {
		t.Errorf("the second Close = %v, want ErrClosed", second)
	}
}

// However many reasons there are for it, there is one Disconnect.
func TestX12_OneDisconnect(t *testing.T) {
	n := &notes{}
	m := connect(t, within(n, func(c *consumer.Conn) error { return c.Close(4001, "enough") }), "/")
	must(t, m.SendText("x"))
	must(t, m.Disconnect(4001))
	must(t, m.Break())
	must(t, m.Disconnect(4002))
	wantNotes(t, n, `disconnect 4001 "enough" accepted=true`)
}

func TestX13_CloseReason(t *testing.T) {
	m := connect(t, within(&notes{}, func(c *consumer.Conn) error { return c.Close(4007, "it is late") }), "/")
	must(t, m.SendText("x"))
	if got, err := m.ReceiveClose(); err != nil || got.Code != 4007 || got.Reason != "it is late" {
		t.Errorf("ReceiveClose = %+v, %v", got, err)
	}
}

func TestX14_SendBeforeAccept(t *testing.T) {
	var state *protocol.StateError
	m := communicator.WebSocket(t, refusing(&notes{}, func(c *consumer.Conn) error {
		if err := c.SendText("early"); !errors.As(err, &state) {
			t.Errorf("SendText = %v, want a *StateError", err)
		}
		return nil // which accepts
	}), "/")
	if _, err := m.Connect(); err != nil {
		t.Fatal(err)
	}
	if state == nil || state.State != protocol.StateConnecting || state.Event != "message" || state.Want == "" {
		t.Errorf("the error says %+v", state)
	}
	if !m.ReceiveNothing(10 * time.Millisecond) {
		t.Error("what was sent too early came")
	}
}

func TestX16_WrongEventType(t *testing.T) {
	var got error
	m := connect(t, within(&notes{}, func(c *consumer.Conn) error {
		got = c.Send(&http.Response{})
		return c.SendText("still here")
	}), "/")
	must(t, m.SendText("x"))
	if state, ok := errors.AsType[*protocol.StateError](got); !ok || state.Event != "http.response" {
		t.Errorf("Send = %v, want a *StateError that names the event", got)
	}
	if text, err := m.ReceiveText(); err != nil || text != "still here" {
		t.Errorf("ReceiveText = %q, %v", text, err)
	}
}

// A goroutine of the connection may send while messages are handled, and ends with
// it.
func TestX18_Concurrency(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var running sync.WaitGroup
		app := &consumer.Messages[struct{}]{
			Connect: func(_ *struct{}, ctx context.Context, c *consumer.Conn) error {
				running.Go(func() {
					for tick := time.NewTicker(time.Minute); ; {
						select {
						case <-tick.C:
							_ = c.SendText("tick") // or it is too late
						case <-ctx.Done():
							return
						}
					}
				})
				return nil
			},
			Receive: func(_ *struct{}, _ context.Context, c *consumer.Conn, m *protocol.Message) error { return c.Send(m) },
		}
		m := connect(t, app, "/")
		m.Timeout = time.Hour
		for _, text := range []string{"one", "two"} {
			must(t, m.SendText(text))
			for _, want := range []string{text, "tick"} {
				if got, err := m.ReceiveText(); err != nil || got != want {
					t.Fatalf("ReceiveText = %q, %v, want %q", got, err, want)
				}
			}
		}
		must(t, m.Disconnect(protocol.CloseNormal))
		running.Wait()
	})
}
