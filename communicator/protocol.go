package communicator

import (
	"testing"

	"github.com/portico-go/portico/protocol"
)

// Protocol returns a communicator for a client of any protocol with a handshake,
// one of your own for example, that has sent the given bytes:
//
//	communicator.Protocol(t, app, shout.New(), "HELLO /rooms/go\n")
//
// They are all of the handshake and nothing more; one that is refused, or is not
// complete, fails the test. Behind it messages are exchanged as events: the
// protocol's Codec has no part in it.
func Protocol(t testing.TB, app protocol.Application, p protocol.Protocol, handshake string) *Messages {
	t.Helper()
	h, _ := p.New(protocol.Limits{}.WithDefaults())
	req, n, err := h.Decode([]byte(handshake))
	switch {
	case err != nil:
		t.Fatalf("communicator: %s refuses the handshake %q: %v", p.Name(), handshake, err)
	case req == nil:
		t.Fatalf("communicator: %s needs more than the handshake %q", p.Name(), handshake)
	case n < len(handshake):
		t.Fatalf("communicator: %s has %q left of the handshake %q", p.Name(), handshake[n:], handshake)
	}
	return &Messages{New(t, app, req)}
}
