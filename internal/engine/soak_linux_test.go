package engine_test

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/portico-go/portico/internal/engine"
	"github.com/portico-go/portico/protocol"
)

// Whatever peers and handlers do, each handler that was opened gets one Disconnect
// and nothing is left. TestMain looks for goroutines.
func TestEveryEnd(t *testing.T) {
	t.Parallel()
	t.Run("portable", func(t *testing.T) { t.Parallel(); everyEnd(t, nil) })
	t.Run("polled", func(t *testing.T) { t.Parallel(); everyEnd(t, newPoller(t)) })
}

func everyEnd(t *testing.T, poller *engine.Poller) {
	t.Helper()
	const connections = 400
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	w := newPoller(t)
	var clients, served sync.WaitGroup
	e := engine.New(engine.Config{
		Settings:         &protocol.Settings{},
		HandshakeTimeout: 200 * time.Millisecond,
		CloseTimeout:     100 * time.Millisecond,
		MaxQueued:        10 << 10,
		Poller:           poller,
		Over:             func(*protocol.Conn) { served.Done() },
	})
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()

	var opened, ended atomic.Int32
	limit := make(chan struct{}, 50)
	for i := range connections {
		limit <- struct{}{}
		clients.Go(func() {
			defer func() { <-limit }()
			client(t, rand.New(rand.NewPCG(seed, uint64(2*i))), ln.Addr().String())
		})
		conn, err := ln.Accept()
		if err != nil {
			t.Fatal(err)
		}
		rnd := rand.New(rand.NewPCG(seed, uint64(2*i+1)))
		app := erratic(rnd, &opened, &ended)
		answers := rnd.IntN(2) == 0
		served.Add(1)
		go func() {
			e.Serve(t.Context(), engine.Incoming{
				Conn:    conn,
				Socket:  conn,
				Watch:   w.Watch(conn),
				Request: &protocol.Request{Protocol: "lines", Target: "/"},
				Codec:   lines{answers: answers},
			}, app)
		}()
	}
	clients.Wait()
	e.Drain(time.Second)
	served.Wait()
	if n := e.Len(); n != 0 || opened.Load() != ended.Load() || opened.Load() == 0 {
		t.Fatalf("%d streams left, %d handlers opened, %d ended", n, opened.Load(), ended.Load())
	}
}

// client does what a client may do, and ends in one of the ways there are.
func client(t *testing.T, rnd *rand.Rand, addr string) {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Error(err)
		return
	}
	defer c.Close()
	for range rnd.IntN(20) {
		line := []string{"ping x\n", "half", "flood\n", "fail\n", "close\n", "quit\n", "bad\n", "panic\n", "slow\n", "hello\n"}[min(rnd.IntN(40), 9)]
		if _, err := io.WriteString(c, line); err != nil {
			return
		}
	}
	switch rnd.IntN(4) {
	case 0: // a reset
		_ = c.(*net.TCPConn).SetLinger(0)
	case 1: // a half-close
		_ = c.(*net.TCPConn).CloseWrite()
		_, _ = io.Copy(io.Discard, c)
	case 2: // whatever comes
		_ = c.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
		_, _ = io.Copy(io.Discard, c)
	}
}

// erratic is an application that does anything.
func erratic(rnd *rand.Rand, opened, ended *atomic.Int32) protocol.Application {
	openAs, connectAs := rnd.IntN(20), rnd.IntN(20)
	return protocol.ApplicationFunc(func(ctx context.Context, _ *protocol.Scope, conn *protocol.Conn) (protocol.Handler, error) {
		switch openAs {
		case 0:
			return nil, protocol.NoRoute()
		case 1:
			panic("open")
		case 2:
			<-ctx.Done()
			return nil, context.Cause(ctx)
		}
		opened.Add(1)
		return protocol.HandlerFunc(func(ctx context.Context, ev protocol.Event) error {
			switch ev := ev.(type) {
			case *protocol.Connect:
				return connect(ctx, conn, connectAs)
			case *protocol.Message:
				return message(conn, string(ev.Data))
			case *protocol.Disconnect:
				ended.Add(1)
			}
			return nil
		}), nil
	})
}

func connect(ctx context.Context, conn *protocol.Conn, as int) error {
	switch as {
	case 0:
		return errors.New("broken")
	case 1:
		return nil // and never an answer
	case 2:
		<-ctx.Done()
		return ctx.Err()
	}
	go func() {
		for conn.SendText("from elsewhere") == nil && conn.Post(&protocol.Timer{}) == nil {
			<-time.After(time.Millisecond)
		}
	}()
	return conn.Accept("", nil)
}

func message(conn *protocol.Conn, text string) error {
	switch text {
	case "flood":
		for range 100 {
			if err := conn.SendText("a line of some length, again and again, a line of some length"); err != nil {
				return err
			}
		}
		return nil
	case "fail":
		return errors.New("broken")
	case "close":
		return conn.Close(4000, "")
	case "slow":
		<-time.After(5 * time.Millisecond)
	}
	return conn.SendText(text)
}
