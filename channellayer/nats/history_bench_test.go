package nats_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/portico-go/portico/channellayer"
	"github.com/portico-go/portico/channellayer/workqueue"
)

// BenchmarkHistory stores messages of 512 bytes in ten groups, with 16 goroutines, on a server that has each on its disk before it answers and on one that has not.
func BenchmarkHistory(b *testing.B) {
	for name, launch := range servers() {
		b.Run(name, func(b *testing.B) {
			h, err := channellayer.New(channellayer.Config{Broker: open(b, launch(b).url()), History: []channellayer.History{{Pattern: "*", Size: 1000, Age: time.Hour}}})
			if err != nil {
				b.Fatal(err)
			}
			defer h.Close()
			ev := channellayer.Event{Type: "t", Value: strings.Repeat("x", 512)}
			b.SetParallelism(8)
			b.RunParallel(func(pb *testing.PB) {
				for i := 0; pb.Next(); i++ {
					if _, err := h.GroupSend(b.Context(), fmt.Sprint("g", i%10), ev); err != nil {
						b.Error(err)
					}
				}
			})
		})
	}
}

// BenchmarkJobs enqueues jobs and does them, with 16 goroutines for each of both.
func BenchmarkJobs(b *testing.B) {
	for name, launch := range servers() {
		b.Run(name, func(b *testing.B) {
			q := newQueue(b, launch(b).url())
			ctx, cancel := context.WithCancel(b.Context())
			defer cancel()
			slots, done := make(chan struct{}, 16), make(chan struct{}, 1024)
			go func() {
				for ctx.Err() == nil {
					leases, _ := q.Take(ctx, "bench", 16)
					for _, l := range leases {
						slots <- struct{}{}
						go func() {
							defer func() { <-slots }()
							if err := q.Settle(ctx, l, workqueue.Outcome{}); err == nil {
								done <- struct{}{}
							}
						}()
					}
				}
			}()
			b.SetParallelism(8)
			b.ResetTimer()
			go b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if _, err := q.Enqueue(ctx, "bench", channellayer.Event{Type: "number", Value: 1}); err != nil {
						b.Error(err)
					}
				}
			})
			for range b.N {
				<-done
			}
		})
	}
}

func servers() map[string]func(testing.TB) *program {
	return map[string]func(testing.TB) *program{
		"sync always": launchDurable,
		"sync later":  func(t testing.TB) *program { t.Helper(); return launchProgram(t, "-js", "-sd", t.TempDir()) },
	}
}
