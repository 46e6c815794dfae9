package server_test

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"

	"github.com/portico-go/portico/server"
)

// soakVariable says how many connections TestSoak makes.
const soakVariable = "PORTICO_SOAK"

// resources are what must not grow.
type resources struct {
	descriptors, goroutines int
	heap                    uint64
}

func count(t *testing.T) resources {
	t.Helper()
	fds, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	runtime.GC()
	runtime.GC() // the second empties what the pools kept
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return resources{len(fds), runtime.NumGoroutine(), m.HeapAlloc}
}

func (r resources) String() string {
	return fmt.Sprintf("%d descriptors, %d goroutines, %d KiB of heap", r.descriptors, r.goroutines, r.heap>>10)
}

// Connections that come, talk to all others, and end in every way leave nothing
// behind. It does not run beside other tests, whose resources would count.
func TestSoak(t *testing.T) {
	n := 20_000
	if portable {
		n = 2_000
	}
	if s := os.Getenv(soakVariable); s != "" {
		var err error
		if n, err = strconv.Atoi(s); err != nil {
			t.Fatal(err)
		}
	}
	ended := make(chan error, 1000)
	app, hub := room(t, ended)
	var ends atomic.Int64
	go func() {
		for range ended {
			ends.Add(1)
		}
	}()
	defer close(ended)
	addr, stop := run(t, app, server.Config{Timeouts: server.Timeouts{Close: time.Second}})
	visit(t, addr, 200) // pools and tables have their size
	settled(t, func() bool { return ends.Load() == 200 && hub.Stats().Subscribers == 0 })
	before := count(t)
	visit(t, addr, n)
	settled(t, func() bool { return ends.Load() == int64(n)+200 && hub.Stats().Subscribers == 0 })
	var after resources
	settled(t, func() bool {
		after = count(t)
		return after.descriptors <= before.descriptors && after.goroutines <= before.goroutines
	})
	stats := hub.Stats()
	t.Logf("before: %v; after %d connections: %v, %d groups, %d members", before, n, after, stats.Groups, stats.Subscribers)
	if after.heap > before.heap+2<<20 || stats.Groups != 0 || stats.Subscribers != 0 {
		t.Errorf("something is left: before %v, after %v, %+v", before, after, stats)
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
}

// settled waits until ok.
func settled(t *testing.T, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(2 * patience); !ok(); {
		if time.Now().After(end) {
			t.Fatalf("it did not come to rest: %v", count(t))
		}
		<-time.After(10 * time.Millisecond)
	}
}

// visit has n clients come and go, some at a time.
func visit(t *testing.T, addr string, n int) {
	t.Helper()
	var next atomic.Int64
	var clients sync.WaitGroup
	for range 16 {
		clients.Go(func() {
			for i := next.Add(1); i <= int64(n) && !t.Failed(); i = next.Add(1) {
				if err := visitor(addr, rand.New(rand.NewPCG(1, uint64(i)))); err != nil {
					t.Error(err)
				}
			}
		})
	}
	clients.Wait()
}

// visitor is one client.
func visitor(addr string, rnd *rand.Rand) error {
	c, _, _, err := ws.Dialer{}.Dial(context.Background(), "ws://"+addr+"/")
	if err != nil {
		return err
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	switch rnd.IntN(8) {
	case 0: // a broadcast to all who are there, this one too
		_ = wsutil.WriteClientText(c, []byte("hello"))
		_, _ = wsutil.ReadServerText(c)
	case 1: // a panic of the handler
		_ = wsutil.WriteClientText(c, []byte("panic"))
		for err == nil {
			_, err = wsutil.ReadServerText(c)
		}
	case 2: // killed
		_ = c.(*net.TCPConn).SetLinger(0)
	case 3: // half a frame
		_, _ = c.Write([]byte{0x82, 0xfe, 1})
	case 4: // a proper close
		_ = ws.WriteFrame(c, ws.MaskFrame(ws.NewCloseFrame(nil)))
		_, _ = io.Copy(io.Discard, c)
	case 5: // a half-close
		_ = c.(*net.TCPConn).CloseWrite()
		_, _ = io.Copy(io.Discard, c)
	}
	return nil
}
