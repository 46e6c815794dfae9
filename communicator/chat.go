package communicator

import (
	"strings"
	"testing"

	"github.com/portico-go/portico/protocol"
	"github.com/portico-go/portico/protocol/chat"
)

// Chat returns a communicator for a client of the line protocol that has typed the
// given lines, of which the last is "/join PATH":
//
//	communicator.Chat(t, app, "/nick alice", "/pass wonderland", "/join /rooms/go")
//
// SendText then sends a line, and ReceiveText receives one as the application
// sent it, before the protocol's escaping. For a chat.Config of your own use
// Protocol.
func Chat(t testing.TB, app protocol.Application, lines ...string) *Messages {
	t.Helper()
	p, err := chat.New(chat.Config{})
	if err != nil {
		t.Fatalf("communicator: %v", err)
	}
	return Protocol(t, app, p, strings.Join(lines, "\n")+"\n")
}
