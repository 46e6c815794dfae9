//go:build !race

package chat_test

import (
	"testing"

	"github.com/portico-go/portico/protocol"
)

// An echo costs no allocation, in whatever script.
func TestEchoAllocates(t *testing.T) {
	c := codec(t, protocol.Limits{})
	in, out := []byte("hello\n//x\nпривет 🌍\n"), make([]byte, 0, 4096)
	emit := func(ev protocol.Event) (err error) {
		out, err = c.Append(out, ev)
		return err
	}
	allocs := testing.AllocsPerRun(1000, func() {
		out = out[:0]
		if n, err := c.Decode(in, emit); n != len(in) || err != nil {
			t.Fatalf("Decode = %d, %v", n, err)
		}
	})
	if allocs != 0 || string(out) != string(in) {
		t.Errorf("an echo took %v allocations and became %q", allocs, out)
	}
}
