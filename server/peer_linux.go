package server

import (
	"net"

	"golang.org/x/sys/unix"

	"github.com/portico-go/portico/protocol"
)

// credentials returns what the kernel says of the peer of a unix socket, or nil.
func credentials(c net.Conn) *protocol.PeerCredentials {
	u, ok := c.(*net.UnixConn)
	if !ok {
		return nil
	}
	raw, err := u.SyscallConn()
	if err != nil {
		return nil
	}
	var peer *protocol.PeerCredentials
	_ = raw.Control(func(fd uintptr) { // no peer if it fails
		if cred, err := unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED); err == nil {
			peer = &protocol.PeerCredentials{PID: cred.Pid, UID: cred.Uid, GID: cred.Gid}
		}
	})
	return peer
}
