package engine

import (
	"net"
	"time"
)

// KeepAlive is when TCP asks whether a silent peer is still there. Net's default asks after
// 15 s; that is before a WebSocket gets its ping, and each idle connection would be asked
// twice.
func KeepAlive() net.KeepAliveConfig {
	return net.KeepAliveConfig{Enable: true, Idle: 30 * time.Second, Interval: 15 * time.Second, Count: 9}
}
