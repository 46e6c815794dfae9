package channellayer_test

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/portico-go/portico/channellayer"
)

// The cases that Django Channels tests its layers with: M of the in-memory layer, L of the layer base.

var three = channellayer.Config{Capacity: 3, Expiry: 100 * time.Millisecond}

func TestM1_SendReceiveLeavesNothing(t *testing.T) {
	t.Parallel()
	h := newHub(t, three)
	send(t, h, "test-channel-1", 1)
	if n := h.Stats().Unclaimed; n != 1 {
		t.Errorf("%d messages wait, expected 1", n)
	}
	s := subscribe(t, h, "test-channel-1")
	m, err := s.Receive(t.Context())
	if err != nil || m.Type != "t" || number(t, m) != 1 {
		t.Fatalf("got %v, %v", m, err)
	}
	s.Close()
	if st := h.Stats(); st.Unclaimed != 0 || st.Subscribers != 0 {
		t.Errorf("something is left: %+v", st)
	}
}

func TestM2_BlockedReceiverOutlivesAnEmptiedChannel(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHub(t, three)
		s := subscribe(t, h, "c")
		got := make(chan int, 2)
		for range 2 {
			go func() {
				m, err := s.Receive(t.Context())
				if err != nil {
					t.Error(err)
					return
				}
				got <- number(t, m)
			}()
		}
		synctest.Wait()
		send(t, h, "c", 1) // one of the two takes it, and the channel is empty again
		synctest.Wait()
		if len(got) != 1 {
			t.Fatalf("%d receivers returned, expected 1", len(got))
		}
		send(t, h, "c", 2)
		if a, b := <-got, <-got; a != 1 || b != 2 {
			t.Errorf("got %d and %d", a, b)
		}
	})
}

func TestM3_FullChannel(t *testing.T) {
	t.Parallel()
	for _, subscribed := range []bool{false, true} {
		h := newHub(t, three)
		if subscribed {
			subscribe(t, h, "c")
		}
		for i := range 3 {
			send(t, h, "c", i)
		}
		err := h.Send(t.Context(), "c", event(3))
		var full *channellayer.ChannelFullError
		if !errors.Is(err, channellayer.ErrChannelFull) || !errors.As(err, &full) || full.Channel != "c" || full.Capacity != 3 {
			t.Fatalf("subscribed %v: got %v", subscribed, err)
		}
		if n := h.Stats().Dropped; n != 1 {
			t.Errorf("subscribed %v: %d dropped, expected 1", subscribed, n)
		}
	}
}

func TestM4_ProcessLocalChannel(t *testing.T) {
	t.Parallel()
	h := newHub(t, three)
	name := h.NewChannel("specific")
	s := subscribe(t, h, name)
	send(t, h, name, 4)
	expect(t, s, 4)
}

func TestM5_FIFO(t *testing.T) {
	t.Parallel()
	h := newHub(t, three)
	s := subscribe(t, h, "c")
	for i := range 3 {
		send(t, h, "c", i)
	}
	expect(t, s, 0, 1, 2)
}

func TestM6_Groups(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHub(t, three)
		var subs []*channellayer.Subscription
		for range 3 {
			s := subscribe(t, h, h.NewChannel("test"))
			if err := h.GroupAdd(t.Context(), "g", s.Name()); err != nil {
				t.Fatal(err)
			}
			subs = append(subs, s)
		}
		if err := h.GroupDiscard(t.Context(), "g", subs[1].Name()); err != nil {
			t.Fatal(err)
		}
		if d := groupSend(t, h, "g", 6); d != (channellayer.Delivery{Delivered: 2}) {
			t.Errorf("%+v", d)
		}
		expect(t, subs[0], 6)
		expect(t, subs[2], 6)
		expectNothing(t, subs[1])
	})
}

func TestM7_GroupSendPastCapacityIsNoError(t *testing.T) {
	t.Parallel()
	h := newHub(t, three)
	slow, fast := subscribe(t, h, "slow", "g"), subscribe(t, h, "fast", "g")
	for i := range 5 {
		want := channellayer.Delivery{Delivered: 2}
		if i >= 3 {
			want = channellayer.Delivery{Delivered: 1, Dropped: 1}
		}
		if d := groupSend(t, h, "g", i); d != want {
			t.Errorf("send %d: %+v, expected %+v", i, d, want)
		}
		expect(t, fast, i)
	}
	expect(t, slow, 0, 1, 2)
	if st := h.Stats(); st.Dropped != 2 || st.Delivered != 8 {
		t.Errorf("%+v", st)
	}
}

func TestM8_Expiry(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHub(t, three)
		s := subscribe(t, h, "read")
		send(t, h, "read", 1)
		send(t, h, "unread", 1)
		time.Sleep(100 * time.Millisecond)
		synctest.Wait()
		if n := h.Stats().Unclaimed; n != 0 {
			t.Errorf("%d messages wait after they expired", n)
		}
		expect(t, s)
		expect(t, subscribe(t, h, "unread"))
		if n := h.Stats().Expired; n != 2 {
			t.Errorf("%d expired, expected 2", n)
		}
	})
}

func TestM9_UnreadChannelsAreCleanedByThemselves(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHub(t, three)
		send(t, h, "a", 1)
		time.Sleep(60 * time.Millisecond)
		send(t, h, "b", 2)
		send(t, h, "c", 3)
		time.Sleep(60 * time.Millisecond) // a has expired, b and c have not; nobody has called anything
		synctest.Wait()
		if st := h.Stats(); st.Unclaimed != 2 || st.Expired != 1 {
			t.Errorf("%+v", st)
		}
		expect(t, subscribe(t, h, "b"), 2)
		time.Sleep(time.Second)
		synctest.Wait()
		if st := h.Stats(); st.Unclaimed != 0 || st.Expired != 2 {
			t.Errorf("%+v", st)
		}
	})
}

func TestM10_ExpiredMakeRoomForFresh(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHub(t, three)
		s := subscribe(t, h, "c")
		for i := range 3 {
			send(t, h, "c", i)
		}
		if m, ok := s.Next(); !ok || number(t, m) != 0 {
			t.Fatal("the first message was expected")
		}
		time.Sleep(150 * time.Millisecond)
		send(t, h, "c", 3)
		expect(t, s, 3)

		for i := range 3 {
			send(t, h, "c", i)
		}
		time.Sleep(150 * time.Millisecond)
		send(t, h, "c", 4) // full of expired messages, which is not full
		expect(t, s, 4)
		if st := h.Stats(); st.Expired != 5 || st.Dropped != 0 {
			t.Errorf("%+v", st)
		}
	})
}

func TestL2_ConfiguredExpiryHolds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHub(t, channellayer.Config{Expiry: 100500 * time.Second})
		s := subscribe(t, h, "c")
		send(t, h, "c", 1)
		time.Sleep(100499 * time.Second)
		expect(t, s, 1)
		send(t, h, "c", 2)
		time.Sleep(100500 * time.Second)
		expect(t, s)
	})
}

func TestL4_BadConfigurationNamesTheField(t *testing.T) {
	t.Parallel()
	for field, c := range map[string]channellayer.Config{
		"Capacity (-1)":   {Capacity: -1},
		"Expiry (-1ns)":   {Expiry: -1},
		"Unclaimed (-1)":  {Unclaimed: -1},
		"Overflow is 9":   {Overflow: 9},
		"Limits[0]: patt": {Limits: []channellayer.Limit{{Pattern: "[", Capacity: 1}}},
		"Limits[1]: patt": {Limits: []channellayer.Limit{{Pattern: "a", Capacity: 1}, {Capacity: 1}}},
		"capacity 0":      {Limits: []channellayer.Limit{{Pattern: "a"}}},
		"Limits[0]: Over": {Limits: []channellayer.Limit{{Pattern: "a", Capacity: 1, Overflow: 3}}},
	} {
		if _, err := channellayer.New(c); err == nil || !strings.Contains(err.Error(), field) {
			t.Errorf("got %v, expected an error with %q", err, field)
		}
	}
}

func TestL5_Names(t *testing.T) {
	t.Parallel()
	h := newHub(t, channellayer.Config{})
	s := subscribe(t, h, "reader")
	long := strings.Repeat("é", 127) // 254 bytes
	for _, name := range []string{"chat", "¯\\_(ツ)_/¯", "alice@example.org", "a b", "a.*.>", long + "x"} {
		if err := channellayer.CheckName(name); err != nil {
			t.Errorf("%q: %v", name, err)
		}
		join(t, s, name)
		subscribe(t, h, name)
	}
	for _, name := range []string{"", long + "é", "tab\t", "line\n", "\x7f", "c1\u0085", "bad\xff", strings.Repeat("a", 400)} {
		ctx := t.Context()
		_, subscribeErr := h.Subscribe(name, nil)
		_, groupErr := h.GroupSend(ctx, name, event(1))
		for call, err := range map[string]error{
			"CheckName": channellayer.CheckName(name), "Subscribe": subscribeErr, "GroupSend": groupErr,
			"Send": h.Send(ctx, name, event(1)), "event type": h.Send(ctx, "c", channellayer.Event{Type: name}),
			"Join": s.Join(ctx, name), "Leave": s.Leave(ctx, name),
			"GroupAdd channel": h.GroupAdd(ctx, "g", name), "GroupAdd group": h.GroupAdd(ctx, name, "reader"),
			"GroupDiscard channel": h.GroupDiscard(ctx, "g", name), "GroupDiscard group": h.GroupDiscard(ctx, name, "nobody"),
		} {
			if !errors.Is(err, channellayer.ErrInvalidName) || !strings.Contains(err.Error(), "UTF-8 text of 1 to 255 bytes without control characters") {
				t.Errorf("%s(%.20q): %v", call, name, err)
			}
			if len(err.Error()) > 400 {
				t.Errorf("%s: the error repeats the whole name", call)
			}
		}
	}
}
