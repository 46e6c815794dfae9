package protocol_test

import (
	"fmt"
	"testing"

	"github.com/portico-go/portico/protocol"
)

// A handler that returns the cause of its context says nothing new: whoever
// cancelled it has refused the connection.
func TestHandshakeTimeoutIsNoFailure(t *testing.T) {
	t.Parallel()
	err := fmt.Errorf("looking up the user: %w", protocol.ErrHandshakeTimeout)
	if c, unexpected := protocol.CloseOf(err); unexpected {
		t.Errorf("CloseOf: %v is unexpected", c)
	}
	if r, unexpected := protocol.RejectOf(err); unexpected || r.Status != 503 {
		t.Errorf("RejectOf: %d, unexpected %v", r.Status, unexpected)
	}
}
