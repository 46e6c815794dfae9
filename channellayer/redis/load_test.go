package redis_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"github.com/portico-go/portico/channellayer"
	"github.com/portico-go/portico/channellayer/redis"
)

// The server is killed under a thousand messages a second. Nobody waits, members in the sender's process miss nothing, the others get what they get once
// and in order, are told of the gap, and hear again within 3 s of the server's return.
func TestKillUnderLoad(t *testing.T) {
	t.Parallel()
	s := launch(t, nil)
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	defer cancel()
	o := redis.Options{Client: rueidis.ClientOption{InitAddress: []string{s.addr}}}
	from, far := nodes(t, ctx, o, "g")
	near, err := from.Subscribe(from.NewChannel("x"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := near.Join(ctx, "g"); err != nil {
		t.Fatal(err)
	}

	sending, stop := context.WithCancel(ctx)
	var all sync.WaitGroup
	sent, slowest := 0, time.Duration(0)
	all.Go(func() {
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		for ; sending.Err() == nil; <-tick.C {
			begin := time.Now()
			if d, _ := from.GroupSend(ctx, "g", channellayer.Event{Type: "t", Value: sent}); d.Delivered != 1 {
				t.Errorf("message %d: %+v, expected the member here to have it", sent, d)
			}
			slowest = max(slowest, time.Since(begin))
			sent++
		}
	})
	read := func(sub *channellayer.Subscription) chan heard {
		out := make(chan heard, 100_000)
		all.Go(func() {
			for {
				m, err := sub.Receive(ctx)
				if err != nil {
					close(out)
					return
				}
				ev, layer := m.Layer()
				n, _ := channellayer.Value[int](m)
				out <- heard{number: n, layer: layer, up: ev.Up}
			}
		})
		return out
	}
	nearHeard, farHeard := read(near), read(far)
	until(t, ctx, farHeard, func(h heard) bool { return h.number > 200 })
	s.kill()
	until(t, ctx, farHeard, func(h heard) bool { return h.layer && !h.up })
	s.start()
	begin := time.Now()
	until(t, ctx, farHeard, func(h heard) bool { return h.layer && h.up })
	until(t, ctx, farHeard, func(h heard) bool { return !h.layer })
	if took := time.Since(begin); took > 3*time.Second {
		t.Errorf("messages crossed %v after the server was back", took)
	}
	stop()
	cancelAfter := time.AfterFunc(time.Second, cancel)
	defer cancelAfter.Stop()
	all.Wait()
	next := 0
	for h := range nearHeard {
		if !h.layer && h.number != next {
			t.Fatalf("the member here got %d, expected %d", h.number, next)
		} else if !h.layer {
			next++
		}
	}
	last := -1
	for h := range farHeard {
		if !h.layer && h.number <= last {
			t.Fatalf("the member elsewhere got %d after %d", h.number, last)
		} else if !h.layer {
			last = h.number
		}
	}
	if next != sent {
		t.Errorf("the member here got %d of %d messages", next, sent)
	}
	if slowest > 6*time.Second {
		t.Errorf("a send took %v", slowest)
	}
	t.Logf("%d messages, the slowest send took %v", sent, slowest.Round(time.Millisecond))
}

// heard is what a member got.
type heard struct {
	number    int
	layer, up bool
}

func until(t *testing.T, ctx context.Context, from chan heard, holds func(heard) bool) {
	t.Helper()
	last := -1
	for {
		select {
		case h := <-from:
			if !h.layer && h.number <= last {
				t.Fatalf("got %d after %d", h.number, last)
			}
			if !h.layer {
				last = h.number
			}
			if holds(h) {
				return
			}
		case <-ctx.Done():
			t.Fatal("it did not come")
		}
	}
}
