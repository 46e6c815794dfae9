package protocol_test

import (
	"testing"

	"github.com/portico-go/portico/protocol"
)

// What stays in memory with each idle connection. A field that is added here is
// paid for a million times: look for room, or for a pointer that is nil when idle.
func TestSizes(t *testing.T) {
	t.Parallel()
	limits := map[string]uintptr{ // bytes on 64-bit systems
		"Lifecycle": 168,
		"Conn":      152,
		"record":    40,
		"Scope":     48,
		"asked":     64,
	}
	for name, size := range protocol.Sizes() {
		t.Logf("%s has %d bytes", name, size)
		if size > limits[name] {
			t.Errorf("%s has %d bytes, more than %d", name, size, limits[name])
		}
	}
}
