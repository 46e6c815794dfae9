//go:build !race

package engine_test

import (
	"bytes"
	"context"
	"io"
	"strconv"
	"testing"

	"github.com/portico-go/portico/internal/engine"
	"github.com/portico-go/portico/protocol"
)

// What stays in memory with each idle connection: all else is borrowed while
// something happens.
func TestStreamSize(t *testing.T) {
	t.Logf("a stream has %d bytes", engine.StreamSize)
	if engine.StreamSize > 352 { // with its Lifecycle; a size class of the runtime
		t.Errorf("a stream has %d bytes, more than 352", engine.StreamSize)
	}
}

// An echoed message allocates nothing, whichever way the stream runs.
func TestEchoAllocatesNothing(t *testing.T) {
	for name, c := range map[string]struct {
		poller *engine.Poller
		send   func(ctx context.Context, conn *protocol.Conn, ev protocol.Event) error
	}{
		"portable":          {nil, send},
		"polled":            {newPoller(t), send},
		"portable, waiting": {nil, sendContext},
		"polled, waiting":   {newPoller(t), sendContext},
	} {
		t.Run(name, func(t *testing.T) {
			client, server := tcp(t)
			over := make(chan struct{})
			e := engine.New(engine.Config{
				Settings: &protocol.Settings{},
				Poller:   c.poller,
				Over:     func(*protocol.Conn) { close(over) },
			})
			e.Serve(t.Context(), engine.Incoming{
				Conn:    server,
				Socket:  server,
				Request: &protocol.Request{Protocol: "lines", Target: "/"},
				Codec:   quiet{message: new(protocol.Message)},
			}, quietEcho(c.send))
			read := func(n int) {
				if _, err := io.ReadFull(client, make([]byte, n)); err != nil {
					t.Fatal(err)
				}
			}
			read(len("ok\n"))
			message, answer := []byte("hello\n"), make([]byte, 6)
			allocs := testing.AllocsPerRun(1000, func() {
				if _, err := client.Write(message); err != nil {
					t.Fatal(err)
				}
				if _, err := io.ReadFull(client, answer); err != nil {
					t.Fatal(err)
				}
			})
			if allocs != 0 {
				t.Errorf("%v allocations per message, want none", allocs)
			}
			_ = client.Close()
			<-over
		})
	}
}

// quiet is lines without what that allocates.
type quiet struct {
	lines
	message *protocol.Message
}

func (c quiet) Decode(in []byte, emit func(protocol.Event) error) (int, error) {
	n := bytes.LastIndexByte(in, '\n') + 1
	if n == 0 {
		return 0, nil
	}
	c.message.Data = in[:n-1]
	return n, emit(c.message)
}

func send(_ context.Context, conn *protocol.Conn, ev protocol.Event) error { return conn.Send(ev) }

func sendContext(ctx context.Context, conn *protocol.Conn, ev protocol.Event) error {
	return conn.SendContext(ctx, ev)
}

// quietEcho sends messages back, with send.
func quietEcho(send func(context.Context, *protocol.Conn, protocol.Event) error) protocol.ApplicationFunc {
	return func(_ context.Context, _ *protocol.Scope, conn *protocol.Conn) (protocol.Handler, error) {
		return protocol.HandlerFunc(func(ctx context.Context, ev protocol.Event) error {
			switch ev := ev.(type) {
			case *protocol.Connect:
				return conn.Accept("", nil)
			case *protocol.Message:
				return send(ctx, conn, ev)
			}
			return nil
		}), nil
	}
}

// For a client that is behind a message takes the place of another without more.
func TestKeepLatestAllocatesNothing(t *testing.T) {
	for name, poller := range map[string]*engine.Poller{"portable": nil, "polled": newPoller(t)} {
		t.Run(name, func(t *testing.T) {
			client, server := tcp(t)
			over := make(chan struct{})
			e := engine.New(engine.Config{
				Settings: &protocol.Settings{},
				Poller:   poller,
				Over:     func(*protocol.Conn) { close(over) },
			})
			h := &handler{}
			e.Serve(t.Context(), engine.Incoming{
				Conn:    server,
				Socket:  server,
				Request: &protocol.Request{Protocol: "lines", Target: "/"},
				Codec:   quiet{message: new(protocol.Message)},
			}, protocol.OnOverflow(protocol.KeepLatest)(h))
			prices := make([]*protocol.Message, 100)
			for i := range prices {
				prices[i] = &protocol.Message{Key: strconv.Itoa(i), Data: make([]byte, 1<<10)}
			}
			next := 0
			update := func() {
				if err := h.conn.Send(prices[next%len(prices)]); err != nil {
					t.Fatal(err)
				}
				next++
			}
			for range 20_000 { // more than the kernel takes
				update()
			}
			if allocs := testing.AllocsPerRun(10_000, update); allocs != 0 {
				t.Errorf("%v allocations per message, want none", allocs)
			}
			_ = client.Close()
			<-over
		})
	}
}
