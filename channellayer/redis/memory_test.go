//go:build !race

package redis_test

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"github.com/portico-go/portico/channellayer"
	"github.com/portico-go/portico/channellayer/redis"
)

// live returns the bytes in use after a collection.
func live() int64 {
	runtime.GC()
	runtime.GC() // the second empties what the pools kept
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// What a node knows of groups at its broker goes with their last members, in the client library too. It is not parallel: others' memory would count.
func TestGroupsLeaveNothingBehind(t *testing.T) {
	const groups = 100_000
	broker := open(t, redis.Options{Client: rueidis.ClientOption{InitAddress: []string{launch(t, nil).addr}}})
	hub, err := channellayer.New(channellayer.Config{Broker: broker, Linger: 10 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	defer hub.Close()
	sub, err := hub.Subscribe(hub.NewChannel("x"), nil)
	if err != nil {
		t.Fatal(err)
	}
	change := func(f func(group string) error) {
		t.Helper()
		errs, limit := make(chan error, groups), make(chan struct{}, 256)
		for i := range groups {
			limit <- struct{}{}
			go func() {
				errs <- f(fmt.Sprint("group ", i))
				<-limit
			}()
		}
		for range groups {
			if err := <-errs; err != nil {
				t.Fatal(err)
			}
		}
	}
	join := func(group string) error { return sub.Join(t.Context(), group) }
	leave := func(group string) error { return sub.Leave(t.Context(), group) }

	change(join) // once for what a client library never gives back, such as buffers
	change(leave)
	settled := settle(t, live)
	begin := time.Now()
	change(join)
	took, full := time.Since(begin), live()
	change(leave)
	left := settle(t, func() int64 { return live() - settled })
	t.Logf("%d groups joined in %v: %d bytes each, and %d bytes in all when they are left", groups, took.Round(time.Millisecond), (full-settled)/groups, left)
	if left > (full-settled)/10 { // a client library's map has now a table more, now one less
		t.Errorf("%d bytes are left", left)
	}
	if err := sub.Join(t.Context(), "group 7"); err != nil {
		t.Error(err)
	}
	runtime.KeepAlive(sub)
}

// settle returns a size when it shrinks no more: the broker is told a while after the last member has left.
func settle(t *testing.T, size func() int64) int64 {
	t.Helper()
	last := size()
	for same := 0; same < 5; {
		select {
		case <-time.After(200 * time.Millisecond):
		case <-t.Context().Done():
			return last
		}
		now := size()
		if same++; now < last-4<<10 {
			same = 0
		}
		last = min(last, now)
	}
	return last
}
