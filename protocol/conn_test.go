package protocol_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/portico-go/portico/protocol"
)

// Each state allows what doc.go and docs/contract.md say, and nothing else.
func TestStates(t *testing.T) {
	t.Parallel()
	accept := func() protocol.Event { return &protocol.Accept{} }
	refuse := func() protocol.Event { return &protocol.Reject{Status: 404} }
	answer := func() protocol.Event { return &response{head: protocol.Head{Status: 201}} }
	message := func() protocol.Event { return &protocol.Message{Data: []byte("hi")} }
	ping := func() protocol.Event { return &protocol.Ping{} }
	end := func() protocol.Event { return &part{} }
	shut := func() protocol.Event { return &protocol.Close{Code: 4001, Reason: "enough"} }

	steps := func(evs ...func() protocol.Event) []func() protocol.Event { return evs }
	const late = "protocol: the connection is closed"
	tests := []struct {
		name   string
		before []func() protocol.Event
		send   func() protocol.Event
		err    string // of send
		sent   string
		state  protocol.State
	}{
		{"accept", nil, accept, "", "accept 101", protocol.StateAccepted},
		{"refuse", nil, refuse, "", "reject 404", protocol.StateRefused},
		{"answer", nil, answer, "", "test.response", protocol.StateClosed},
		{"close before accept", nil, shut, "", "reject 403 enough", protocol.StateRefused},
		{"message before accept", nil, message, "protocol: message was sent while the connection is connecting, which allows one accept or one refusal first", "", protocol.StateConnecting},
		{"ping before accept", nil, ping, "protocol: ping was sent while the connection is connecting, which allows one accept or one refusal first", "", protocol.StateConnecting},
		{"end before accept", nil, end, "protocol: test.part was sent while the connection is connecting, which allows one accept or one refusal first", "", protocol.StateConnecting},
		{"accept twice", steps(accept), accept, "protocol: accept was sent while the connection is accepted, which allows messages and one close", "accept 101", protocol.StateAccepted},
		{"refuse after accept", steps(accept), refuse, "protocol: reject was sent while the connection is accepted, which allows messages and one close", "accept 101", protocol.StateAccepted},
		{"answer after accept", steps(accept), answer, "protocol: test.response was sent while the connection is accepted, which allows messages and one close", "accept 101", protocol.StateAccepted},
		{"message", steps(accept), message, "", "accept 101, message hi", protocol.StateAccepted},
		{"end", steps(accept), end, "", "accept 101, test.part", protocol.StateClosing},
		{"close", steps(accept), shut, "", "accept 101, close 4001 enough", protocol.StateClosing},
		{"message after close", steps(accept, shut), message, late, "accept 101, close 4001 enough", protocol.StateClosing},
		{"close twice", steps(accept, shut), shut, late, "accept 101, close 4001 enough", protocol.StateClosing},
		{"accept after close", steps(accept, shut), accept, late, "accept 101, close 4001 enough", protocol.StateClosing},
		{"accept after refusal", steps(refuse), accept, late, "reject 404", protocol.StateRefused},
		{"refuse twice", steps(refuse), refuse, late, "reject 404", protocol.StateRefused},
		{"close after refusal", steps(refuse), shut, late, "reject 404", protocol.StateRefused},
		{"message after answer", steps(answer), message, late, "test.response", protocol.StateClosed},
		{"answer twice", steps(answer), answer, late, "test.response", protocol.StateClosed},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			l, w := begin(t)
			defer l.End(nil)
			for _, ev := range tt.before {
				if err := l.Conn().Send(ev()); err != nil {
					t.Fatal(err)
				}
			}
			err := l.Conn().Send(tt.send())
			got := ""
			if err != nil {
				got = err.Error()
			}
			want(t, "error", got, tt.err)
			if tt.err != "" && tt.err != late {
				if _, ok := errors.AsType[*protocol.StateError](err); !ok {
					t.Errorf("%T, want a *StateError", err)
				}
			}
			want(t, "sent", w.out(), tt.sent)
			if got := l.Conn().State(); got != tt.state {
				t.Errorf("state = %v, want %v", got, tt.state)
			}
			l.End(nil)
			if err := l.Conn().SendText("late"); !errors.Is(err, protocol.ErrClosed) {
				t.Errorf("Send after the end = %v, want ErrClosed", err)
			}
		})
	}
}

func TestCloseCodesAreChecked(t *testing.T) {
	t.Parallel()
	for code, ok := range map[protocol.CloseCode]bool{
		0: true, 999: false, 1000: true, 1004: false, 1005: true, 1006: true, 1014: true, 1015: false, 2999: false,
		3000: true, 4999: true, 5000: false, -1: false,
	} {
		l, w := connected(t, &app{})
		err := l.Conn().Close(code, "")
		if (err == nil) != ok {
			t.Errorf("Close(%d) = %v", code, err)
		}
		if state := l.Conn().State(); (state == protocol.StateClosing) != ok {
			t.Errorf("Close(%d) led to %v", code, state)
		}
		if !ok {
			l.Terminate(&protocol.CloseError{Code: code, Reason: "r"})
			want(t, "sent", w.out(), "accept 101, close 1011 r")
		}
		l.End(nil)
	}
}

func TestAcceptStatus(t *testing.T) {
	t.Parallel()
	for name, status := range map[string]string{"websocket": "accept 101", "chat": "accept 200", "own": "accept 200"} {
		l, w := beginWith(t, t.Context(), &protocol.Request{Protocol: name, Target: "/"})
		var seen int
		must(t, l.Open(&app{open: func(_ context.Context, s *protocol.Scope, _ *protocol.Conn) error {
			return s.OnResponse(func(_ context.Context, head *protocol.Head) error { seen = head.Status; return nil })
		}}))
		must(t, l.Deliver(&protocol.Connect{}))
		want(t, name, w.out(), status)
		if seen == 0 {
			t.Error("the hook saw no status")
		}
		l.End(nil)
	}
}

// An Accept that the transport cannot send, because it is no subprotocol that was
// offered say, is answered with a 500, once, and reported once.
func TestAcceptThatCannotBeSent(t *testing.T) {
	t.Parallel()
	for _, swallowed := range []bool{false, true} {
		l, w := begin(t)
		w.fail = func(ev protocol.Event) error {
			if _, ok := ev.(*protocol.Accept); ok {
				return errTest
			}
			return nil
		}
		a := &app{connect: func(_ context.Context, c *protocol.Conn) error {
			err := c.Accept("", nil)
			wantErr(t, err, "the test's error", errTest)
			if swallowed {
				return nil
			}
			return err
		}}
		must(t, l.Open(a))
		_ = l.Deliver(&protocol.Connect{}) // its error is not the point
		l.End(nil)
		want(t, "sent", w.out(), "reject 500")
		want(t, "observed", w.seen(), "opened; error: the test's error; refused: refused with 500 Internal Server Error: the test's error; "+
			"closed: refused with 500 Internal Server Error: the test's error")
		want(t, "told", a.told(), "connect, disconnect false 1006 Internal Server Error")
	}
}

func TestSubprotocolMustBeOffered(t *testing.T) {
	t.Parallel()
	l, w := beginWith(t, t.Context(), &protocol.Request{Protocol: "websocket", Target: "/", Subprotocols: []string{"v2", "v1"}})
	defer l.End(nil)
	wantErr(t, l.Conn().Accept("v3", nil), `protocol: the subprotocol "v3" was not offered; the client offered ["v2" "v1"]`, nil)
	must(t, l.Conn().Accept("v1", nil)) // nothing was lost
	want(t, "sent", w.out(), "accept 101 v1")
}

func TestAcceptWhenThePeerIsGone(t *testing.T) {
	t.Parallel()
	l, w := begin(t)
	w.fail = func(protocol.Event) error { return protocol.ErrClosed }
	a := &app{}
	must(t, l.Open(a))
	if err := l.Deliver(&protocol.Connect{}); !errors.Is(err, protocol.ErrClosed) {
		t.Fatalf("Deliver = %v, want ErrClosed", err)
	}
	l.End(protocol.ErrReset)
	want(t, "observed", w.seen(), "opened; closed: the peer reset the connection")
	want(t, "told", a.told(), "connect, disconnect false 1006")
}

// impostor claims a step that belongs to another type.
type impostor struct{ step protocol.Step }

func (impostor) EventType() string     { return "impostor" }
func (i impostor) Step() protocol.Step { return i.step }

func TestImpostors(t *testing.T) {
	t.Parallel()
	l, w := begin(t)
	defer l.End(nil)
	wantErr(t, l.Conn().Send(impostor{protocol.StepAccept}), "impostor answers a request but is no protocol.Answer", nil)
	wantErr(t, l.Conn().Send(impostor{protocol.StepRefuse}), "impostor refuses a connection but is no *protocol.Reject", nil)
	must(t, l.Conn().Accept("", nil))
	want(t, "sent", w.out(), "accept 101")
}

func TestConn(t *testing.T) {
	t.Parallel()
	l, w := connected(t, &app{})
	c := l.Conn()
	must(t, c.SendBinary([]byte("b")))
	must(t, c.Flush())
	must(t, c.Post(&protocol.Ping{}))
	if len(w.mail) != 1 || c.Transport() != protocol.Transport(w) || c.Request().Target != "/room" {
		t.Errorf("mail %v, transport %v, request %v", w.mail, c.Transport(), c.Request())
	}
	want(t, "sent", w.out(), "accept 101, message b")
	l.End(nil)
	w.closed = true
	if err := c.Post(&protocol.Ping{}); !errors.Is(err, protocol.ErrClosed) {
		t.Errorf("Post after the end = %v", err)
	}
}

func TestLimits(t *testing.T) {
	t.Parallel()
	got := protocol.Limits{Frame: 7}.WithDefaults()
	if got != (protocol.Limits{Handshake: 16 << 10, Frame: 7, Message: 1 << 20}) {
		t.Errorf("%+v", got)
	}
}

func TestTimers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l, w := connected(t, &app{})
		c := l.Conn()
		c.PostAfter(time.Second, nil)
		stop := c.PostAfter(time.Second, &protocol.Timer{Name: "stopped"})
		c.PostAfter(2*time.Second, &protocol.Timer{Name: "own"})
		c.PostAfter(time.Hour, &protocol.Timer{Name: "too late"})
		stop()
		stop()
		time.Sleep(time.Minute)
		synctest.Wait()
		if len(w.mail) != 2 || w.mail[0].(*protocol.Timer).At.IsZero() || w.mail[1].(*protocol.Timer).Name != "own" {
			t.Errorf("mail = %v", w.mail)
		}
		l.End(nil)
		c.PostAfter(time.Second, nil)
		time.Sleep(2 * time.Hour) // a timer that still ran would be seen in the mail
		synctest.Wait()
		if len(w.mail) != 2 {
			t.Errorf("a timer fired after the end: %v", w.mail)
		}
	})
}

// A connection that sets a timer every second must not grow.
func TestTimersLeaveNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, w := connected(t, &app{})
		c := l.Conn()
		run := func() {
			c.PostAfter(time.Second, nil)
			time.Sleep(2 * time.Second)
			synctest.Wait()
			w.mail = w.mail[:0]
		}
		for range 10 {
			run()
		}
		if n := protocol.Kept(c); n != 0 {
			t.Errorf("%d timers or cleanups are kept", n)
		}
		l.End(nil)
	})
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
