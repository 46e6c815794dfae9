package consumer_test

import (
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/portico-go/portico/channellayer"
	"github.com/portico-go/portico/consumer"
	"github.com/portico-go/portico/protocol"
)

// Consumers that share a group each have a form of their own for what is broadcast
// to it, made once for all their connections.
func TestBroadcastHasOneFormPerConsumer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hub := newHub(t)
		var calls atomic.Int32
		loud := func(_ protocol.Framing, m *channellayer.Message) ([]byte, error) {
			calls.Add(1)
			return slices.Concat(m.Payload, []byte("!")), nil
		}
		plain := &consumer.Messages[struct{}]{Layer: hub, Groups: []string{"all"}}
		rendering := &consumer.Messages[struct{}]{Layer: hub, Groups: []string{"all"}, Broadcasts: consumer.Broadcasts{"said": loud}}
		var want []string
		var got []func() (string, error)
		for range 3 {
			got = append(got, connect(t, plain, "/").ReceiveText, connect(t, rendering, "/").ReceiveText)
			want = append(want, `"hi"`, `"hi"!`)
		}
		if _, err := hub.Broadcast(t.Context(), "all", channellayer.Event{Type: "said", Value: "hi"}); err != nil {
			t.Fatal(err)
		}
		for i, receive := range got {
			if text, err := receive(); err != nil || text != want[i] {
				t.Errorf("member %d received %q, %v; want %q", i, text, err, want[i])
			}
		}
		if n := calls.Load(); n != 1 {
			t.Errorf("rendered %d times", n)
		}
	})
}
