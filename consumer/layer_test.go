package consumer_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"github.com/portico-go/portico/channellayer"
	"github.com/portico-go/portico/channellayer/layertest"
	"github.com/portico-go/portico/consumer"
	"github.com/portico-go/portico/protocol"
)

// While the broker is away connections come, talk to those in their process, and are told; none ends.
func TestLayerChanged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var server layertest.Loopback
		hub, err := channellayer.New(channellayer.Config{Broker: server.Broker()})
		if err != nil {
			t.Fatal(err)
		}
		defer hub.Close()
		type state struct{}
		app := &consumer.Messages[state]{
			Layer:  hub,
			Groups: []string{"all"},
			Receive: func(_ *state, ctx context.Context, c *consumer.Conn, m *protocol.Message) error {
				return errors.Join(
					c.Broadcast(ctx, "all", "said", string(m.Data)),
					c.GroupSend(ctx, "all", "poke", nil),
					c.Join(ctx, "more"),
				)
			},
			Events: consumer.Events[state]{"poke": func(_ *state, _ context.Context, c *consumer.Conn, _ *channellayer.Message) error {
				return c.Reply("poked")
			}},
			LayerChanged: func(_ *state, _ context.Context, c *consumer.Conn, ev channellayer.LayerEvent) error {
				if ev.Up {
					return c.Reply("up")
				}
				return c.Reply("down")
			},
		}
		deaf := &consumer.Messages[state]{Layer: hub, Groups: []string{"all"}, Events: app.Events}
		early, other := connect(t, app, "/"), connect(t, deaf, "/")
		server.Stop()
		synctest.Wait()
		late := connect(t, app, "/")
		if err := early.SendText("hi"); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		server.Start()
		synctest.Wait()
		for name, c := range map[string]struct {
			receive func() (string, error)
			want    []string
		}{
			"early": {early.ReceiveText, []string{`"down"`, `"hi"`, `"poked"`, `"up"`}},
			"late":  {late.ReceiveText, []string{`"hi"`, `"poked"`, `"up"`}},
			"deaf":  {other.ReceiveText, []string{`"hi"`, `"poked"`}},
		} {
			for _, want := range c.want {
				if got, err := c.receive(); err != nil || got != want {
					t.Errorf("%s received %s, %v; want %s", name, got, err, want)
				}
			}
		}
	})
}

// A connection says what it is, and a send goes to those that are so.
func TestSetMetadata(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hub, err := channellayer.New(channellayer.Config{})
		if err != nil {
			t.Fatal(err)
		}
		defer hub.Close()
		app := &consumer.Messages[struct{}]{
			Layer:  hub,
			Groups: []string{"all"},
			Receive: func(_ *struct{}, _ context.Context, c *consumer.Conn, m *protocol.Message) error {
				return c.SetMetadata(map[string]string{"role": string(m.Data)})
			},
		}
		admin, guest := connect(t, app, "/"), connect(t, app, "/")
		for role, c := range map[string]interface{ SendText(string) error }{"admin": admin, "guest": guest} {
			if err := c.SendText(role); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		for i, option := range []channellayer.SendOption{channellayer.Where("role", "admin"), channellayer.Where("role")} {
			if _, err := hub.Broadcast(t.Context(), "all", channellayer.Event{Type: "said", Value: i}, option); err != nil {
				t.Fatal(err)
			}
		}
		for _, want := range []string{"0", "1"} {
			if got, err := admin.ReceiveText(); err != nil || got != want {
				t.Errorf("the admin received %s, %v; want %s", got, err, want)
			}
		}
		if got, err := guest.ReceiveText(); err != nil || got != "1" {
			t.Errorf("the guest received %s, %v; want 1 alone", got, err)
		}
	})
}
