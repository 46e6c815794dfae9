package channellayer_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/portico-go/portico/channellayer"
	"github.com/portico-go/portico/channellayer/layertest"
)

func TestOnClose(t *testing.T) {
	t.Parallel()
	h := newHub(t, channellayer.Config{})
	s := subscribe(t, h, "c", "g")
	var told, stopped atomic.Int32
	for range 2 {
		if _, err := h.OnClose("c", func() {
			if d := groupSend(t, h, "g", 1); d.Delivered != 0 {
				t.Error("it is still in its group")
			}
			told.Add(1)
		}); err != nil {
			t.Fatal(err)
		}
	}
	stop, err := h.OnClose("c", func() { stopped.Add(1) })
	if err != nil {
		t.Fatal(err)
	}
	stop()
	stop()
	s.Close()
	s.Close()
	stop()
	if told.Load() != 2 || stopped.Load() != 0 {
		t.Errorf("%d and %d were told, expected 2 and none", told.Load(), stopped.Load())
	}
	if _, err := h.OnClose("c", nil); !errors.Is(err, channellayer.ErrNoSubscriber) {
		t.Errorf("got %v, expected ErrNoSubscriber", err)
	}
	last := subscribe(t, h, "last")
	if _, err := h.OnClose(last.Name(), func() { told.Add(1) }); err != nil {
		t.Fatal(err)
	}
	if err := h.Close(); err != nil || told.Load() != 3 {
		t.Errorf("the hub's end: %v, %d were told, expected 3", err, told.Load())
	}
}

// A group of NewGroup is this process's own: the broker hears nothing of it, and it works while the broker is away.
func TestNewGroup(t *testing.T) {
	t.Parallel()
	var server layertest.Loopback
	a := newHub(t, channellayer.Config{Broker: server.Broker()})
	b := newHub(t, channellayer.Config{Broker: server.Broker(), Linger: time.Millisecond})
	before := server.Subscriptions()
	g := a.NewGroup("mine")
	here, there := subscribe(t, a, "c", g), subscribe(t, b, "c")
	if n := server.Subscriptions() - before; n != 0 {
		t.Errorf("joining it made %d subscriptions", n)
	}
	join(t, there, g) // another node's group of that name is another group
	groupSend(t, a, g, 1)
	expect(t, here, 1)
	expect(t, there)
	server.Stop()
	if err := here.Join(context.Background(), a.NewGroup("mine")); err != nil {
		t.Errorf("join without the server: %v", err)
	}
	if d := groupSend(t, a, g, 2); d.Delivered != 1 {
		t.Errorf("%+v, expected 1 delivered", d)
	}
}
