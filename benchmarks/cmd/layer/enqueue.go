//go:build linux

package main

import (
	"context"
	"time"

	"github.com/portico-go/portico/benchmarks/load"
	"github.com/portico-go/portico/channellayer"
)

// deep is how many messages are enqueued before the queues are emptied again, which is
// not measured.
const deep = 50

// hub measures what it costs to put a message into one member's queue.
func hub(ctx context.Context, o options) (load.Report, error) {
	layer, err := channellayer.New(channellayer.Config{})
	if err != nil {
		return load.Report{}, err
	}
	defer func() { _ = layer.Close() }()
	members := make([]*channellayer.Subscription, o.members)
	for i := range members {
		if members[i], err = layer.Subscribe(layer.NewChannel("member"), func() {}); err != nil {
			return load.Report{}, err
		}
		if err := members[i].Join(ctx, "all"); err != nil {
			return load.Report{}, err
		}
	}
	event := channellayer.Event{Type: "said", Value: "hello"}
	return enqueue(o, func() error {
		_, err := layer.GroupSend(ctx, "all", event)
		return err
	}, func() {
		for _, m := range members {
			for _, ok := m.Next(); ok; _, ok = m.Next() {
			}
		}
	})
}

// channels measures the same with Go channels.
func channels(_ context.Context, o options) (load.Report, error) {
	members := make([]chan *channellayer.Message, o.members)
	for i := range members {
		members[i] = make(chan *channellayer.Message, channellayer.DefaultCapacity)
	}
	return enqueue(o, func() error {
		message := &channellayer.Message{Type: "said"}
		for _, m := range members {
			select {
			case m <- message:
			default:
			}
		}
		return nil
	}, func() {
		for _, m := range members {
			for len(m) > 0 {
				<-m
			}
		}
	})
}

// enqueue measures send, and calls drain in between. Both run on this goroutine alone,
// so the clock on the wall is as good as the processor's, and finer.
func enqueue(o options, send func() error, drain func()) (load.Report, error) {
	batch := func() (time.Duration, error) {
		start := time.Now()
		for range deep {
			if err := send(); err != nil {
				return 0, err
			}
		}
		took := time.Since(start)
		drain()
		return took, nil
	}
	if _, err := batch(); err != nil { // for the caches
		return load.Report{}, err
	}
	var ops int
	var spent time.Duration
	for began := time.Now(); time.Since(began) < o.duration; ops += deep * o.members {
		took, err := batch()
		if err != nil {
			return load.Report{}, err
		}
		spent += took
	}
	return load.Report{Ops: ops, Seconds: spent.Seconds(), CPU: micros(spent) / float64(max(ops, 1))}, nil
}
