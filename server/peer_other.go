//go:build !linux

package server

import (
	"net"

	"github.com/portico-go/portico/protocol"
)

// credentials returns nil: the credentials of a peer are read on Linux only.
func credentials(net.Conn) *protocol.PeerCredentials { return nil }
