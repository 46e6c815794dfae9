package engine

import (
	"net"
	"time"

	"github.com/portico-go/portico/protocol"
)

// Refuse answers a connection whose handshake failed with err, in the form of its
// codec, and closes it. It takes at most a second and timeout.
func Refuse(conn net.Conn, codec protocol.Codec, err error, timeout time.Duration) {
	defer func() { _ = conn.Close() }() // the peer has all it gets
	r, _ := protocol.RejectOf(err)
	answer, encodeErr := codec.Append(nil, r)
	if encodeErr != nil || conn.SetDeadline(time.Now().Add(timeout)) != nil {
		return
	}
	if _, err := conn.Write(answer); err == nil {
		Linger(conn)
	}
}
