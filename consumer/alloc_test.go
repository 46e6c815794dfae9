//go:build !race

package consumer_test

import (
	"testing"

	"github.com/portico-go/portico/channellayer"
)

// What is broadcast is rendered and encoded once, and costs a member nothing.
func TestBroadcastAllocatesNothingPerMember(t *testing.T) {
	for name, open := range protocols {
		t.Run(name, func(t *testing.T) {
			const n = 1000
			hub := newHub(t)
			sinks := members(t, hub, n, open(t))
			ev := channellayer.Event{Type: "said", Value: text(1 << 10)}
			allocs := testing.AllocsPerRun(20, func() {
				if _, err := hub.Broadcast(t.Context(), "all", ev); err != nil {
					t.Fatal(err)
				}
				for _, s := range sinks {
					s.deliver(t)
				}
			})
			if allocs > 40 {
				t.Errorf("%v allocations for %d members", allocs, n)
			}
			if sent := sinks[n-1].sent; sent != 1+21 {
				t.Errorf("a member was sent %d events, want the accept and 21 broadcasts", sent)
			}
		})
	}
}
