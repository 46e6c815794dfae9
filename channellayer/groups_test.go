package channellayer_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/portico-go/portico/channellayer"
)

func TestJoinIsIdempotent(t *testing.T) {
	t.Parallel()
	h := newHub(t, channellayer.Config{})
	s := subscribe(t, h, "c", "a", "a", "b", "b", "a")
	leave(t, s, "never joined")
	groupSend(t, h, "a", 1)
	groupSend(t, h, "b", 2)
	expect(t, s, 1, 2)
	leave(t, s, "a")
	leave(t, s, "a")
	groupSend(t, h, "a", 3)
	groupSend(t, h, "b", 4)
	expect(t, s, 4)
	join(t, s, "c") // takes the place of a
	join(t, s, "a")
	for i, g := range []string{"a", "b", "c"} {
		groupSend(t, h, g, i)
	}
	expect(t, s, 0, 1, 2)
}

// TestMembershipsAgainstAModel joins and leaves at random and compares with plain maps.
func TestMembershipsAgainstAModel(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	rnd := rand.New(rand.NewPCG(seed, 0))
	t.Logf("seed %d", seed)
	h := newHub(t, channellayer.Config{})
	const subscribers, groups = 40, 120
	subs := make([]*channellayer.Subscription, subscribers)
	model := make([]map[int]bool, subscribers)
	for round := range 20_000 {
		i, g := rnd.IntN(subscribers), rnd.IntN(groups)
		switch op := rnd.IntN(100); {
		case subs[i] == nil:
			subs[i], model[i] = subscribe(t, h, fmt.Sprint("s", i)), map[int]bool{}
		case op == 0 || op == 1 && round > 15_000:
			subs[i].Close()
			subs[i] = nil
			model[i] = nil
		case op < 60:
			join(t, subs[i], fmt.Sprint("g", g))
			model[i][g] = true
		default:
			leave(t, subs[i], fmt.Sprint("g", g))
			delete(model[i], g)
		}
	}
	used := 0
	for g := range groups {
		d := groupSend(t, h, fmt.Sprint("g", g), g)
		want := 0
		for i, s := range subs {
			if model[i][g] {
				want++
				expect(t, s, g)
			} else if s != nil {
				expect(t, s)
			}
		}
		if d.Delivered != want {
			t.Errorf("group %d: %+v, expected %d", g, d, want)
		}
		if want > 0 {
			used++
		}
	}
	if n := h.Stats().Groups; n != used {
		t.Errorf("%d groups exist, expected %d", n, used)
	}
	for _, s := range subs {
		if s != nil {
			s.Close()
		}
	}
	if st := h.Stats(); st.Groups != 0 || st.Subscribers != 0 {
		t.Errorf("%+v", st)
	}
}

// TestRacingJoinsLeavesAndSends checks, while everything races, that each member sees each sender's messages in order and none after Leave,
// and, when the race is over, that exactly those are members who joined last.
func TestRacingJoinsLeavesAndSends(t *testing.T) {
	t.Parallel()
	h := newHub(t, channellayer.Config{Capacity: 1 << 20})
	const groups, members, senders, rounds = 3, 8, 4, 300
	name := func(g int) string { return fmt.Sprint("g", g) }
	var stop atomic.Bool
	var senderGroup, memberGroup sync.WaitGroup
	for id := range senders {
		senderGroup.Go(func() {
			for n := 0; !stop.Load(); n++ {
				for g := range groups {
					value := [3]int{g, id, n}
					if _, err := h.GroupSend(context.Background(), name(g), channellayer.Event{Type: "t", Value: value}); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	for range members * groups { // bystanders, so that leaving moves others
		subscribe(t, h, h.NewChannel("b"), name(0), name(1), name(2))
	}
	subs := make([]*channellayer.Subscription, members)
	for i := range subs {
		subs[i] = subscribe(t, h, fmt.Sprint("m", i))
		memberGroup.Go(func() { member(t, subs[i], rounds, groups, name) })
	}
	memberGroup.Wait()
	stop.Store(true)
	senderGroup.Wait()
	for g := range groups {
		want := members * groups
		if g == 0 {
			want += members // each has ended in group 0 only
		}
		if d := groupSend(t, h, name(g), 0); d.Delivered != want {
			t.Errorf("group %d has %d members, expected %d", g, d.Delivered, want)
		}
	}
}

// member joins and leaves all groups again and again.
func member(t *testing.T, s *channellayer.Subscription, rounds, groups int, name func(int) string) {
	t.Helper()
	last := map[[2]int]int{}
	drain := func() (n int) {
		for m, ok := s.Next(); ok; m, ok = s.Next() {
			v, err := channellayer.Value[[3]int](m)
			if err != nil {
				t.Error(err)
			}
			from := [2]int{v[0], v[1]}
			if before, ok := last[from]; ok && v[2] <= before {
				t.Errorf("%s: message %d of %v after %d", s.Name(), v[2], from, before)
			}
			last[from] = v[2]
			n++
		}
		return n
	}
	for range rounds {
		for g := range groups {
			join(t, s, name(g))
		}
		drain()
		for g := range groups {
			leave(t, s, name(g))
		}
		drain()
		if n := drain(); n > 0 {
			t.Errorf("%s: %d messages after it left", s.Name(), n)
		}
	}
	join(t, s, name(0))
}

func TestSubscribersComeAndGoUnderFire(t *testing.T) {
	t.Parallel()
	h := newHub(t, channellayer.Config{Capacity: 4})
	var stop atomic.Bool
	var senders, others sync.WaitGroup
	var sent, full atomic.Uint64
	for range 2 {
		senders.Go(func() {
			for !stop.Load() {
				if h.Send(context.Background(), "shared", event(1)) == nil {
					sent.Add(1)
				} else {
					full.Add(1)
				}
				_, _ = h.GroupSend(context.Background(), "g", event(2))
			}
		})
	}
	for range 3 {
		others.Go(func() {
			for range 2000 {
				s, err := h.Subscribe("shared", nil)
				if err != nil {
					continue // another has it
				}
				_ = h.GroupAdd(context.Background(), "g", "shared")
				s.Next()
				s.Close()
			}
		})
	}
	others.Wait()
	stop.Store(true)
	senders.Wait()
	st := h.Stats()
	if st.Subscribers != 0 || st.Groups != 0 {
		t.Errorf("%+v", st)
	}
	if st.Dropped < full.Load() {
		t.Errorf("%d sends failed, but %d drops were counted", full.Load(), st.Dropped)
	}
	if sent.Load() == 0 {
		t.Error("nothing was sent")
	}
}
