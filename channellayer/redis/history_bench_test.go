package redis_test

import (
	"strings"
	"testing"
	"time"

	"github.com/portico-go/portico/channellayer"
	"github.com/portico-go/portico/channellayer/redis"
)

// BenchmarkHistorySend is what a send to a group with history costs beside one to a plain group, without a disk and with one that is asked after each write.
func BenchmarkHistorySend(b *testing.B) {
	text := strings.Repeat("hello ", 40)
	for name, config := range map[string][]string{"memory": nil, "everysec": {"appendonly yes"}, "always": durable} {
		s := launch(b, config)
		broker, err := redis.Open("redis://" + s.addr)
		if err != nil {
			b.Fatal(err)
		}
		hub, err := channellayer.New(channellayer.Config{Broker: broker, History: []channellayer.History{{Pattern: "kept", Size: 1000, Age: time.Hour}}})
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { hub.Close() })
		for _, group := range []string{"plain", "kept"} {
			b.Run(name+"/"+group, func(b *testing.B) {
				b.RunParallel(func(pb *testing.PB) {
					for pb.Next() {
						if _, err := hub.GroupSend(b.Context(), group, channellayer.Event{Type: "said", Value: text}); err != nil {
							b.Error(err)
							return
						}
					}
				})
			})
		}
	}
}
