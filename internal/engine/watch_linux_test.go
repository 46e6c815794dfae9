package engine_test

import (
	"context"
	"errors"
	"net"
	"testing"
	"time"

	"github.com/portico-go/portico/internal/engine"
	"github.com/portico-go/portico/protocol"
)

// tcp returns the two ends of a TCP connection.
func tcp(t *testing.T) (client, server *net.TCPConn) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	c, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	s, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close(); _ = s.Close() })
	return c.(*net.TCPConn), s.(*net.TCPConn)
}

func newPoller(t *testing.T) *engine.Poller {
	t.Helper()
	p, err := engine.NewPoller()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

func reset(t *testing.T, c *net.TCPConn) {
	t.Helper()
	if err := c.SetLinger(0); err != nil {
		t.Fatal(err)
	}
	_ = c.Close()
}

func TestWatch(t *testing.T) {
	t.Parallel()
	w := newPoller(t)
	client, server := tcp(t)
	watch := w.Watch(server)
	told := make(chan struct{})
	watch.Notify(func() { close(told) })

	if err := client.CloseWrite(); err != nil { // a half-close is no hang-up
		t.Fatal(err)
	}
	buf := make([]byte, 1)
	if _, err := server.Read(buf); err == nil {
		t.Fatal("read something")
	}
	select {
	case <-told:
		t.Fatal("a half-close was taken for a hang-up")
	default:
	}
	reset(t, client)
	<-told

	again := make(chan struct{})
	watch.Notify(func() { close(again) }) // too late to miss it
	<-again
	watch.Stop()
}

// A descriptor that is used again does not meet the events of its first owner.
func TestWatchGenerations(t *testing.T) {
	t.Parallel()
	w := newPoller(t)
	client, server := tcp(t)
	first := w.Watch(server)
	first.Notify(func() { t.Error("a stopped watch told of a hang-up") })
	first.Stop()
	reset(t, client)
	_ = server.Close()

	client, server = tcp(t)
	told := make(chan struct{})
	w.Watch(server).Notify(func() { close(told) })
	reset(t, client)
	<-told
}

// A peer that resets while Open blocks, or while a handler runs, cancels it.
func TestReset(t *testing.T) {
	t.Parallel()
	for _, phase := range []string{"Open", "Connect", "Message"} {
		t.Run(phase, func(t *testing.T) { t.Parallel(); testReset(t, phase, nil) })
		t.Run(phase+" polled", func(t *testing.T) { t.Parallel(); testReset(t, phase, newPoller(t)) })
	}
}

func testReset(t *testing.T, phase string, poller *engine.Poller) {
	t.Helper()
	w := newPoller(t)
	client, server := tcp(t)
	entered, causes := make(chan struct{}), make(chan error, 1)
	block := func(ctx context.Context) error {
		close(entered)
		<-ctx.Done()
		causes <- context.Cause(ctx)
		return context.Cause(ctx)
	}
	h := &handler{}
	switch phase {
	case "Open":
		h.open = block
	case "Connect":
		h.connect = block
	case "Message":
		h.message = func(ctx context.Context, _ string) error { return block(ctx) }
	}
	served := make(chan struct{})
	cfg := engine.Config{Settings: &protocol.Settings{}, Poller: poller, Over: func(*protocol.Conn) { close(served) }}
	go func() {
		engine.New(cfg).Serve(t.Context(), engine.Incoming{
			Conn:    server,
			Socket:  server,
			Watch:   w.Watch(server),
			Request: &protocol.Request{Protocol: "lines", Target: "/"},
			Codec:   lines{},
		}, h)
	}()
	_, _ = client.Write([]byte("x\n"))
	<-entered
	reset(t, client)
	select {
	case cause := <-causes:
		if !errors.Is(cause, protocol.ErrReset) {
			t.Fatalf("cause = %v, want ErrReset", cause)
		}
	case <-time.After(5 * time.Second):
		t.Fatal("a reset did not cancel the context")
	}
	<-served
	if phase != "Open" {
		h.wantDisconnect(t, protocol.CloseAbnormal, protocol.ErrReset)
	}
}
