//go:build unix

package server_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"

	"github.com/portico-go/portico/channellayer"
	"github.com/portico-go/portico/consumer"
	"github.com/portico-go/portico/protocol"
	"github.com/portico-go/portico/server"
)

// room is a group of everybody, who get what any of them says; ends tells of each
// one's end.
func room(t *testing.T, ends chan<- error) (*consumer.Messages[struct{}], *channellayer.Hub) {
	t.Helper()
	hub, err := channellayer.New(channellayer.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = hub.Close() })
	return &consumer.Messages[struct{}]{
		Layer:  hub,
		Groups: []string{"room"},
		Broadcasts: consumer.Broadcasts{"said": func(_ protocol.Framing, m *channellayer.Message) ([]byte, error) {
			return channellayer.Value[[]byte](m)
		}},
		Receive: func(_ *struct{}, ctx context.Context, c *consumer.Conn, m *protocol.Message) error {
			if bytes.Equal(m.Data, []byte("panic")) {
				panic("as asked")
			}
			return c.Broadcast(ctx, "room", "said", bytes.Clone(m.Data))
		},
		Disconnect: func(_ *struct{}, _ context.Context, _ *consumer.Conn, d *protocol.Disconnect) error {
			ends <- d.Cause
			return nil
		},
	}, hub
}

// narrow dials with a small buffer for what is not read.
func narrow() ws.Dialer {
	d := net.Dialer{Control: func(_, _ string, c syscall.RawConn) error { return setReceiveBuffer(c, 4096) }}
	return ws.Dialer{NetDial: d.DialContext}
}

// One who stops reading, and one who reads a byte now and then, are closed as slow;
// the others get everything.
func TestSlowReaders(t *testing.T) {
	t.Parallel()
	const messages, size = 150, 64 << 10
	ends := make(chan error, 10)
	app, _ := room(t, ends)
	addr := start(t, app, server.Config{
		Limits:   server.Limits{Queue: 256 << 10},
		Timeouts: server.Timeouts{Close: 200 * time.Millisecond},
	})
	_ = dialWebSocket(t, "ws://"+addr+"/", narrow())
	trickle := dialWebSocket(t, "ws://"+addr+"/", narrow())
	go func() {
		for one := make([]byte, 1); ; {
			if _, err := trickle.Read(one); err != nil {
				return
			}
			<-time.After(10 * time.Millisecond)
		}
	}()
	speaker := dialWebSocket(t, "ws://"+addr+"/", ws.Dialer{})
	listener := dialWebSocket(t, "ws://"+addr+"/", ws.Dialer{})

	for i := range messages {
		text := strings.Repeat(string(rune('a'+i%26)), size)
		if err := wsutil.WriteClientText(speaker, []byte(text)); err != nil {
			t.Fatal(err)
		}
		for _, c := range []io.ReadWriter{speaker, listener} {
			if data, err := wsutil.ReadServerText(c); err != nil || string(data) != text {
				t.Fatalf("of message %d came %d bytes, %v", i, len(data), err)
			}
		}
	}
	for range 2 {
		select {
		case cause := <-ends:
			if !errors.Is(cause, protocol.ErrSlow) {
				t.Errorf("cause = %v, want ErrSlow", cause)
			}
		case <-time.After(patience):
			t.Fatal("a slow reader was not closed")
		}
	}
}

// Many slow readers together stay within the node's budget, though each stays
// within its own.
func TestBudget(t *testing.T) {
	t.Parallel()
	ends := make(chan error, 20)
	app, _ := room(t, ends)
	addr := start(t, app, server.Config{Limits: server.Limits{Queue: 64 << 20, Buffered: 8 << 20}})
	for range 8 {
		_ = dialWebSocket(t, "ws://"+addr+"/", narrow())
	}
	speaker := dialWebSocket(t, "ws://"+addr+"/", ws.Dialer{})
	text := bytes.Repeat([]byte("x"), 64<<10)
	for range 150 { // some 9 MiB for each: more than the kernel takes, and in all too much
		if err := wsutil.WriteClientText(speaker, text); err != nil {
			t.Fatal(err)
		}
		if _, err := wsutil.ReadServerText(speaker); err != nil {
			t.Fatal(err)
		}
	}
	select {
	case cause := <-ends:
		if !errors.Is(cause, protocol.ErrSlow) {
			t.Errorf("cause = %v, want ErrSlow", cause)
		}
	case <-time.After(patience):
		t.Fatal("nobody was closed though too much waits")
	}
	if err := wsutil.WriteClientText(speaker, []byte("still here")); err != nil {
		t.Fatal(err)
	}
	if got, err := wsutil.ReadServerText(speaker); err != nil || string(got) != "still here" {
		t.Fatalf("read %q, %v", got, err)
	}
}
