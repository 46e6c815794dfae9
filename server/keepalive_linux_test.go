package server_test

import (
	"encoding/binary"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/portico-go/portico/server"
)

// TCP asks a silent peer for a sign of life later than pings do: an idle WebSocket costs
// one question, not two.
func TestKeepAliveIsLaterThanPings(t *testing.T) {
	t.Parallel()
	at := fmt.Sprintf("127.83.65.70:%d", 20_000+os.Getpid()%20_000) // nobody else's
	start(t, all, server.Config{}, func(l *server.Listener) {
		_ = l.Net.Close() // not needed
		l.Net, l.Address = nil, at
	})
	var c net.Conn
	waitFor(t, "the listener", func() bool {
		var err error
		c, err = net.Dial("tcp", at)
		return err == nil
	})
	defer c.Close()
	ends := kernelAddress(at) + " " + kernelAddress(c.LocalAddr().String())
	var left time.Duration
	waitFor(t, "the keep-alive timer", func() bool {
		left = keepAliveIn(t, ends)
		return left > 0
	})
	if left < 25*time.Second || left > 31*time.Second {
		t.Errorf("TCP asks after %v, want 30 s: pings come after 20 s", left)
	}
}

// keepAliveIn reads from proc(5) when a socket's keep-alive timer fires, or 0.
func keepAliveIn(t *testing.T, ends string) time.Duration {
	t.Helper()
	table, err := os.ReadFile("/proc/self/net/tcp")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(table)) {
		fields := strings.Fields(line)
		if len(fields) < 6 || fields[1]+" "+fields[2] != ends {
			continue
		}
		if ticks, found := strings.CutPrefix(fields[5], "02:"); found {
			n, err := strconv.ParseInt(ticks, 16, 64)
			if err != nil {
				t.Fatal(err)
			}
			return time.Duration(n) * time.Second / 100 // USER_HZ
		}
	}
	return 0
}

// kernelAddress returns an IPv4 address and port as /proc/net/tcp has it.
func kernelAddress(addr string) string {
	a, err := net.ResolveTCPAddr("tcp4", addr)
	if err != nil {
		return err.Error()
	}
	return fmt.Sprintf("%08X:%04X", binary.NativeEndian.Uint32(a.IP.To4()), a.Port)
}
