package server_test

import (
	"bufio"
	"context"
	"io"
	"testing"
	"time"

	"github.com/portico-go/portico/protocol"
	"github.com/portico-go/portico/server"
)

// What a client sends before it is accepted waits until it is.
func TestX15_ReceiveBeforeAccept(t *testing.T) {
	t.Parallel()
	app := newRecorder()
	app.handle = func(_ context.Context, conn *protocol.Conn, ev protocol.Event) error {
		switch ev := ev.(type) {
		case *protocol.Connect:
			conn.PostAfter(50*time.Millisecond, nil)
		case *protocol.Timer:
			return conn.Accept("", nil)
		case *protocol.Message:
			return conn.Send(ev)
		}
		return nil
	}
	c := dial(t, start(t, app, server.Config{}))
	if _, err := io.WriteString(c, "/join /\nearly\n/quit\n"); err != nil {
		t.Fatal(err)
	}
	wantLines(t, bufio.NewReader(c), "/ok", "early", "/close 1000")
	app.want(t, "connect", "timer", "message", "disconnect")
}
