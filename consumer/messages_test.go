package consumer_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/portico-go/portico/channellayer"
	"github.com/portico-go/portico/communicator"
	"github.com/portico-go/portico/consumer"
	"github.com/portico-go/portico/protocol"
)

// notes is what the connections of one test did, in order.
type notes struct{ lines []string }

func (n *notes) add(format string, args ...any) {
	n.lines = append(n.lines, fmt.Sprintf(format, args...))
}

// recorder is a consumer's state that notes what happens.
type recorder struct{ notes *notes }

func (r *recorder) connect(_ context.Context, c *consumer.Conn) error {
	r.notes.add("connect %s", c.Scope().Path())
	return nil
}

func (r *recorder) echo(_ context.Context, c *consumer.Conn, m *protocol.Message) error {
	r.notes.add("receive binary=%v %q", m.Binary, m.Data)
	return c.Send(m)
}

func (r *recorder) disconnect(_ context.Context, _ *consumer.Conn, ev *protocol.Disconnect) error {
	r.notes.add("disconnect %d accepted=%v", ev.Code, ev.Accepted)
	return nil
}

func recording(n *notes) *consumer.Messages[recorder] {
	return &consumer.Messages[recorder]{
		New:        func() *recorder { return &recorder{notes: n} },
		Connect:    (*recorder).connect,
		Receive:    (*recorder).echo,
		Disconnect: (*recorder).disconnect,
	}
}

func newHub(t *testing.T) *channellayer.Hub {
	t.Helper()
	hub, err := channellayer.New(channellayer.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = hub.Close() })
	return hub
}

func connect(t *testing.T, app protocol.Application, target string, options ...communicator.Option) *communicator.Messages {
	t.Helper()
	m := communicator.WebSocket(t, app, target, options...)
	if _, err := m.Connect(); err != nil {
		t.Fatalf("connect to %s: %v", target, err)
	}
	return m
}

func TestW1_ConnectEchoDisconnect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &notes{}
		m := connect(t, recording(n), "/testws/")
		must(t, m.SendText("hello"))
		if got, err := m.ReceiveText(); err != nil || got != "hello" {
			t.Fatalf("ReceiveText = %q, %v", got, err)
		}
		must(t, m.SendBinary([]byte("w\x00\x00\x00")))
		if got, err := m.ReceiveBinary(); err != nil || string(got) != "w\x00\x00\x00" {
			t.Fatalf("ReceiveBinary = %q, %v", got, err)
		}
		must(t, m.Disconnect(4001))
		want := []string{
			"connect /testws/", `receive binary=false "hello"`, `receive binary=true "w\x00\x00\x00"`,
			"disconnect 4001 accepted=true",
		}
		if !slices.Equal(n.lines, want) {
			t.Errorf("notes = %q, want %q", n.lines, want)
		}
	})
}

func TestW2_EachConnectionHasItsOwnScopeAndState(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		type state struct{ path string }
		app := &consumer.Messages[state]{
			Connect: func(s *state, _ context.Context, c *consumer.Conn) error {
				s.path = c.Scope().Path()
				return nil
			},
			Receive: func(s *state, _ context.Context, c *consumer.Conn, _ *protocol.Message) error {
				return c.SendText(s.path + " " + c.Scope().Path())
			},
		}
		first, second := connect(t, app, "/first/"), connect(t, app, "/second/")
		for _, m := range []*communicator.Messages{second, first, second} {
			must(t, m.SendText("?"))
		}
		for _, want := range []struct {
			m    *communicator.Messages
			text string
		}{{first, "/first/ /first/"}, {second, "/second/ /second/"}, {second, "/second/ /second/"}} {
			if got, err := want.m.ReceiveText(); err != nil || got != want.text {
				t.Errorf("ReceiveText = %q, %v, want %q", got, err, want.text)
			}
		}
	})
}

func TestW3_Subprotocols(t *testing.T) {
	tests := []struct {
		name    string
		app     *consumer.Messages[struct{}]
		offered []string
		want    string
	}{
		{"chosen by Connect", &consumer.Messages[struct{}]{
			Connect: func(_ *struct{}, _ context.Context, c *consumer.Conn) error {
				if !slices.Equal(c.Scope().Subprotocols(), []string{"subprotocol1", "subprotocol2"}) {
					return fmt.Errorf("offered %q", c.Scope().Subprotocols())
				}
				return c.Accept("subprotocol2", nil)
			},
		}, []string{"subprotocol1", "subprotocol2"}, "subprotocol2"},
		{"the server's preference", &consumer.Messages[struct{}]{Subprotocols: []string{"b", "a"}}, []string{"a", "b", "c"}, "b"},
		{"none in common", &consumer.Messages[struct{}]{Subprotocols: []string{"x"}}, []string{"a"}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := communicator.WebSocket(t, tt.app, "/", communicator.Subprotocols(tt.offered...))
			accept, err := m.Connect()
			if err != nil || accept.Subprotocol != tt.want {
				t.Fatalf("Connect = %+v, %v, want subprotocol %q", accept, err, tt.want)
			}
		})
	}
}

func TestW4_GroupsAreJoinedBeforeConnectAndLeftBeforeDisconnect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hub := newHub(t)
		n := &notes{}
		members := func() int { return hub.Stats().Groups }
		app := &consumer.Messages[struct{}]{
			Layer:  hub,
			Groups: []string{"chat"},
			Connect: func(*struct{}, context.Context, *consumer.Conn) error {
				n.add("connect groups=%d", members())
				return nil
			},
			Events: consumer.Events[struct{}]{
				"chat.said": consumer.Event(func(_ *struct{}, _ context.Context, c *consumer.Conn, text string) error {
					return c.SendText(text)
				}),
			},
			Disconnect: func(*struct{}, context.Context, *consumer.Conn, *protocol.Disconnect) error {
				n.add("disconnect groups=%d", members())
				return nil
			},
		}
		m := connect(t, app, "/")
		if _, err := hub.GroupSend(t.Context(), "chat", channellayer.Event{Type: "chat.said", Value: "hi"}); err != nil {
			t.Fatal(err)
		}
		if got, err := m.ReceiveText(); err != nil || got != "hi" {
			t.Fatalf("ReceiveText = %q, %v", got, err)
		}
		must(t, m.Disconnect(protocol.CloseNormal))
		if want := []string{"connect groups=1", "disconnect groups=0"}; !slices.Equal(n.lines, want) {
			t.Errorf("notes = %q, want %q", n.lines, want)
		}
	})
}

func TestW5_EachConsumerUsesTheLayerItIsGiven(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mine, other := newHub(t), newHub(t)
		var channel string
		app := &consumer.Messages[struct{}]{
			Layer: mine,
			Connect: func(_ *struct{}, _ context.Context, c *consumer.Conn) error {
				channel = c.Channel()
				return nil
			},
			Events: consumer.Events[struct{}]{
				"ping": consumer.Event(func(_ *struct{}, _ context.Context, c *consumer.Conn, n int) error {
					return c.SendText(fmt.Sprint(n))
				}),
			},
		}
		m := connect(t, app, "/")
		if err := other.Send(t.Context(), channel, channellayer.Event{Type: "ping", Value: 1}); !errors.Is(err, channellayer.ErrNoSubscriber) {
			t.Errorf("the other layer's Send = %v, want ErrNoSubscriber", err)
		}
		must(t, mine.Send(t.Context(), channel, channellayer.Event{Type: "ping", Value: 2}))
		if got, err := m.ReceiveText(); err != nil || got != "2" {
			t.Fatalf("ReceiveText = %q, %v", got, err)
		}
	})
}

type sum struct {
	A, B int
}

func (s *sum) UnmarshalLine(line string) error {
	_, err := fmt.Sscanf(line, "%d+%d", &s.A, &s.B)
	return err
}

type result struct{ Sum int }

func (r result) MarshalLine() (string, error) { return fmt.Sprintf("= %d", r.Sum), nil }

func adder() *consumer.Messages[struct{}] {
	return &consumer.Messages[struct{}]{
		Receive: consumer.JSON(func(_ *struct{}, _ context.Context, c *consumer.Conn, in sum) error {
			return c.Reply(result{in.A + in.B})
		}),
	}
}

func TestW6_JSON(t *testing.T) {
	t.Run("round trip", func(t *testing.T) {
		m := connect(t, adder(), "/")
		must(t, m.SendJSON(map[string]int{"A": 1, "B": 2}))
		var got result
		if err := m.ReceiveJSON(&got); err != nil || got.Sum != 3 {
			t.Fatalf("ReceiveJSON = %+v, %v", got, err)
		}
	})
	bad := map[string]*protocol.Message{
		"binary":      {Binary: true, Data: []byte("{}")},
		"empty":       {},
		"no JSON":     {Data: []byte("{")},
		"wrong type":  {Data: []byte(`{"A":"x"}`)},
		"more behind": {Data: []byte(`{} {}`)},
	}
	for name, msg := range bad {
		t.Run(name, func(t *testing.T) {
			m := connect(t, adder(), "/")
			must(t, m.Deliver(msg))
			ev, err := m.ReceiveClose()
			if err != nil || ev.Code != protocol.CloseInvalidPayload || !strings.HasPrefix(ev.Reason, "invalid message: ") || len(ev.Reason) > 123 {
				t.Fatalf("ReceiveClose = %+v, %v", ev, err)
			}
		})
	}
	t.Run("JSONOr goes on", func(t *testing.T) {
		app := &consumer.Messages[struct{}]{Receive: consumer.JSONOr(
			func(*struct{}, context.Context, *consumer.Conn, sum) error { return nil },
			func(_ *struct{}, _ context.Context, c *consumer.Conn, err error) error {
				return c.SendText(err.Error())
			},
		)}
		m := connect(t, app, "/")
		must(t, m.SendText("x"))
		if got, err := m.ReceiveText(); err != nil || !strings.HasPrefix(got, "invalid message: ") {
			t.Fatalf("ReceiveText = %q, %v", got, err)
		}
	})
}

// A layer message cannot name a function of the consumer: what is not in the table
// is told to Unhandled and ends nothing.
func TestW7_W8_LayerEventsReachOnlyTheTable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hub, n := newHub(t), &notes{}
		app := &consumer.Messages[struct{}]{
			Layer:     hub,
			Groups:    []string{"all"},
			Unhandled: func(m *channellayer.Message, err error) { n.add("%s: %v", m.Type, err) },
			Events: consumer.Events[struct{}]{
				"number": consumer.Event(func(_ *struct{}, _ context.Context, c *consumer.Conn, i int) error {
					return c.SendText(fmt.Sprint(i))
				}),
			},
		}
		m := connect(t, app, "/")
		for _, name := range []string{"_my_private_handler", ".my_private_handler", "Receive", "websocket.disconnect", "send"} {
			send(t, hub, name, "x")
		}
		send(t, hub, "number", "no number")
		send(t, hub, "number", 7)
		if got, err := m.ReceiveText(); err != nil || got != "7" {
			t.Fatalf("ReceiveText = %q, %v", got, err)
		}
		if len(n.lines) != 6 || !strings.Contains(n.lines[0], "_my_private_handler") || !strings.Contains(n.lines[5], "no int") {
			t.Errorf("unhandled = %q", n.lines)
		}
	})
}

func TestW9_AcceptHeaders(t *testing.T) {
	app := &consumer.Messages[struct{}]{
		Connect: func(_ *struct{}, _ context.Context, c *consumer.Conn) error {
			return c.Accept("", protocol.Fields{{Name: "foo", Value: "bar"}})
		},
	}
	accept, err := communicator.WebSocket(t, app, "/").Connect()
	if err != nil || accept.Head.Header.Get("Foo") != "bar" {
		t.Fatalf("Connect = %+v, %v", accept, err)
	}
}

func TestW10_CloseWithReason(t *testing.T) {
	ways := map[string]func(c *consumer.Conn) error{
		"Close":    func(c *consumer.Conn) error { return c.Close(4007, "test reason") },
		"an error": func(*consumer.Conn) error { return protocol.Closef(4007, "test reason") },
	}
	for name, way := range ways {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := &notes{}
				app := recording(n)
				app.Connect = func(_ *recorder, _ context.Context, c *consumer.Conn) error {
					must(t, c.Accept("", nil))
					return way(c)
				}
				m := connect(t, app, "/")
				if ev, err := m.ReceiveClose(); err != nil || ev.Code != 4007 || ev.Reason != "test reason" {
					t.Fatalf("ReceiveClose = %+v, %v", ev, err)
				}
				must(t, m.Wait())
				if want := []string{"disconnect 4007 accepted=true"}; !slices.Equal(n.lines, want) {
					t.Errorf("notes = %q, want %q", n.lines, want)
				}
			})
		})
	}
}

func TestW11_TextAndBinary(t *testing.T) {
	n := &notes{}
	m := connect(t, recording(n), "/")
	must(t, m.SendBinary([]byte("b")))
	must(t, m.SendText("t"))
	want := []string{"connect /", `receive binary=true "b"`, `receive binary=false "t"`}
	if !slices.Equal(n.lines, want) {
		t.Errorf("notes = %q, want %q", n.lines, want)
	}
}

func TestConnectRefuses(t *testing.T) {
	tests := []struct {
		name   string
		err    error
		status int
	}{
		{"reject", protocol.Rejectf(401, "who are you?"), 401},
		{"close error", protocol.Closef(4000, "no"), 403},
		{"route miss", protocol.NoRoute(), 404},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			n := &notes{}
			app := recording(n)
			app.Connect = func(*recorder, context.Context, *consumer.Conn) error { return tt.err }
			m := communicator.WebSocket(t, app, "/")
			_, err := m.Connect()
			reject, ok := errors.AsType[*protocol.Reject](err)
			if !ok || reject.Status != tt.status {
				t.Fatalf("Connect = %v, want a Reject with %d", err, tt.status)
			}
			must(t, m.Wait())
			if len(n.lines) != 1 || !strings.HasSuffix(n.lines[0], "accepted=false") {
				t.Errorf("notes = %q, want one disconnect", n.lines)
			}
		})
	}
}

func TestDeferredAccept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hub := newHub(t)
		app := &consumer.Messages[struct{}]{
			Layer:       hub,
			Groups:      []string{"all"},
			DeferAccept: true,
			Events: consumer.Events[struct{}]{
				"admit": consumer.Event(func(_ *struct{}, _ context.Context, c *consumer.Conn, _ string) error {
					return c.Accept("", nil)
				}),
			},
		}
		m := communicator.WebSocket(t, app, "/")
		m.Open(&protocol.Connect{})
		synctest.Wait() // joined
		broadcast(t, hub, "news", "early")
		if !m.ReceiveNothing(time.Minute) {
			t.Fatal("something was sent before the accept")
		}
		send(t, hub, "admit", "")
		if ev, err := m.Receive(); err != nil || ev.EventType() != "accept" {
			t.Fatalf("Receive = %v, %v, want accept", ev, err)
		}
		if got, err := m.ReceiveText(); err != nil || got != `"early"` {
			t.Fatalf("ReceiveText = %q, %v", got, err)
		}
	})
}

func TestBroadcastIsRenderedForEachFraming(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hub := newHub(t)
		app := &consumer.Messages[struct{}]{
			Layer:      hub,
			Groups:     []string{"all"},
			Broadcasts: consumer.Broadcasts{"result": consumer.Render[result]()},
		}
		browser := connect(t, app, "/")
		terminal := &communicator.Messages{Communicator: communicator.New(t, app, &protocol.Request{
			Protocol: "lines", Framing: protocol.FramingLine, Target: "/",
		})}
		if _, err := terminal.Connect(); err != nil {
			t.Fatal(err)
		}
		broadcast(t, hub, "result", result{5})
		broadcast(t, hub, "unlisted", result{6})
		for _, want := range []string{`{"Sum":5}`, `{"Sum":6}`} {
			if got, err := browser.ReceiveText(); err != nil || got != want {
				t.Errorf("browser: %q, %v, want %q", got, err, want)
			}
		}
		if got, err := terminal.ReceiveText(); err != nil || got != "= 5" {
			t.Errorf("terminal: %q, %v", got, err)
		}
		if !terminal.ReceiveNothing(time.Minute) {
			t.Error("the terminal got a broadcast that has no form for it")
		}
	})
}

// A broadcast must not overtake events that were queued before it.
func TestBroadcastKeepsItsPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hub := newHub(t)
		app := &consumer.Messages[struct{}]{
			Layer:  hub,
			Groups: []string{"all"},
			Events: consumer.Events[struct{}]{
				"event": consumer.Event(func(_ *struct{}, _ context.Context, c *consumer.Conn, s string) error {
					time.Sleep(time.Second)
					return c.SendText(s)
				}),
			},
		}
		m := connect(t, app, "/")
		send(t, hub, "event", "first")
		broadcast(t, hub, "news", "second")
		send(t, hub, "event", "third")
		m.Timeout = time.Minute
		for _, want := range []string{"first", `"second"`, "third"} {
			if got, err := m.ReceiveText(); err != nil || got != want {
				t.Fatalf("ReceiveText = %q, %v, want %q", got, err, want)
			}
		}
	})
}

func TestPosted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		app := &consumer.Messages[struct{}]{
			Connect: func(_ *struct{}, _ context.Context, c *consumer.Conn) error {
				c.PostAfter(time.Hour, nil)
				return nil
			},
			Posted: func(_ *struct{}, _ context.Context, c *consumer.Conn, ev protocol.Event) error {
				return c.SendText(ev.EventType())
			},
		}
		m := connect(t, app, "/")
		m.Timeout = 2 * time.Hour
		begin := time.Now()
		if got, err := m.ReceiveText(); err != nil || got != "timer" || time.Since(begin) != time.Hour {
			t.Fatalf("ReceiveText = %q, %v after %v", got, err, time.Since(begin))
		}
	})
}

func TestWithoutALayer(t *testing.T) {
	app := &consumer.Messages[struct{}]{
		Connect: func(_ *struct{}, ctx context.Context, c *consumer.Conn) error {
			for _, err := range []error{
				c.Join(ctx, "g"), c.Leave(ctx, "g"), c.GroupSend(ctx, "g", "e", 1),
				c.Broadcast(ctx, "g", "e", 1), c.SendEvent(ctx, "c", "e", 1), c.SetMetadata(nil),
			} {
				if !errors.Is(err, consumer.ErrNoLayer) {
					return fmt.Errorf("err = %w, want ErrNoLayer", err)
				}
			}
			if c.Channel() != "" {
				return errors.New("a channel without a layer")
			}
			return nil
		},
	}
	connect(t, app, "/")
}

func TestCheckFindsFaults(t *testing.T) {
	tests := []struct {
		name string
		app  *consumer.Messages[struct{}]
		want string
	}{
		{"groups without a layer", &consumer.Messages[struct{}]{Groups: []string{"g"}}, "Layer"},
		{"bad group", &consumer.Messages[struct{}]{Layer: &channellayer.Hub{}, Groups: []string{""}}, "name"},
		{"nil event handler", &consumer.Messages[struct{}]{Events: consumer.Events[struct{}]{"x": nil}}, `"x"`},
		{"nil rendering", &consumer.Messages[struct{}]{Broadcasts: consumer.Broadcasts{"y": nil}}, `"y"`},
		{"bad subprotocol", &consumer.Messages[struct{}]{Subprotocols: []string{"a b"}}, `"a b"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if err := protocol.Check(tt.app); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("Check = %v, want it to mention %s", err, tt.want)
			}
		})
	}
}

func send(t *testing.T, hub *channellayer.Hub, name string, value any) {
	t.Helper()
	if _, err := hub.GroupSend(t.Context(), "all", channellayer.Event{Type: name, Value: value}); err != nil {
		t.Fatal(err)
	}
}

func broadcast(t *testing.T, hub *channellayer.Hub, name string, value any) {
	t.Helper()
	if _, err := hub.Broadcast(t.Context(), "all", channellayer.Event{Type: name, Value: value}); err != nil {
		t.Fatal(err)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
