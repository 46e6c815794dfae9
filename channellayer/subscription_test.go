package channellayer_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/portico-go/portico/channellayer"
)

func TestWakeOnlyWhenQueueStopsBeingEmpty(t *testing.T) {
	t.Parallel()
	h := newHub(t, channellayer.Config{Capacity: 2, Overflow: channellayer.DropOldest})
	woken := 0
	s, err := h.Subscribe("c", func() { woken++ })
	if err != nil {
		t.Fatal(err)
	}
	for i := range 5 {
		send(t, h, "c", i)
	}
	if woken != 1 {
		t.Errorf("woken %d times, expected 1", woken)
	}
	s.Next()
	send(t, h, "c", 5) // one is still there
	if woken != 1 {
		t.Errorf("woken %d times, expected 1", woken)
	}
	expect(t, s, 4, 5)
	send(t, h, "c", 6)
	if woken != 2 {
		t.Errorf("woken %d times, expected 2", woken)
	}
}

func TestWakeMayCallTheHub(t *testing.T) {
	t.Parallel()
	h := newHub(t, channellayer.Config{})
	var s *channellayer.Subscription
	var got []int
	s, err := h.Subscribe("c", func() { // with any lock held, one of these would hang
		for m, ok := s.Next(); ok; m, ok = s.Next() {
			got = append(got, number(t, m))
		}
		join(t, s, "h")
		leave(t, s, "g")
		h.Stats()
	})
	if err != nil {
		t.Fatal(err)
	}
	join(t, s, "g")
	groupSend(t, h, "g", 1)
	groupSend(t, h, "g", 2)
	groupSend(t, h, "h", 3)
	if len(got) != 2 || got[0] != 1 || got[1] != 3 {
		t.Errorf("got %v", got)
	}
}

func TestOneWhoIsSlowToWakeDelaysNobodyElse(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHub(t, channellayer.Config{})
		stuck := make(chan struct{})
		slow, err := h.Subscribe("slow", func() { <-stuck }) // breaks its contract
		if err != nil {
			t.Fatal(err)
		}
		join(t, slow, "g")
		first := subscribe(t, h, "first", "g")
		done := make(chan struct{})
		go func() {
			groupSend(t, h, "g", 1)
			close(done)
		}()
		synctest.Wait() // the send is stuck in wake; were a lock held, one of the following would be too
		second := subscribe(t, h, "second", "g")
		leave(t, first, "g")
		groupSend(t, h, "g", 2)
		expect(t, second, 2)
		leave(t, slow, "g")
		expect(t, slow, 1, 2)
		close(stuck)
		<-done
		expect(t, first) // had left before its turn came
	})
}

func TestSubscribeWakesForWhatWaited(t *testing.T) {
	t.Parallel()
	h := newHub(t, channellayer.Config{})
	send(t, h, "c", 1)
	send(t, h, "c", 2)
	woken := 0
	s, err := h.Subscribe("c", func() { woken++ })
	if err != nil || woken != 1 {
		t.Fatalf("woken %d times, %v", woken, err)
	}
	send(t, h, "c", 3)
	expect(t, s, 1, 2, 3)
}

func TestOneReaderPerChannel(t *testing.T) {
	t.Parallel()
	h := newHub(t, channellayer.Config{})
	s := subscribe(t, h, "c")
	if _, err := h.Subscribe("c", nil); !errors.Is(err, channellayer.ErrSubscribed) || !strings.Contains(err.Error(), `"c"`) {
		t.Fatalf("got %v", err)
	}
	s.Close()
	s = subscribe(t, h, "c") // the name is free again
	send(t, h, "c", 1)
	expect(t, s, 1)
}

func TestReceiveNeedsNoWake(t *testing.T) {
	t.Parallel()
	h := newHub(t, channellayer.Config{})
	s, err := h.Subscribe("c", func() {})
	if err != nil {
		t.Fatal(err)
	}
	join(t, s, "a")
	join(t, s, "b")
	if _, err := s.Receive(t.Context()); err == nil || !strings.Contains(err.Error(), "use Next") {
		t.Errorf("got %v", err)
	}
}

func TestReceiveHandsOutEachMessageOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHub(t, channellayer.Config{})
		s := subscribe(t, h, "jobs")
		got := make(chan int, 100)
		for range 4 {
			go func() {
				for {
					m, err := s.Receive(context.Background())
					if errors.Is(err, channellayer.ErrClosed) {
						got <- -1
						return
					}
					got <- number(t, m)
				}
			}()
		}
		synctest.Wait()
		seen := map[int]int{}
		for i := range 20 { // more than there are readers, before any of them runs
			send(t, h, "jobs", i)
		}
		synctest.Wait()
		s.Close() // ends all four
		for range 24 {
			seen[<-got]++
		}
		for i := range 20 {
			if seen[i] != 1 {
				t.Errorf("message %d was received %d times", i, seen[i])
			}
		}
		if seen[-1] != 4 {
			t.Errorf("%d readers ended, expected 4", seen[-1])
		}
	})
}

func TestEachBlockedReceiverGetsItsMessage(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHub(t, channellayer.Config{})
		s := subscribe(t, h, "jobs")
		got := make(chan int, 4)
		for range 4 {
			go func() {
				m, err := s.Receive(context.Background())
				if err != nil {
					t.Error(err)
				}
				got <- number(t, m)
			}()
		}
		synctest.Wait()
		for i := range 4 {
			send(t, h, "jobs", i) // the queue stops being empty once
		}
		synctest.Wait()
		if len(got) != 4 {
			t.Errorf("%d of 4 receivers returned", len(got))
		}
		s.Close()
	})
}

func TestReceiveHonoursContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHub(t, channellayer.Config{})
		s := subscribe(t, h, "c")
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if _, err := s.Receive(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("got %v", err)
		}
		send(t, h, "c", 1)
		expect(t, s, 1)
	})
}

func TestCloseGivesEverythingBack(t *testing.T) {
	t.Parallel()
	var drops []channellayer.Drop
	h := newHub(t, channellayer.Config{Observer: func(d channellayer.Drop) { drops = append(drops, d) }})
	s := subscribe(t, h, "c", "a", "b")
	groupSend(t, h, "a", 1)
	groupSend(t, h, "b", 2)
	s.Close()
	s.Close()
	if len(drops) != 2 || drops[0].Reason != channellayer.DropClosed || drops[1].Channel != "c" || number(t, drops[1].Message) != 2 {
		t.Errorf("drops: %+v", drops)
	}
	if st := h.Stats(); st.Groups != 0 || st.Subscribers != 0 || st.Closed != 2 {
		t.Errorf("%+v", st)
	}
	if d := groupSend(t, h, "a", 3); d != (channellayer.Delivery{}) {
		t.Errorf("%+v", d)
	}
	if _, err := s.Receive(t.Context()); !errors.Is(err, channellayer.ErrClosed) {
		t.Errorf("Receive: %v", err)
	}
	if err := s.Join(t.Context(), "a"); !errors.Is(err, channellayer.ErrClosed) {
		t.Errorf("Join: %v", err)
	}
	if err := s.Leave(t.Context(), "a"); !errors.Is(err, channellayer.ErrClosed) {
		t.Errorf("Leave: %v", err)
	}
	expect(t, s)
}

func TestHubClose(t *testing.T) {
	t.Parallel()
	h := newHub(t, channellayer.Config{})
	s := subscribe(t, h, "c", "g")
	ended := make(chan error, 1)
	go func() {
		_, err := s.Receive(context.Background())
		ended <- err
	}()
	send(t, h, "unread", 1)
	if err := errors.Join(h.Close(), h.Close()); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; !errors.Is(err, channellayer.ErrClosed) {
		t.Errorf("a blocked Receive got %v", err)
	}
	ctx := t.Context()
	_, subscribeErr := h.Subscribe("d", nil)
	_, groupErr := h.GroupSend(ctx, "g", event(1))
	_, broadcastErr := h.Broadcast(ctx, "g", event(1))
	for call, err := range map[string]error{
		"Subscribe": subscribeErr, "Send": h.Send(ctx, "c", event(1)), "GroupSend": groupErr, "Broadcast": broadcastErr,
		"Join": s.Join(ctx, "g"), "Leave": s.Leave(ctx, "g"), "GroupAdd": h.GroupAdd(ctx, "g", "c"), "GroupDiscard": h.GroupDiscard(ctx, "g", "c"),
	} {
		if !errors.Is(err, channellayer.ErrClosed) {
			t.Errorf("%s: %v", call, err)
		}
	}
	if st := h.Stats(); st.Subscribers != 0 || st.Groups != 0 || st.Unclaimed != 0 {
		t.Errorf("%+v", st)
	}
}
