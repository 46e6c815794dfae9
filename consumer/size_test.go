package consumer

import (
	"testing"
	"unsafe"
)

// What a consumer adds to an idle connection is pinned: a server has many.
func TestSizeOfASession(t *testing.T) {
	t.Parallel()
	if got := unsafe.Sizeof(session[int]{}); got > 64 {
		t.Errorf("a session has %d bytes, want at most 64", got)
	}
}
