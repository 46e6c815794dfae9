//go:build !race

package server_test

import (
	"bufio"
	"io"
	"net/http"
	"testing"

	"github.com/gobwas/ws"

	"github.com/portico-go/portico/server"
)

// An echoed message allocates nothing, over WebSocket and over chat.
func TestEchoAllocatesNothing(t *testing.T) {
	addr := start(t, all, server.Config{})
	check := func(name string, c io.ReadWriter, message []byte, size int) {
		t.Helper()
		answer := make([]byte, size)
		allocs := testing.AllocsPerRun(1000, func() {
			if _, err := c.Write(message); err != nil {
				t.Fatal(err)
			}
			if _, err := io.ReadFull(c, answer); err != nil {
				t.Fatal(err)
			}
		})
		if allocs != 0 {
			t.Errorf("%s: %v allocations per message, want none", name, allocs)
		}
	}

	socket := dial(t, addr)
	if _, err := io.WriteString(socket, upgradeRequest("/")); err != nil {
		t.Fatal(err)
	}
	res, err := http.ReadResponse(bufio.NewReader(socket), nil)
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	frame, err := ws.CompileFrame(ws.MaskFrame(ws.NewTextFrame(make([]byte, 64))))
	if err != nil {
		t.Fatal(err)
	}
	check("websocket", socket, frame, 66)

	terminal := dial(t, addr)
	if _, err := io.WriteString(terminal, "/join /\n"); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(terminal, make([]byte, len("/ok\n"))); err != nil {
		t.Fatal(err)
	}
	check("chat", terminal, []byte("hello\n"), len("hello\n"))
}
