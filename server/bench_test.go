package server_test

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"testing"

	"github.com/gobwas/ws"
	"go.uber.org/zap"

	"github.com/portico-go/portico/server"
)

// open serves everything, and returns a connection.
func open(b *testing.B) net.Conn {
	b.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(b.Context())
	done := make(chan error, 1)
	go func() {
		done <- server.New(all, server.Config{Logger: zap.NewNop()}).Serve(ctx, server.Listener{Net: ln})
	}()
	c, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = c.Close()
		cancel()
		if err := <-done; err != nil {
			b.Error(err)
		}
	})
	return c
}

// exchange sends request b.N times and reads size bytes each time.
func exchange(b *testing.B, c net.Conn, request []byte, size int) {
	b.Helper()
	answer := make([]byte, size)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.Write(request); err != nil {
			b.Fatal(err)
		}
		if _, err := io.ReadFull(c, answer); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkWebSocketEcho(b *testing.B) {
	c := open(b)
	if _, err := io.WriteString(c, upgradeRequest("/")); err != nil {
		b.Fatal(err)
	}
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		b.Fatal(err)
	}
	_ = res.Body.Close()
	frame, err := ws.CompileFrame(ws.MaskFrame(ws.NewTextFrame(make([]byte, 64))))
	if err != nil {
		b.Fatal(err)
	}
	exchange(b, c, frame, 66)
}

func BenchmarkChatEcho(b *testing.B) {
	c := open(b)
	if _, err := io.WriteString(c, "/join /\n"); err != nil {
		b.Fatal(err)
	}
	if _, err := io.ReadFull(c, make([]byte, len("/ok\n"))); err != nil {
		b.Fatal(err)
	}
	line := []byte("hello, everybody\n")
	exchange(b, c, line, len(line))
}

func BenchmarkHTTP(b *testing.B) {
	c := open(b)
	request := []byte("GET /hello HTTP/1.1\r\nHost: x\r\n\r\n")
	if _, err := c.Write(request); err != nil {
		b.Fatal(err)
	}
	first := make([]byte, 1<<10)
	n, err := c.Read(first)
	if err != nil {
		b.Fatal(err)
	}
	exchange(b, c, request, n)
}
