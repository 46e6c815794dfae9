//go:build !race

package channellayer_test

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/portico-go/portico/channellayer"
)

// crowd returns a hub with n members of one group, who are woken by a function that does nothing.
func crowd(tb testing.TB, n int) (*channellayer.Hub, []*channellayer.Subscription) {
	tb.Helper()
	h := newHub(tb, channellayer.Config{})
	subs := make([]*channellayer.Subscription, n)
	for i := range subs {
		s, err := h.Subscribe(h.NewChannel("c"), func() {})
		if err != nil {
			tb.Fatal(err)
		}
		join(tb, s, "g")
		subs[i] = s
	}
	return h, subs
}

func TestFanOutAllocatesNothingPerSubscriber(t *testing.T) {
	const n = 10_000
	h, subs := crowd(t, n)
	ev := channellayer.Event{Type: "t", Value: "hello"}
	ctx := context.Background()
	perSend := testing.AllocsPerRun(20, func() {
		if d, err := h.GroupSend(ctx, "g", ev); err != nil || d.Delivered != n {
			t.Fatal(d, err)
		}
		for _, s := range subs {
			m, ok := s.Next()
			if !ok {
				t.Fatal("no message")
			}
			who := s.Name() // something for the closure to capture, as real ones do
			if _, err := channellayer.Rendering(m, "f", func() ([]byte, error) { return []byte(who), nil }); err != nil {
				t.Fatal(err)
			}
			if _, err := channellayer.Value[*string](m); err != nil {
				t.Fatal(err)
			}
		}
	})
	t.Logf("%.0f allocations per send to, rendering for and decoding for %d subscribers", perSend, n)
	if perSend > 20 {
		t.Errorf("%.0f allocations per send, expected at most 20", perSend)
	}
}

func TestSendAllocations(t *testing.T) {
	h, subs := crowd(t, 1)
	ctx := context.Background()
	var value any = "hello"
	got := testing.AllocsPerRun(1000, func() {
		for range 3 { // the second and third need a ring
			if err := h.Send(ctx, subs[0].Name(), channellayer.Event{Type: "t", Value: value}); err != nil {
				t.Fatal(err)
			}
		}
		for range 3 {
			subs[0].Next()
		}
	})
	if got > 6 { // for each the message and its payload
		t.Errorf("%.0f allocations per three sends, expected at most 6", got)
	}
}

// live returns the bytes in use after a collection.
func live() int64 {
	runtime.GC()
	runtime.GC() // the second empties what the pools kept
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// What a subscription with one membership takes, ten to a group, beyond the bytes of
// its name and its reader.
func TestMemoryPerMembership(t *testing.T) {
	const n = 100_000
	h := newHub(t, channellayer.Config{})
	names := make([]string, n)
	for i := range names {
		names[i] = h.NewChannel("websocket")
	}
	wake := func() {}
	t.Run("of a connection", func(t *testing.T) {
		perMembership(t, h, n, 120, func(int) (*channellayer.Subscription, error) { return h.Attach(reader{}) })
	})
	t.Run("with a name", func(t *testing.T) {
		perMembership(t, h, n, 160, func(i int) (*channellayer.Subscription, error) { return h.Subscribe(names[i], wake) })
	})
	runtime.KeepAlive(names)
}

type reader struct{}

func (reader) Wake()                 {}
func (reader) ChannelPrefix() string { return "websocket" }

func perMembership(t *testing.T, h *channellayer.Hub, n int, most float64, subscribe func(i int) (*channellayer.Subscription, error)) {
	t.Helper()
	groups := make([]string, n/10)
	for i := range groups {
		groups[i] = fmt.Sprint("group ", i)
	}
	subs := make([]*channellayer.Subscription, n)
	before := live()
	for i := range subs {
		s, err := subscribe(i)
		if err != nil {
			t.Fatal(err)
		}
		join(t, s, groups[i%len(groups)])
		subs[i] = s
	}
	each := float64(live()-before) / float64(n)
	t.Logf("%.0f live bytes each", each)
	if each > most {
		t.Errorf("%.0f live bytes each, expected at most %.0f", each, most)
	}
	for _, s := range subs {
		s.Close()
	}
	clear(subs)
	left := live() - before
	t.Logf("%d bytes left after all have closed", left)
	if left > 64<<10 {
		t.Errorf("%d bytes left after all subscriptions have closed", left)
	}
	runtime.KeepAlive(subs)
	runtime.KeepAlive(groups)
}

func TestGroupsLeaveNothingBehind(t *testing.T) {
	const n = 100_000
	h := newHub(t, channellayer.Config{})
	s := subscribe(t, h, "c")
	before := live()
	for i := range n {
		join(t, s, fmt.Sprint("group ", i))
	}
	full := live()
	groupSend(t, h, "group 7", 1)
	expect(t, s, 1)
	for i := range n {
		leave(t, s, fmt.Sprint("group ", i))
	}
	left := live() - before
	t.Logf("%d groups of one member, all of the same subscriber: %d bytes each, and %d bytes in all when they are left", n, (full-before)/n, left)
	if left > 64<<10 {
		t.Errorf("%d bytes left", left)
	}
	if g := h.Stats().Groups; g != 0 {
		t.Errorf("%d groups left", g)
	}
	runtime.KeepAlive(s)
}

func TestTheFewWhoStayHoldNoRoomForTheManyWhoLeft(t *testing.T) {
	const n, stay = 100_000, 200 // some in each shard
	h := newHub(t, channellayer.Config{})
	before := live()
	few := make([]*channellayer.Subscription, 0, stay)
	var many []*channellayer.Subscription
	for i := range n {
		s := subscribe(t, h, fmt.Sprint(i), "all")
		if i%(n/stay) == 0 {
			few = append(few, s)
		} else {
			many = append(many, s)
		}
	}
	for _, s := range many {
		s.Close()
	}
	left := live() - before
	t.Logf("%d bytes for %d of %d subscribers", left, stay, n)
	if left > 400<<10 { // about 400 each with Receive's channel, and tables; a table of 100,000 alone is a megabyte
		t.Errorf("%d bytes are held", left)
	}
	if d := groupSend(t, h, "all", 1); d.Delivered != stay {
		t.Errorf("%+v", d)
	}
	runtime.KeepAlive(few)
}

func TestReadMessagesAreNotHeld(t *testing.T) {
	h := newHub(t, channellayer.Config{})
	s := subscribe(t, h, "c")
	before := live()
	value := strings.Repeat("x", 1<<20)
	for range 6 {
		if err := h.Send(context.Background(), "c", channellayer.Event{Type: "t", Value: value}); err != nil {
			t.Fatal(err)
		}
	}
	for range 3 {
		s.Next()
	}
	if held := live() - before; held > 7<<19 {
		t.Errorf("%d bytes are held for three messages of a mebibyte", held)
	}
	runtime.KeepAlive(s)
}

func BenchmarkFanOut(b *testing.B) {
	const n = 10_000
	ctx := context.Background()
	b.Run("hub", func(b *testing.B) {
		h, subs := crowd(b, n)
		ev := channellayer.Event{Type: "t", Value: "hello"}
		b.ReportAllocs()
		for b.Loop() {
			if _, err := h.GroupSend(ctx, "g", ev); err != nil {
				b.Fatal(err)
			}
			b.StopTimer()
			for _, s := range subs {
				s.Next()
			}
			b.StartTimer()
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/member")
	})
	b.Run("bare channels", func(b *testing.B) {
		all := make([]chan *channellayer.Message, n)
		for i := range all {
			all[i] = make(chan *channellayer.Message, 100)
		}
		m := &channellayer.Message{}
		for b.Loop() {
			for _, c := range all {
				c <- m
			}
			b.StopTimer()
			for _, c := range all {
				<-c
			}
			b.StartTimer()
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/member")
	})
}

func BenchmarkJoinLeave(b *testing.B) {
	_, subs := crowd(b, 10_000)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		s := subs[i%len(subs)]
		leave(b, s, "g")
		join(b, s, "g")
	}
}
