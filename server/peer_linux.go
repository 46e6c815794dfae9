package server

import (
	"net"

	"golang.org/x/sys/unix"

	"github.com/portico-go/portico/internal/engine"
	"github.com/portico-go/portico/protocol"
)

// credentials returns what the kernel says of the peer of a unix socket, or nil.
func credentials(c net.Conn) (peer *protocol.PeerCredentials) {
	ask := func(fd uintptr) { // no peer if it fails
		if cred, err := unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED); err == nil {
			peer = &protocol.PeerCredentials{PID: cred.Pid, UID: cred.Uid, GID: cred.Gid}
		}
	}
	switch c := c.(type) {
	case *engine.Conn:
		if client, _ := c.AddrPorts(); !client.IsValid() {
			_ = c.Control(ask)
		}
	case *net.UnixConn:
		if raw, err := c.SyscallConn(); err == nil {
			_ = raw.Control(ask)
		}
	}
	return peer
}
