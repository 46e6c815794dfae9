package channellayer_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/portico-go/portico/channellayer"
)

func TestNewChannel(t *testing.T) {
	t.Parallel()
	h := newHub(t, channellayer.Config{})
	seen := map[string]bool{}
	for range 1000 {
		name := h.NewChannel("websocket")
		prefix, random, ok := strings.Cut(name, "!")
		if !ok || !strings.HasPrefix(prefix, "websocket.") || len(random) < 26 || seen[name] { // 26 characters of base 32 are 130 bits
			t.Fatalf("bad name %q", name)
		}
		seen[name] = true
		if err := channellayer.CheckName(name); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := h.Subscribe(h.NewChannel("a\nb"), nil); !errors.Is(err, channellayer.ErrInvalidName) {
		t.Errorf("a bad prefix: %v", err)
	}
}

func TestSendToAChannelThatIsGone(t *testing.T) {
	t.Parallel()
	h := newHub(t, channellayer.Config{})
	name := h.NewChannel("c")
	subscribe(t, h, name).Close()
	if err := h.Send(t.Context(), name, event(1)); !errors.Is(err, channellayer.ErrNoSubscriber) || !strings.Contains(err.Error(), name) {
		t.Errorf("Send: %v", err)
	}
	if err := h.GroupAdd(t.Context(), "g", name); !errors.Is(err, channellayer.ErrNoSubscriber) {
		t.Errorf("GroupAdd: %v", err)
	}
	if err := h.GroupDiscard(t.Context(), "g", name); err != nil {
		t.Errorf("GroupDiscard: %v", err)
	}
	if st := h.Stats(); st.Unclaimed != 0 || st.Groups != 0 {
		t.Errorf("%+v", st)
	}
}

func TestUnclaimedIsBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHub(t, channellayer.Config{Unclaimed: 5, Capacity: 3, Limits: []channellayer.Limit{
			{Pattern: "latest", Capacity: 1, Overflow: channellayer.DropOldest},
		}})
		for i := range 3 {
			send(t, h, "a", i)
			send(t, h, "latest", i) // takes one place, however often
		}
		send(t, h, "b", 0)
		var full *channellayer.ChannelFullError
		if err := h.Send(t.Context(), "b", event(1)); !errors.As(err, &full) || full.Capacity != 5 {
			t.Errorf("got %v", err)
		}
		send(t, h, "latest", 7)
		expect(t, subscribe(t, h, "latest"), 7)
		send(t, h, "b", 1) // room again
		time.Sleep(channellayer.DefaultExpiry)
		synctest.Wait()
		if st := h.Stats(); st.Unclaimed != 0 || st.Expired != 5 || st.Dropped != 4 {
			t.Errorf("%+v", st)
		}
	})
}

func TestDropOldest(t *testing.T) {
	t.Parallel()
	var drops []int
	h := newHub(t, channellayer.Config{Capacity: 2, Overflow: channellayer.DropOldest, Observer: func(d channellayer.Drop) {
		if d.Reason != channellayer.DropFull || d.Channel != "c" {
			t.Errorf("%+v", d)
		}
		drops = append(drops, number(t, d.Message))
	}})
	s := subscribe(t, h, "c", "g")
	send(t, h, "c", 1)
	send(t, h, "c", 2)
	send(t, h, "c", 3)
	if d := groupSend(t, h, "g", 4); d != (channellayer.Delivery{Delivered: 1, Dropped: 1}) {
		t.Errorf("%+v", d)
	}
	expect(t, s, 3, 4)
	if !slices.Equal(drops, []int{1, 2}) {
		t.Errorf("dropped %v", drops)
	}
}

func TestLimitsByName(t *testing.T) {
	t.Parallel()
	h := newHub(t, channellayer.Config{Capacity: 4, Limits: []channellayer.Limit{
		{Pattern: "jobs/*", Capacity: 2},
		{Pattern: "jobs/big/*", Capacity: 3}, // never reached: the first match wins
		{Pattern: "sensor-?", Capacity: 1, Overflow: channellayer.DropOldest},
	}})
	for name, want := range map[string]int{"jobs/a": 2, "jobs/big/b": 2, "job": 4, "sensor-x": 1, "sensor-xy": 4} {
		s := subscribe(t, h, name)
		for i := range 6 {
			_ = h.Send(t.Context(), name, event(i))
		}
		n := 0
		last := 0
		for m, ok := s.Next(); ok; m, ok = s.Next() {
			n, last = n+1, number(t, m)
		}
		if n != want {
			t.Errorf("%s held %d messages, expected %d", name, n, want)
		}
		if name == "sensor-x" && last != 5 {
			t.Errorf("%s kept message %d, expected the newest", name, last)
		}
	}
}

func TestExcept(t *testing.T) {
	t.Parallel()
	h := newHub(t, channellayer.Config{})
	a, b, c := subscribe(t, h, "a", "g"), subscribe(t, h, "b", "g"), subscribe(t, h, "c", "g")
	if d := groupSend(t, h, "g", 1, channellayer.Except("a", "nobody"), channellayer.Except("c")); d.Delivered != 1 {
		t.Errorf("%+v", d)
	}
	expect(t, a)
	expect(t, b, 1)
	expect(t, c)
	if _, err := h.GroupSend(t.Context(), "g", event(1), channellayer.Except(make([]string, 65)...)); !errors.Is(err, channellayer.ErrTooLarge) {
		t.Errorf("65 exceptions: %v", err)
	}
}

func TestBroadcastKeepsItsPlace(t *testing.T) {
	t.Parallel()
	h := newHub(t, channellayer.Config{})
	s := subscribe(t, h, "c", "g")
	groupSend(t, h, "g", 1)
	if _, err := h.Broadcast(t.Context(), "g", channellayer.Event{Value: "raw", Header: channellayer.Header{{Key: "k", Value: "v"}}}); err != nil {
		t.Fatal(err)
	}
	send(t, h, "c", 2)
	var kinds []channellayer.Kind
	for m, ok := s.Next(); ok; m, ok = s.Next() {
		kinds = append(kinds, m.Kind)
		if m.Kind == channellayer.KindBroadcast && (string(m.Payload) != `"raw"` || m.Header.Get("k") != "v" || m.Header.Get("x") != "") {
			t.Errorf("%+v", m)
		}
	}
	if !slices.Equal(kinds, []channellayer.Kind{channellayer.KindEvent, channellayer.KindBroadcast, channellayer.KindEvent}) {
		t.Errorf("got %v", kinds)
	}
}

func TestReceiversShareNothingWithTheSender(t *testing.T) {
	t.Parallel()
	h := newHub(t, channellayer.Config{})
	s := subscribe(t, h, "c")
	list := []int{1, 2}
	header := channellayer.Header{{Key: "k", Value: "v"}}
	if err := h.Send(t.Context(), "c", channellayer.Event{Type: "t", Value: &list, Header: header}); err != nil {
		t.Fatal(err)
	}
	list[0], header[0].Value = 9, "changed"
	m, _ := s.Next()
	if got, err := channellayer.Value[[]int](m); err != nil || !slices.Equal(got, []int{1, 2}) || m.Header.Get("k") != "v" {
		t.Errorf("got %v, %v, %v", got, m.Header, err)
	}
}

func TestErrorsComeBeforeAnybodyHasTheMessage(t *testing.T) {
	t.Parallel()
	h := newHub(t, channellayer.Config{})
	s := subscribe(t, h, "c", "g")
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	many := make(channellayer.Header, channellayer.MaxHeaders+1)
	for _, c := range []struct {
		name string
		ctx  context.Context
		ev   channellayer.Event
		want string
	}{
		{"a value without an encoding", t.Context(), channellayer.Event{Type: "t", Value: func() {}}, `encode "t"`},
		{"not a number", t.Context(), channellayer.Event{Type: "t", Value: math.NaN()}, "NaN"},
		{"no type", t.Context(), channellayer.Event{}, "event type"},
		{"too many fields", t.Context(), channellayer.Event{Type: "t", Header: many}, "65 header fields"},
		{"no header key", t.Context(), channellayer.Event{Type: "t", Header: many[:1]}, "header key"},
		{"long header", t.Context(), channellayer.Event{Type: "t", Header: channellayer.Header{{"k", strings.Repeat("x", 8193)}}}, `header "k" has 8193 bytes`},
		{"large payload", t.Context(), channellayer.Event{Type: "t", Value: strings.Repeat("x", 16<<20)}, "at most 16777216"},
		{"cancelled", cancelled, event(1), "canceled"},
	} {
		_, groupErr := h.GroupSend(c.ctx, "g", c.ev)
		for call, err := range map[string]error{"Send": h.Send(c.ctx, "c", c.ev), "GroupSend": groupErr} {
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s, %s: %v", c.name, call, err)
			}
		}
	}
	if err := s.Join(cancelled, "other"); !errors.Is(err, context.Canceled) {
		t.Errorf("Join: %v", err)
	}
	if err := s.Leave(cancelled, "g"); err != nil {
		t.Errorf("Leave must work in a cancelled context: %v", err)
	}
	expect(t, s)
	if st := h.Stats(); st.Groups != 0 || st.Delivered != 0 {
		t.Errorf("%+v", st)
	}
}

func TestStrings(t *testing.T) {
	t.Parallel()
	for want, v := range map[string]fmt.Stringer{
		"event": channellayer.KindEvent, "broadcast": channellayer.KindBroadcast, "kind 7": channellayer.Kind(7),
		"full": channellayer.DropFull, "expired": channellayer.DropExpired, "closed": channellayer.DropClosed, "reason 0": channellayer.DropReason(0),
	} {
		if v.String() != want {
			t.Errorf("got %q, expected %q", v, want)
		}
	}
	err := &channellayer.ChannelFullError{Channel: "jobs", Capacity: 7}
	if !strings.Contains(err.Error(), `"jobs" is full (7 messages wait)`) {
		t.Errorf("got %q", err)
	}
}
