//go:build !race

package channellayer_test

import (
	"context"
	"testing"

	"github.com/portico-go/portico/channellayer"
)

// A condition is read once for each send, and costs nothing more for each member that it is compared with.
func TestConditionAllocatesNothingPerMember(t *testing.T) {
	const n = 10_000
	h, subs := crowd(t, n)
	before := live()
	for _, s := range subs[n/2:] {
		describe(t, s, "role", "admin")
	}
	t.Logf("%d live bytes for each subscription with an entry of metadata", (live()-before)/(n/2))
	ctx := context.Background()
	ev := channellayer.Event{Type: "t", Value: "hello"}
	where := channellayer.AnyOf(channellayer.Where("role", "owner"), channellayer.Not(channellayer.Where("role")))
	perSend := testing.AllocsPerRun(20, func() {
		if d, err := h.GroupSend(ctx, "g", ev, where); err != nil || d.Delivered != n/2 {
			t.Fatal(d, err)
		}
		for _, s := range subs[:n/2] {
			s.Next()
		}
	})
	t.Logf("%.0f allocations per send with a condition, to half of %d members", perSend, n)
	if perSend > 40 {
		t.Errorf("%.0f allocations per send, expected at most 40", perSend)
	}
}
