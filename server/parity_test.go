package server_test

import (
	"bufio"
	"context"
	"io"
	"strings"
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

// Bytes that some servers take for the end of a line smuggle no header past an
// upgrade either.
func TestD11_ControlCharactersInAnUpgrade(t *testing.T) {
	t.Parallel()
	addr := start(t, all, server.Config{})
	for _, c := range []string{"\x0b", "\x0c", "\x1c", "\x1d", "\x1e", "\x85", "\x00", "\r"} {
		if got := talk(t, addr, upgradeRequest("/", "X-A: one"+c+"Smuggled: two\r\n")); !strings.HasPrefix(got, "HTTP/1.1 400 ") {
			t.Errorf("%q is answered with %.40q, want 400", c, got)
		}
	}
}
