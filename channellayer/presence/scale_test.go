//go:build !race

package presence_test

import (
	"encoding/json"
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/portico-go/portico/channellayer"
	"github.com/portico-go/portico/channellayer/presence"
)

// Ten thousand presences in one group, on three hubs: what they cost in memory on all three together, and how long until everybody knows all.
func TestTenThousand(t *testing.T) {
	const n = 10_000
	var net network
	var all []*node
	for range 3 {
		all = append(all, start(t, net.broker(), presence.Config{}))
	}
	subs := make([]*channellayer.Subscription, n)
	for i := range subs {
		subs[i] = all[i%3].connect()
	}
	before, begin := memory(), time.Now()
	for i, sub := range subs {
		if err := all[i%3].Track(t.Context(), sub.Name(), "g", fmt.Sprintf("user%05d", i), map[string]int{"device": i % 7}); err != nil {
			t.Fatal(err)
		}
	}
	tracked := time.Since(begin)
	deadline := time.After(30 * time.Second)
	for done := false; !done; {
		done = true
		for _, node := range all {
			done = done && node.Stats().Presences == n
		}
		select {
		case <-deadline:
			t.Fatalf("%+v", all[0].Stats())
		default:
			runtime.Gosched()
		}
	}
	known := time.Since(begin)
	each := (memory() - before) / (3 * n)
	t.Logf("%d presences on 3 hubs: tracked in %v, known everywhere after %v, %d bytes each on each hub, largest message %d bytes, %d messages",
		n, tracked.Round(time.Millisecond), known.Round(time.Millisecond), each, net.bytes, net.count("presence.delta")+net.count("presence.state"))
	if each > 600 {
		t.Errorf("a presence takes %d bytes on each hub", each)
	}
	begin = time.Now()
	list, err := all[0].List(t.Context(), "g")
	if err != nil || len(list) != n {
		t.Fatal(len(list), err)
	}
	first := time.Since(begin)
	again := testing.AllocsPerRun(100, func() {
		if list, err = all[0].List(t.Context(), "g"); err != nil || len(list) != n {
			t.Fatal(len(list), err)
		}
	})
	t.Logf("a list of them takes %v, and %.0f allocations as long as nothing changes", first.Round(time.Microsecond), again)
	if again > 2 {
		t.Errorf("%.0f allocations for a list that has not changed", again)
	}
	if b, err := json.Marshal(list[:1]); err == nil {
		t.Logf("one of them: %s", b)
	}
	for _, sub := range subs {
		sub.Close()
	}
}

func memory() int {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}

// A change costs the same however many watch: it is encoded once, and queued for each.
func TestDiffAllocations(t *testing.T) {
	perDiff := func(watchers int) float64 {
		n := start(t, nil, presence.Config{})
		taken := make(chan struct{}, 1)
		var last *channellayer.Subscription
		for range watchers {
			sub, err := n.hub.Subscribe(n.hub.NewChannel("w"), func() {})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := n.Watch(t.Context(), sub.Name(), "g"); err != nil {
				t.Fatal(err)
			}
		}
		last, err := n.hub.Subscribe(n.hub.NewChannel("w"), func() { taken <- struct{}{} })
		if err != nil {
			t.Fatal(err)
		}
		if _, err := n.Watch(t.Context(), last.Name(), "g"); err != nil {
			t.Fatal(err)
		}
		sub, i := n.connect(), 0
		return testing.AllocsPerRun(50, func() {
			i++
			if err := n.Track(t.Context(), sub.Name(), "g", "alice", i); err != nil {
				t.Fatal(err)
			}
			<-taken
			for _, ok := last.Next(); ok; _, ok = last.Next() {
			}
		})
	}
	one, many := perDiff(1), perDiff(1000)
	t.Logf("%.0f allocations for a change with one watcher, %.0f with a thousand", one, many)
	if many > one+3*1000/2 { // their queues grow
		t.Errorf("%.0f allocations with a thousand watchers, %.0f with one", many, one)
	}
}
