package channellayer_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"unsafe"

	"github.com/portico-go/portico/channellayer"
)

// A sleeper is a reader that counts how often it is woken.
type sleeper struct{ woken atomic.Int32 }

func (s *sleeper) Wake()               { s.woken.Add(1) }
func (*sleeper) ChannelPrefix() string { return "websocket" }

func attach(tb testing.TB, h *channellayer.Hub, groups ...string) (*channellayer.Subscription, *sleeper) {
	tb.Helper()
	r := &sleeper{}
	s, err := h.Attach(r)
	if err != nil {
		tb.Fatal(err)
	}
	for _, g := range groups {
		join(tb, s, g)
	}
	return s, r
}

// A subscription is in memory with each connection that is in a group.
func TestSubscriptionSize(t *testing.T) {
	t.Parallel()
	if size := unsafe.Sizeof(channellayer.Subscription{}); size > 80 { // a size class of the runtime
		t.Errorf("a subscription has %d bytes, more than 80", size)
	}
}

func TestAttachedReadersNeedNoName(t *testing.T) {
	t.Parallel()
	h := newHub(t, channellayer.Config{})
	a, woken := attach(t, h, "g")
	b, _ := attach(t, h, "g")
	if n := h.Stats().Subscribers; n != 2 {
		t.Errorf("%d subscribers, want 2", n)
	}
	if d := groupSend(t, h, "g", 1); d.Delivered != 2 || woken.woken.Load() != 1 {
		t.Errorf("%+v, woken %d times", d, woken.woken.Load())
	}
	expect(t, a, 1)
	expect(t, b, 1)

	name := a.Name()
	if !strings.HasPrefix(name, "websocket.") || name != a.Name() || name == b.Name() {
		t.Errorf("names %q, %q, %q", name, a.Name(), b.Name())
	}
	send(t, h, name, 2)
	groupSend(t, h, "g", 3, channellayer.Except(b.Name()))
	expect(t, a, 2, 3)
	expect(t, b)
	if n := h.Stats().Subscribers; n != 2 {
		t.Errorf("%d subscribers with names, want 2", n)
	}

	a.Close()
	b.Close()
	if err := h.Send(context.Background(), name, event(4)); !errors.Is(err, channellayer.ErrNoSubscriber) {
		t.Errorf("Send to a closed one = %v", err)
	}
	if st := h.Stats(); st.Subscribers != 0 || st.Groups != 0 {
		t.Errorf("left: %+v", st)
	}
	if c, _ := attach(t, h); c.Name() == "" {
		t.Error("no name")
	} else if c.Close(); c.Name() == "" {
		t.Error("the name is lost with the end")
	}
	d, _ := attach(t, h)
	if d.Close(); d.Name() != "" {
		t.Error("a name after the end")
	}
}

func TestHubClosesAttachedReaders(t *testing.T) {
	t.Parallel()
	h := newHub(t, channellayer.Config{})
	named, _ := attach(t, h, "g")
	_ = named.Name()
	s, _ := attach(t, h, "g")
	idle, _ := attach(t, h)
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
	for _, s := range []*channellayer.Subscription{named, s, idle} {
		if err := s.Join(context.Background(), "other"); !errors.Is(err, channellayer.ErrClosed) {
			t.Errorf("Join = %v", err)
		}
	}
	if _, err := h.Attach(&sleeper{}); !errors.Is(err, channellayer.ErrClosed) {
		t.Errorf("Attach = %v", err)
	}
	if s.Name() != "" {
		t.Error("a name after the hub's end")
	}
}

// Names are asked for while connections come and go; -race and the counts are the judges.
func TestAttachedReadersComeAndGo(t *testing.T) {
	t.Parallel()
	h := newHub(t, channellayer.Config{})
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 200 {
				s, _ := attach(t, h, "g")
				var inner sync.WaitGroup
				inner.Go(func() { _ = s.Name() })
				inner.Go(func() { groupSend(t, h, "g", 1) })
				inner.Go(s.Close)
				inner.Wait()
				if name := s.Name(); name != "" && !errors.Is(h.Send(context.Background(), name, event(1)), channellayer.ErrNoSubscriber) {
					t.Error("a closed channel takes messages")
				}
			}
		})
	}
	wg.Wait()
	if st := h.Stats(); st.Subscribers != 0 || st.Groups != 0 {
		t.Errorf("left: %+v", st)
	}
}
