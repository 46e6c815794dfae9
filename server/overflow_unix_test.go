//go:build unix

package server_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"

	"github.com/portico-go/portico/channellayer"
	"github.com/portico-go/portico/consumer"
	"github.com/portico-go/portico/protocol"
	"github.com/portico-go/portico/server"
)

// A quote is what a ticker sends: padding makes it as long as it takes to fill what the
// kernel holds for a client that does not read.
type quote struct {
	Symbol, Padding string
	Number          int
}

// A dropCounter counts what is reported as dropped, by why.
type dropCounter struct{ replaced, slow atomic.Int64 }

func (d *dropCounter) Observe(o protocol.Observation) {
	switch {
	case o.Kind != protocol.Dropped:
	case errors.Is(o.Err, protocol.ErrReplaced):
		d.replaced.Add(1)
	default:
		d.slow.Add(1)
	}
}

// ticker is a consumer of which each connection is in two groups that differ in what
// becomes of a broadcast for a slow client.
func ticker(t *testing.T) (*consumer.Messages[struct{}], *channellayer.Hub) {
	t.Helper()
	hub, err := channellayer.New(channellayer.Config{Capacity: 100_000})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = hub.Close() })
	return &consumer.Messages[struct{}]{
		Layer:  hub,
		Groups: []string{"prices", "notices"},
		Overflow: []consumer.Overflow{{
			Group:  "prices",
			Policy: protocol.KeepLatest,
			Key:    consumer.Key(func(q quote) string { return q.Symbol }),
		}},
		Receive: func(_ *struct{}, _ context.Context, c *consumer.Conn, m *protocol.Message) error { return c.Send(m) },
	}, hub
}

// readQuotes reads until the notice "over", and returns the last quote of each symbol and
// how many there were.
func readQuotes(t *testing.T, c io.ReadWriter) (last map[string]int, n int) {
	t.Helper()
	last = make(map[string]int)
	for {
		data, err := wsutil.ReadServerText(c)
		if err != nil {
			t.Fatalf("after %d quotes: %v", n, err)
		}
		var q quote
		if string(data) == `"over"` {
			return last, n
		}
		if err := json.Unmarshal(data, &q); err != nil {
			t.Fatal(err)
		}
		if q.Number <= last[q.Symbol] {
			t.Fatalf("quote %d of %s came behind %d", q.Number, q.Symbol, last[q.Symbol])
		}
		last[q.Symbol] = q.Number
		n++
	}
}

// One who reads slowly gets the latest of each symbol, and all notices; one who reads
// gets everything; nobody is closed.
func TestSlowReaderKeepsTheLatest(t *testing.T) {
	t.Parallel()
	const quotes, symbols = 2000, 5
	app, hub := ticker(t)
	var drops dropCounter
	addr := start(t, app, server.Config{Limits: server.Limits{Queue: 256 << 10}, Observer: &drops})
	slow := dialWebSocket(t, "ws://"+addr+"/", narrow())
	quick := dialWebSocket(t, "ws://"+addr+"/", ws.Dialer{})
	for i := 1; i <= quotes; i++ {
		q := quote{Symbol: fmt.Sprint("S", i%symbols), Number: i, Padding: strings.Repeat("x", 8<<10)}
		broadcastTo(t, hub, "prices", "quote", q)
		if _, err := wsutil.ReadServerText(quick); err != nil { // or it is behind, too, on a busy machine
			t.Fatal(err)
		}
	}
	broadcastTo(t, hub, "notices", "notice", "over")
	if _, n := readQuotes(t, quick); n != 0 {
		t.Errorf("the quick reader got %d quotes twice", n)
	}
	last, n := readQuotes(t, slow)
	for i := quotes - symbols + 1; i <= quotes; i++ {
		if symbol := fmt.Sprint("S", i%symbols); last[symbol] != i {
			t.Errorf("the latest of %s is %d, want %d", symbol, last[symbol], i)
		}
	}
	if n == quotes {
		t.Error("the slow reader missed nothing, so it tells nothing")
	}
	waitFor(t, "as many drops as there are quotes missing", func() bool { return drops.replaced.Load() == int64(quotes-n) })
	if n := drops.slow.Load(); n != 0 {
		t.Errorf("%d drops that are no replacements", n)
	}
}

func broadcastTo(t *testing.T, hub *channellayer.Hub, group, event string, value any) {
	t.Helper()
	if _, err := hub.Broadcast(t.Context(), group, channellayer.Event{Type: event, Value: value}); err != nil {
		t.Fatal(err)
	}
}

// waitFor waits until ok.
func waitFor(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !ok(); <-time.After(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// Groups differ: what must not be lost closes a client that does not read, though it
// would be spared for the other group.
func TestSlowReaderIsClosedByTheOtherGroup(t *testing.T) {
	t.Parallel()
	app, hub := ticker(t)
	ends := make(chan error, 1)
	app.Disconnect = func(_ *struct{}, _ context.Context, _ *consumer.Conn, d *protocol.Disconnect) error {
		ends <- d.Cause
		return nil
	}
	addr := start(t, app, server.Config{
		Limits:   server.Limits{Queue: 256 << 10},
		Timeouts: server.Timeouts{Close: 200 * time.Millisecond},
	})
	_ = dialWebSocket(t, "ws://"+addr+"/", narrow())
	padding := strings.Repeat("x", 64<<10)
	for i := range 200 {
		broadcastTo(t, hub, "prices", "quote", quote{Symbol: "S", Number: i, Padding: padding})
	}
	select {
	case cause := <-ends:
		t.Fatalf("closed for prices: %v", cause)
	case <-time.After(50 * time.Millisecond):
	}
	for range 200 {
		broadcastTo(t, hub, "notices", "notice", padding)
	}
	select {
	case cause := <-ends:
		if !errors.Is(cause, protocol.ErrSlow) {
			t.Errorf("cause = %v, want ErrSlow", cause)
		}
	case <-time.After(patience):
		t.Fatal("the client that does not read was not closed")
	}
}

// A handler that waits for a slow client delivers everything, and delays nobody else.
func TestSlowReaderIsWaitedFor(t *testing.T) {
	t.Parallel()
	const parts, size = 300, 64 << 10 // far more than the kernel takes
	app := &consumer.Messages[struct{}]{
		Receive: func(_ *struct{}, ctx context.Context, c *consumer.Conn, m *protocol.Message) error {
			if string(m.Data) != "all" {
				return c.Send(m)
			}
			part := make([]byte, size)
			for i := range parts {
				part[0] = byte(i)
				if err := c.SendContext(ctx, &protocol.Message{Binary: true, Data: part}); err != nil {
					return err
				}
			}
			return nil
		},
	}
	var drops dropCounter
	addr := start(t, app, server.Config{Limits: server.Limits{Queue: 256 << 10}, Observer: &drops})
	slow := dialWebSocket(t, "ws://"+addr+"/", narrow())
	other := dialWebSocket(t, "ws://"+addr+"/", ws.Dialer{})
	if err := wsutil.WriteClientText(slow, []byte("all")); err != nil {
		t.Fatal(err)
	}
	for i := range parts {
		if i%100 == 0 { // meanwhile, others are served
			if err := wsutil.WriteClientText(other, []byte("hello")); err != nil {
				t.Fatal(err)
			}
			if got, err := wsutil.ReadServerText(other); err != nil || string(got) != "hello" {
				t.Fatalf("read %q, %v", got, err)
			}
		}
		data, err := wsutil.ReadServerBinary(slow)
		if err != nil || len(data) != size || data[0] != byte(i) {
			t.Fatalf("part %d: %d bytes, %v", i, len(data), err)
		}
	}
	if n := drops.slow.Load(); n != 0 {
		t.Errorf("%d drops", n)
	}
}

// A handler that waits for a client that is gone, or that does not read for too long,
// gets its end.
func TestWaitForAClientThatNeverReads(t *testing.T) {
	t.Parallel()
	for name, leave := range map[string]bool{"gone": true, "silent": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sent := make(chan error, 1)
			app := &consumer.Messages[struct{}]{
				Receive: func(_ *struct{}, ctx context.Context, c *consumer.Conn, _ *protocol.Message) error {
					for {
						if err := c.SendContext(ctx, &protocol.Message{Binary: true, Data: make([]byte, 64<<10)}); err != nil {
							sent <- err
							return err
						}
					}
				},
			}
			addr := start(t, app, server.Config{Timeouts: server.Timeouts{Stall: 300 * time.Millisecond}})
			c, _, _, err := narrow().Dial(t.Context(), "ws://"+addr+"/")
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			if err := wsutil.WriteClientText(c, []byte("go")); err != nil {
				t.Fatal(err)
			}
			if leave {
				_ = c.Close()
			}
			select {
			case err := <-sent:
				if !errors.Is(err, protocol.ErrClosed) && !errors.Is(err, protocol.ErrReset) && !errors.Is(err, protocol.ErrSlow) {
					t.Errorf("SendContext = %v", err)
				}
			case <-time.After(patience):
				t.Fatal("SendContext waits for ever")
			}
		})
	}
}
