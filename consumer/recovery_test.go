package consumer_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/portico-go/portico/channellayer"
	"github.com/portico-go/portico/channellayer/layertest"
	"github.com/portico-go/portico/communicator"
	"github.com/portico-go/portico/consumer"
	"github.com/portico-go/portico/protocol"
)

// A reader is the state of a connection to a room with history.
type reader struct{}

func (r *reader) connect(ctx context.Context, c *consumer.Conn) error {
	rec, err := c.JoinFrom(ctx, "room", c.Scope().Query("position"))
	if errors.Is(err, channellayer.ErrBrokerDown) {
		return nil // LayerChanged asks again
	}
	if err != nil {
		return err
	}
	return errors.Join(c.Accept("", nil), c.Reply(rec))
}

func (r *reader) receive(ctx context.Context, c *consumer.Conn, m *protocol.Message) error {
	for i := range 10 {
		if err := c.Broadcast(ctx, "room", "said", fmt.Sprint(string(m.Data), i)); err != nil {
			return c.Reply(errors.Is(err, channellayer.ErrBrokerDown))
		}
	}
	return c.GroupSend(ctx, "room", "poke", nil)
}

func (r *reader) changed(ctx context.Context, c *consumer.Conn, ev channellayer.LayerEvent) error {
	if !ev.Up {
		return nil
	}
	from := ev.Position.String()
	if ev.Group == "" {
		from = c.Scope().Query("position")
	}
	rec, err := c.JoinFrom(ctx, "room", from)
	return errors.Join(err, c.Reply(rec))
}

func roomApp(hub *channellayer.Hub) *consumer.Messages[reader] {
	return &consumer.Messages[reader]{
		Layer:        hub,
		Connect:      (*reader).connect,
		Receive:      (*reader).receive,
		LayerChanged: (*reader).changed,
		Broadcasts:   consumer.Broadcasts{"said": consumer.RenderPositioned[string]()},
		Events: consumer.Events[reader]{"poke": func(_ *reader, _ context.Context, c *consumer.Conn, m *channellayer.Message) error {
			return c.Reply(consumer.Positioned[string]{Group: m.Group, Type: m.Type, Position: m.Position(), Value: "poked"})
		}},
	}
}

func historyHub(t *testing.T, c channellayer.Config) *channellayer.Hub {
	t.Helper()
	c.History = []channellayer.History{{Pattern: "room", Size: 1000, Age: time.Hour}}
	hub, err := channellayer.New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = hub.Close() })
	return hub
}

// frames takes messages said0, said1 and so on, and returns the last one's position.
func frames(t *testing.T, c *communicator.Messages, prefix string, from, to int) channellayer.Position {
	t.Helper()
	var got consumer.Positioned[string]
	for i := from; i < to; i++ {
		if err := c.ReceiveJSON(&got); err != nil || got.Value != fmt.Sprint(prefix, i) || got.Position.IsZero() || got.Group != "room" {
			t.Fatalf("received %+v, %v; want %s%d with a position", got, err, prefix, i)
		}
	}
	return got.Position
}

func answer(t *testing.T, c *communicator.Messages) consumer.Recovered {
	t.Helper()
	var rec consumer.Recovered
	if err := c.ReceiveJSON(&rec); err != nil {
		t.Fatal(err)
	}
	return rec
}

// A client that comes back with its position gets what it missed, events and broadcasts, in several pages, and then what is new.
func TestRecovery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hub := historyHub(t, channellayer.Config{})
		app := roomApp(hub)
		say := func(from, to int) {
			t.Helper()
			for i := from; i < to; i++ {
				if _, err := hub.Broadcast(t.Context(), "room", channellayer.Event{Type: "said", Value: fmt.Sprint("said", i)}); err != nil {
					t.Fatal(err)
				}
			}
		}
		say(0, 3)
		first := connect(t, app, "/")
		if rec := answer(t, first); rec.Exact {
			t.Errorf("a first visit is exact: %+v", rec)
		}
		frames(t, first, "said", 0, 3)
		say(3, 5)
		last := frames(t, first, "said", 3, 5)
		must(t, first.Disconnect(1001))
		say(5, 255)
		if _, err := hub.GroupSend(t.Context(), "room", channellayer.Event{Type: "poke"}); err != nil {
			t.Fatal(err)
		}
		again := connect(t, app, "/?position="+last.String())
		if rec := answer(t, again); !rec.Exact || rec.Position.Offset != last.Offset+251 {
			t.Errorf("the second visit: %+v", rec)
		}
		frames(t, again, "said", 5, 255)
		var poke consumer.Positioned[string]
		if err := again.ReceiveJSON(&poke); err != nil || poke.Value != "poked" || poke.Position.Offset != last.Offset+251 {
			t.Errorf("received %+v, %v; want the event with its position", poke, err)
		}
		say(255, 256)
		frames(t, again, "said", 255, 256)

		other := last
		other.Tag = "AAAAAAAAAAAAA"
		lost := connect(t, app, "/?position="+other.String())
		if rec := answer(t, lost); rec.Exact {
			t.Errorf("a position of another history is exact: %+v", rec)
		}
		frames(t, lost, "said", 0, 255)
	})
}

func TestRecoveryFromNonsense(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		app := roomApp(historyHub(t, channellayer.Config{}))
		_, err := communicator.WebSocket(t, app, "/?position=nonsense").Connect()
		if r, ok := errors.AsType[*protocol.Reject](err); !ok || r.Status != 400 {
			t.Errorf("got %v, want a refusal with 400", err)
		}
		app.Receive = func(_ *reader, ctx context.Context, c *consumer.Conn, m *protocol.Message) error {
			_, err := c.JoinFrom(ctx, "room", string(m.Data))
			if !errors.Is(err, channellayer.ErrPosition) {
				t.Errorf("got %v, want ErrPosition", err)
			}
			return err
		}
		c := connect(t, app, "/")
		answer(t, c)
		_ = c.SendText("a.b.c")
		if cl, err := c.ReceiveClose(); cl == nil || cl.Code != protocol.CloseInvalidPayload {
			t.Errorf("got %+v, %v; want a close with 1007", cl, err)
		}
	})
}

// A connection that was too slow for its group asks for the rest by itself.
func TestRecoveryOfASlowConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := connect(t, roomApp(historyHub(t, channellayer.Config{Capacity: 3})), "/")
		answer(t, c)
		must(t, c.SendText("a")) // ten messages, while the connection reads none
		frames(t, c, "a", 0, 3)
		if rec := answer(t, c); !rec.Exact {
			t.Errorf("not exact: %+v", rec)
		}
		frames(t, c, "a", 3, 10)
	})
}

// Without the broker nothing is sent, and a visitor gets what it missed when it is back.
func TestRecoveryWithoutTheBroker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var server layertest.Loopback
		app := roomApp(historyHub(t, channellayer.Config{Broker: server.Broker()}))
		early := connect(t, app, "/")
		at := answer(t, early).Position
		must(t, early.SendText("a"))
		last := frames(t, early, "a", 0, 10)
		if last.Offset != at.Offset+10 {
			t.Errorf("positions %v and %v", at, last)
		}
		server.Stop()
		synctest.Wait()
		late := connect(t, app, "/?position="+at.String())
		must(t, late.SendText("b"))
		if got, err := late.ReceiveText(); err != nil || got != "true" {
			t.Errorf("a broadcast without the broker: %q, %v; want that it is down", got, err)
		}
		server.Start()
		synctest.Wait()
		if rec := answer(t, late); !rec.Exact {
			t.Errorf("not exact: %+v", rec)
		}
		frames(t, late, "a", 0, 10)
	})
}

// What was missed is sent at the client's pace, however little waits for it.
func TestRecoveryOfASlowClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hub := historyHub(t, channellayer.Config{})
		begin, err := hub.Recover(t.Context(), "room", channellayer.Position{})
		if err != nil {
			t.Fatal(err)
		}
		for i := range 250 {
			if _, err := hub.Broadcast(t.Context(), "room", channellayer.Event{Type: "said", Value: fmt.Sprint("said", i)}); err != nil {
				t.Fatal(err)
			}
		}
		c := communicator.WebSocket(t, roomApp(hub), "/?position="+begin.Position.String())
		c.Queue = 3
		if _, err := c.Connect(); err != nil {
			t.Fatal(err)
		}
		if rec := answer(t, c); !rec.Exact {
			t.Errorf("not exact: %+v", rec)
		}
		frames(t, c, "said", 0, 250)
	})
}
