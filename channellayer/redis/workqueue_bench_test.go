package redis_test

import (
	"context"
	"testing"

	"github.com/portico-go/portico/channellayer"
	"github.com/portico-go/portico/channellayer/workqueue"
)

// BenchmarkJobs enqueues jobs and does them, with 16 goroutines for each of both.
func BenchmarkJobs(b *testing.B) {
	for name, config := range map[string][]string{"memory only": nil, "AOF always": durable} {
		b.Run(name, func(b *testing.B) {
			s := launch(b, config)
			q := newQueue(b, standalone(s.addr))
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
