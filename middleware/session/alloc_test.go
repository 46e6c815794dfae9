//go:build !race

package session_test

import (
	"testing"
	"unsafe"

	"github.com/portico-go/portico/middleware/session"
	"github.com/portico-go/portico/protocol"
)

func TestBeginAllocatesTheSessionOnly(t *testing.T) {
	sessions := session.New(session.NewMemoryStore(), session.Config{})
	for _, cookie := range []string{"", "theme=dark", "sessionid=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"} {
		scope, err := protocol.NewScope(request("websocket", cookie))
		if err != nil {
			t.Fatal(err)
		}
		if got := testing.AllocsPerRun(100, func() { sessions.Begin(scope).Around(nil) }); got > 1 {
			t.Errorf("cookie %q: %v allocations, want one", cookie, got)
		}
	}
}

func TestASessionIsSmall(t *testing.T) {
	// Besides it an idle connection keeps what the store has anyway. With the user of auth.Stack,
	// of 32 bytes, it fills a size class of the runtime.
	if size := unsafe.Sizeof(session.Session{}); size > 96 {
		t.Errorf("a session takes %d bytes, at most 96 are allowed", size)
	}
}
