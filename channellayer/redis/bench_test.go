package redis_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/redis/rueidis"

	"github.com/portico-go/portico/channellayer"
	"github.com/portico-go/portico/channellayer/redis"
)

// BenchmarkGroupSend compares a group send through Redis with a bare PUBLISH of the same bytes.
func BenchmarkGroupSend(b *testing.B) {
	s := launch(b, nil)
	text := strings.Repeat("hello ", 40)
	b.Run("hub", func(b *testing.B) {
		broker, err := redis.Open("redis://" + s.addr)
		if err != nil {
			b.Fatal(err)
		}
		hub, err := channellayer.New(channellayer.Config{Broker: broker})
		if err != nil {
			b.Fatal(err)
		}
		defer hub.Close()
		for b.Loop() {
			if _, err := hub.GroupSend(b.Context(), "g", channellayer.Event{Type: "said", Value: text}); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("bare", func(b *testing.B) {
		client, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{s.addr}, DisableCache: true})
		if err != nil {
			b.Fatal(err)
		}
		defer client.Close()
		payload := string(bytes.Repeat([]byte("x"), len(text)+40))
		for b.Loop() {
			if err := client.Do(b.Context(), client.B().Publish().Channel("portico:g.g").Message(payload).Build()).Error(); err != nil {
				b.Fatal(err)
			}
		}
	})
}
