package protocol_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/portico-go/portico/protocol"
)

// What a handler's error becomes, before the handshake is answered and after it.
func TestErrors(t *testing.T) {
	t.Parallel()
	wrapped := func(err error) error { return fmt.Errorf("asking the database: %w", err) }
	tests := []struct {
		name     string
		err      error
		refusal  string // before
		close    string // after
		reported bool
		code     protocol.CloseCode // of the Disconnect after accepting
	}{
		{"reject", protocol.Rejectf(401, "who are you?"), "reject 401 who are you?", "close 1008 who are you?", false, 1008},
		{"reject wrapped", wrapped(&protocol.Reject{}), "reject 403", "close 1008 Forbidden", false, 1008},
		{"no route", protocol.NoRoute(), "reject 404", "close 1008 Not Found", false, 1008},
		{"reject that hides a fault", &protocol.Reject{Status: 503, Err: errTest}, "reject 503", "close 1011 internal error", true, 1011},
		{"close", protocol.Closef(4001, "enough"), "reject 403 enough", "close 4001 enough", false, 4001},
		{"close without a code", &protocol.CloseError{}, "reject 403", "close 0", false, 1000},
		{"close wrapped", wrapped(protocol.Closef(4001, "enough")), "reject 403 enough", "close 4001 enough", false, 4001},
		{"protocol error", protocol.Closef(protocol.CloseProtocolError, "no"), "reject 400 no", "close 1002 no", false, 1002},
		{"unsupported", protocol.Closef(protocol.CloseUnsupportedData, "no"), "reject 400 no", "close 1003 no", false, 1003},
		{"not UTF-8", protocol.Closef(protocol.CloseInvalidPayload, "no"), "reject 400 no", "close 1007 no", false, 1007},
		{"too big", protocol.Closef(protocol.CloseMessageTooBig, "no"), "reject 413 no", "close 1009 no", false, 1009},
		{"shutdown", protocol.ErrShutdown, "reject 503", "close 1001 server shutting down", false, 1001},
		{"slow", protocol.ErrSlow, "reject 503", "close 1013 client too slow", false, 1013},
		{"handshake", protocol.ErrHandshakeTimeout, "reject 503", "close 1011 handshake took too long", false, 1011},
		{"reset", wrapped(protocol.ErrReset), "reject 503", "close 1006", false, 1006},
		{"another one", errTest, "reject 500", "close 1011 internal error", true, 1011},
		{"a context of its own", wrapped(context.Canceled), "reject 500", "close 1011 internal error", true, 1011},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a := &app{connect: func(context.Context, *protocol.Conn) error { return tt.err }}
			l, w := begin(t)
			must(t, l.Open(a))
			if err := l.Deliver(&protocol.Connect{}); !errors.Is(err, tt.err) {
				t.Errorf("Deliver = %v", err)
			}
			l.End(nil)
			want(t, "sent", w.out(), tt.refusal)
			if a.ended.Accepted || a.ended.Code != protocol.CloseAbnormal {
				t.Errorf("disconnect %+v, want a code of 1006 for what was never accepted", a.ended)
			}
			if tt.name != "a context of its own" && !errors.Is(a.ended.Cause, tt.err) {
				t.Errorf("cause = %v, want %v", a.ended.Cause, tt.err)
			}

			a = &app{handle: func(_ context.Context, _ *protocol.Conn, ev protocol.Event) error {
				if _, ok := ev.(*protocol.Message); ok {
					return tt.err
				}
				return nil
			}}
			l, w = connected(t, a)
			if err := l.Deliver(&protocol.Message{}); !errors.Is(err, tt.err) {
				t.Errorf("Deliver = %v", err)
			}
			if err := l.Deliver(&protocol.Message{}); !errors.Is(err, protocol.ErrClosed) {
				t.Errorf("Deliver behind the close = %v, want ErrClosed", err)
			}
			l.End(nil)
			want(t, "sent", w.out(), "accept 101, "+tt.close)
			if !a.ended.Accepted || a.ended.Code != tt.code {
				t.Errorf("disconnect %+v, want the code %d", a.ended, tt.code)
			}
			reported := 0
			for _, o := range w.observed {
				if len(o) > 6 && o[:6] == "error:" {
					reported++
				}
			}
			if (reported == 1) != tt.reported || reported > 1 {
				t.Errorf("observed %s, want it reported: %v", w.seen(), tt.reported)
			}
		})
	}
}

// A handler that gives up because the connection's context was cancelled failed
// for the reason why it was, which is nobody's fault.
func TestCancelledHandler(t *testing.T) {
	t.Parallel()
	for _, cause := range []error{protocol.ErrShutdown, protocol.ErrReset, protocol.ErrHandshakeTimeout} {
		l, w := begin(t)
		a := &app{connect: func(ctx context.Context, _ *protocol.Conn) error {
			l.Cancel(cause)
			return fmt.Errorf("asking: %w", ctx.Err())
		}}
		must(t, l.Open(a))
		_ = l.Deliver(&protocol.Connect{}) // its error is the context's
		l.End(nil)
		want(t, "sent", w.out(), "reject 503")
		if a.ended.Cause != cause {
			t.Errorf("cause = %v, want %v", a.ended.Cause, cause)
		}
		want(t, "observed", w.seen(), fmt.Sprintf("opened; refused: refused with 503 Service Unavailable: %v; closed: %v", cause, trim(cause)))
	}
}

func trim(err error) string { return err.Error()[len("protocol: "):] }

// The cause of the end is the application's error, not the answer made of it, also
// for a transport that ends the connection at once.
func TestCauseIsTheOriginalError(t *testing.T) {
	t.Parallel()
	l, w := begin(t)
	a := &app{connect: func(context.Context, *protocol.Conn) error { return errTest }}
	must(t, l.Open(a))
	ended := make(chan struct{})
	w.fail = func(protocol.Event) error {
		go func() { // while the refusal is being sent
			l.End(nil)
			close(ended)
		}()
		return nil
	}
	_ = l.Deliver(&protocol.Connect{}) // it is errTest
	<-ended
	if a.ended.Cause != errTest || context.Cause(l.Context()) != errTest {
		t.Errorf("causes: Disconnect %v, context %v", a.ended.Cause, context.Cause(l.Context()))
	}
	want(t, "observed", w.seen(), "opened; error: the test's error; refused: refused with 500 Internal Server Error: the test's error; closed: the test's error")
}

func TestFirstCauseStays(t *testing.T) {
	t.Parallel()
	first := errors.New("first")
	tests := []struct {
		name string
		do   func(*protocol.Lifecycle)
		want error
	}{
		{"cancel, then end", func(l *protocol.Lifecycle) { l.Cancel(first) }, first},
		{"cancel, then terminate", func(l *protocol.Lifecycle) { l.Cancel(first); l.Terminate(errTest) }, first},
		{"terminate, then cancel", func(l *protocol.Lifecycle) { l.Terminate(first); l.Cancel(errTest) }, first},
		{"terminate twice", func(l *protocol.Lifecycle) { l.Terminate(first); l.Terminate(errTest) }, first},
		{"neither", func(*protocol.Lifecycle) {}, errLast},
	}
	for _, tt := range tests {
		for _, accepted := range []bool{false, true} {
			a := &app{connect: func(_ context.Context, c *protocol.Conn) error {
				if accepted {
					return c.Accept("", nil)
				}
				return nil
			}}
			l, w := connected(t, a)
			tt.do(l)
			l.End(errLast)
			l.End(errTest)
			if a.ended.Cause != tt.want || context.Cause(l.Context()) != tt.want {
				t.Errorf("%s, accepted %v: Disconnect %v, context %v; want %v", tt.name, accepted, a.ended.Cause, context.Cause(l.Context()), tt.want)
			}
			if n := a.disconnects(); n != 1 {
				t.Errorf("%d disconnects, %s", n, w.seen())
			}
		}
	}
}

var errLast = errors.New("last")

// ErrClosed says that it is over, not why: it is no cause.
func TestErrClosedIsNoCause(t *testing.T) {
	t.Parallel()
	a := &app{connect: func(_ context.Context, c *protocol.Conn) error { return c.Send(&response{}) }}
	l, w := begin(t)
	must(t, l.Open(a))
	must(t, l.Deliver(&protocol.Connect{}))
	err := l.Deliver(&protocol.Message{})
	if !errors.Is(err, protocol.ErrClosed) {
		t.Fatalf("Deliver behind a whole answer = %v, want ErrClosed", err)
	}
	l.Terminate(protocol.ErrShutdown) // too late: it was answered well
	l.End(err)
	if a.ended.Cause != nil || a.ended.Code != protocol.CloseNormal || !a.ended.Accepted {
		t.Errorf("%+v, want an end without a cause", a.ended)
	}
	want(t, "observed", w.seen(), "opened; accepted; closed")
	if err := l.Deliver(&protocol.Message{}); !errors.Is(err, protocol.ErrClosed) {
		t.Errorf("Deliver after the end = %v", err)
	}
}

func TestOpenFails(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		app  protocol.Application
		sent string
		text string
	}{
		{"error", protocol.ApplicationFunc(func(context.Context, *protocol.Scope, *protocol.Conn) (protocol.Handler, error) {
			return nil, errTest
		}), "reject 500", "the test's error"},
		{"error and handler", protocol.ApplicationFunc(func(context.Context, *protocol.Scope, *protocol.Conn) (protocol.Handler, error) {
			return protocol.HandlerFunc(func(context.Context, protocol.Event) error { panic("never called") }), errTest
		}), "reject 500", "the test's error"},
		{"panic", protocol.ApplicationFunc(func(context.Context, *protocol.Scope, *protocol.Conn) (protocol.Handler, error) {
			panic("oops")
		}), "reject 500", "panic: oops"},
		{"nothing", protocol.ApplicationFunc(func(context.Context, *protocol.Scope, *protocol.Conn) (protocol.Handler, error) {
			return nil, nil
		}), "reject 500", "neither a handler nor an error"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			l, w := begin(t)
			cleaned := 0
			err := l.Open(protocol.ApplicationFunc(func(ctx context.Context, s *protocol.Scope, c *protocol.Conn) (protocol.Handler, error) {
				c.OnClose(func(context.Context, error) { cleaned++ })
				return tt.app.Open(ctx, s, c)
			}))
			wantErr(t, err, tt.text, nil)
			if err := l.Deliver(&protocol.Connect{}); !errors.Is(err, protocol.ErrClosed) {
				t.Errorf("Deliver = %v, want ErrClosed", err)
			}
			l.End(nil)
			want(t, "sent", w.out(), tt.sent)
			if cleaned != 1 {
				t.Errorf("the cleanup ran %d times", cleaned)
			}
		})
	}
}

func TestPanics(t *testing.T) {
	t.Parallel()
	oops := func(context.Context, *protocol.Conn, protocol.Event) error { panic("oops") }
	l, w := begin(t)
	a := &app{handle: oops}
	must(t, l.Open(a))
	err := l.Deliver(&protocol.Message{})
	p, ok := errors.AsType[*protocol.PanicError](err)
	if !ok || p.Value != "oops" || len(p.Stack) == 0 {
		t.Fatalf("Deliver = %#v, want a *PanicError with a stack", err)
	}
	ran := false
	l.Conn().OnClose(func(context.Context, error) { ran = true })
	l.Conn().OnClose(func(context.Context, error) { panic("cleanup") })
	l.End(nil)
	if !ran {
		t.Error("a cleanup was lost to the panic of another one")
	}
	want(t, "sent", w.out(), "reject 500")
	want(t, "observed", w.seen(), "opened; error: panic: oops; refused: refused with 500 Internal Server Error: protocol: panic: oops; "+
		"error: panic: cleanup; error: panic: oops; closed: panic: oops") // the third is Disconnect's own
}

func TestBadTarget(t *testing.T) {
	t.Parallel()
	w := &line{}
	l, err := protocol.NewLifecycle(t.Context(), &protocol.Request{Protocol: "chat", Target: "/a/../b"}, w, &protocol.Settings{Observer: w})
	if r, ok := errors.AsType[*protocol.Reject](err); !ok || r.Status != 400 {
		t.Fatalf("NewLifecycle = %v, want a 400", err)
	}
	l.Terminate(err)
	l.End(nil)
	want(t, "sent", w.out(), `reject 400 a path must have no "." or ".." segment`)
	if len(w.observed) != 3 {
		t.Errorf("observed %s, want that it was opened, refused and closed", w.seen())
	}
}

func TestPeerClosed(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		event *protocol.Close
		sent  string
		want  string
	}{
		{"with a code", &protocol.Close{Code: 4000, Reason: "bye"}, "accept 101, close 4000", "disconnect true 4000 bye"},
		{"without", &protocol.Close{Code: protocol.CloseNoStatus}, "accept 101, close 1005", "disconnect true 1005"},
		{"zero", &protocol.Close{}, "accept 101, close 1005", "disconnect true 1005"},
	}
	for _, tt := range tests {
		a := &app{}
		l, w := connected(t, a)
		l.PeerClosed(tt.event)
		l.PeerClosed(tt.event)
		l.End(protocol.ErrReset)
		want(t, tt.name, w.out(), tt.sent)
		want(t, tt.name, a.told(), "connect, "+tt.want)
		if c, ok := errors.AsType[*protocol.CloseError](a.ended.Cause); !ok || !c.Remote {
			t.Errorf("%s: cause = %v, want a CloseError of the peer", tt.name, a.ended.Cause)
		}
	}
	t.Run("after our own close", func(t *testing.T) {
		a := &app{}
		l, w := connected(t, a)
		must(t, l.Conn().Close(4001, "enough"))
		l.PeerClosed(&protocol.Close{Code: 4001})
		l.End(nil)
		want(t, "sent", w.out(), "accept 101, close 4001 enough")
		want(t, "told", a.told(), "connect, disconnect true 4001 enough")
	})
	t.Run("while it connects", func(t *testing.T) {
		a := &app{connect: func(context.Context, *protocol.Conn) error { return nil }}
		l, w := connected(t, a)
		l.PeerClosed(&protocol.Close{Code: 1000})
		l.End(nil)
		want(t, "sent", w.out(), "")
		want(t, "told", a.told(), "connect, disconnect false 1000")
		want(t, "observed", w.seen(), "opened; closed: closed by the peer with 1000")
	})
}

// A timeout refuses although a response hook is stuck, whether it is stuck in the
// handler's answer or in another refusal.
func TestTerminateWhileAHookIsStuck(t *testing.T) {
	t.Parallel()
	for _, answer := range []protocol.Event{&protocol.Accept{}, &protocol.Reject{Status: 404}} {
		synctest.Test(t, func(t *testing.T) {
			l, w := begin(t)
			var late error
			a := &app{
				open: func(_ context.Context, s *protocol.Scope, _ *protocol.Conn) error {
					return s.OnResponse(func(ctx context.Context, _ *protocol.Head) error {
						<-ctx.Done()
						return context.Cause(ctx)
					})
				},
				connect: func(_ context.Context, c *protocol.Conn) error {
					late = c.Send(answer)
					return late
				},
			}
			must(t, l.Open(a))
			done := make(chan struct{})
			go func() {
				_ = l.Deliver(&protocol.Connect{}) // ErrClosed, which is looked at below
				close(done)
			}()
			time.Sleep(time.Second)
			synctest.Wait()
			l.Terminate(protocol.ErrHandshakeTimeout)
			want(t, "sent", w.out(), "reject 503")
			l.Cancel(protocol.ErrHandshakeTimeout)
			<-done
			if !errors.Is(late, protocol.ErrClosed) {
				t.Errorf("the answer's Send = %v, want ErrClosed", late)
			}
			l.End(nil)
			want(t, "sent", w.out(), "reject 503")
			if a.ended.Cause != protocol.ErrHandshakeTimeout {
				t.Errorf("cause = %v", a.ended.Cause)
			}
		})
	}
}

func TestFailingHooks(t *testing.T) {
	t.Parallel()
	hooks := map[string]func(context.Context, *protocol.Head) error{
		"error": func(context.Context, *protocol.Head) error { return errTest },
		"panic": func(context.Context, *protocol.Head) error { panic(errTest) },
		"a split header": func(_ context.Context, h *protocol.Head) error {
			h.Header.Add("X", "the test's error\r\nSet-Cookie: a=b")
			return nil
		},
		"late": func(context.Context, *protocol.Head) error { return protocol.ErrClosed },
	}
	ways := map[string]func(l *protocol.Lifecycle, c *protocol.Conn) error{
		"accept":    func(_ *protocol.Lifecycle, c *protocol.Conn) error { return c.Accept("", nil) },
		"refuse":    func(_ *protocol.Lifecycle, c *protocol.Conn) error { return c.Send(&protocol.Reject{}) },
		"close":     func(_ *protocol.Lifecycle, c *protocol.Conn) error { return c.Close(1000, "") },
		"terminate": func(l *protocol.Lifecycle, _ *protocol.Conn) error { l.Terminate(protocol.ErrShutdown); return nil },
	}
	for hookName, hook := range hooks {
		for name, way := range ways {
			t.Run(hookName+"/"+name, func(t *testing.T) {
				t.Parallel()
				l, w := begin(t)
				a := &app{
					open: func(_ context.Context, s *protocol.Scope, _ *protocol.Conn) error { return s.OnResponse(hook) },
					connect: func(_ context.Context, c *protocol.Conn) error {
						err := way(l, c)
						if err == nil && name != "terminate" {
							t.Error("the Send returned nil")
						}
						return err
					},
				}
				must(t, l.Open(a))
				_ = l.Deliver(&protocol.Connect{}) // the hook's error
				l.End(nil)
				want(t, "sent", w.out(), "reject 500")
				reports := 0
				for _, o := range w.observed {
					if o[:5] == "error" {
						reports++
					}
				}
				if reports != 1 {
					t.Errorf("reported %d times: %s", reports, w.seen())
				}
			})
		}
	}
}

// Hooks see every kind of answer, once, and may change it.
func TestHooks(t *testing.T) {
	t.Parallel()
	shared := &protocol.Reject{Status: 404, Header: protocol.Fields{{Name: "A", Value: "1"}}}
	for _, tt := range []struct {
		answer protocol.Event
		sent   string
	}{
		{&protocol.Accept{Head: protocol.Head{Header: protocol.Fields{{Name: "A", Value: "1"}}}}, "accept 101  A=1+ B=2 C=3"},
		{shared, "reject 404  A=1+ B=2 C=3"},
		{shared, "reject 404  A=1+ B=2 C=3"}, // not changed by the first
		{&protocol.Close{}, "reject 403  B=2 C=3"},
	} {
		l, w := begin(t)
		var scope *protocol.Scope
		must(t, l.Open(&app{
			open: func(_ context.Context, s *protocol.Scope, _ *protocol.Conn) error {
				scope = s
				must(t, s.OnResponse(func(_ context.Context, h *protocol.Head) error {
					if len(h.Header) > 0 {
						h.Header[0].Value += "+"
					}
					return nil
				}))
				for _, f := range []protocol.Field{{Name: "B", Value: "2"}, {Name: "C", Value: "3"}} {
					must(t, s.OnResponse(func(_ context.Context, h *protocol.Head) error {
						h.Header.Add(f.Name, f.Value)
						return nil
					}))
				}
				return nil
			},
			connect: func(_ context.Context, c *protocol.Conn) error { return c.Send(tt.answer) },
		}))
		if scope.HeadersSent() {
			t.Error("headers are sent before the answer")
		}
		must(t, l.Deliver(&protocol.Connect{}))
		want(t, "sent", w.out(), tt.sent)
		err := scope.OnResponse(func(context.Context, *protocol.Head) error { panic("too late") })
		if !errors.Is(err, protocol.ErrHeadersSent) || !scope.HeadersSent() {
			t.Errorf("OnResponse behind the answer = %v", err)
		}
		l.End(nil)
	}
}
