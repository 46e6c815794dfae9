package engine_test

import (
	"context"
	"errors"
	"io"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/portico-go/portico/internal/engine"
	"github.com/portico-go/portico/protocol"
)

func TestEcho(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &handler{}
		p := serve(t, h, lines{})
		p.want("ok")
		p.send("one\ntw")
		p.want("one")
		p.send("o\nping x\nthree\n")
		p.want("two", "pong x", "three")
		p.send("quit bye\nignored\n")
		p.want("close 1000 ")
		p.wantEnd()
		_ = p.Close()
		<-p.served
		h.wantDisconnect(t, protocol.CloseNormal, nil)
		if got := h.noted(); got != "connect,message,message,message,disconnect" {
			t.Fatalf("events = %s", got)
		}
		if h.last.Reason != "bye" || !h.last.Accepted {
			t.Fatalf("disconnect = %+v", h.last)
		}
	})
}

// What comes while Connect runs follows the answer, and is handled before what the
// peer sent.
func TestMailDuringConnectFollowsTheAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &handler{}
		h.connect = func(context.Context) error {
			if err := h.conn.Accept("", nil); err != nil {
				return err
			}
			_ = h.conn.Post(&protocol.Timer{Name: "a"})
			_ = h.conn.SendText("sent")
			_ = h.conn.Flush()
			time.Sleep(time.Second)
			return nil
		}
		p := serve(t, h, lines{})
		go p.send("first\n")
		start := time.Now()
		p.want("ok")
		if d := time.Since(start); d != time.Second {
			t.Fatalf("the answer came after %v; want it when Connect has returned", d)
		}
		p.want("sent", "timer a", "first")
	})
}

// A Send followed by a handler that blocks arrives within 20 ms.
func TestSendThenBlock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &handler{}
		h.message = func(context.Context, string) error {
			_ = h.conn.SendText("now")
			time.Sleep(time.Minute)
			return h.conn.SendText("later")
		}
		p := serve(t, h, lines{})
		p.want("ok")
		p.send("x\n")
		start := time.Now()
		p.want("now")
		if d := time.Since(start); d > 20*time.Millisecond {
			t.Fatalf("a Send took %v while the handler blocked", d)
		}
		p.want("later")
		if d := time.Since(start); d < time.Minute {
			t.Fatalf("the handler did not block: %v", d)
		}
	})
}

// What is flushed, or is a lot, does not wait for the end of the turn.
func TestFlushAndLargeSends(t *testing.T) {
	for name, send := range map[string]func(*protocol.Conn) string{
		"flush": func(conn *protocol.Conn) string {
			_ = conn.SendText("now")
			_ = conn.Flush()
			return "now"
		},
		"large": func(conn *protocol.Conn) string {
			large := strings.Repeat("x", 64<<10)
			_ = conn.SendText(large)
			return large
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := &handler{}
				want := make(chan string, 1)
				h.message = func(context.Context, string) error {
					want <- send(h.conn)
					time.Sleep(time.Minute)
					return nil
				}
				p := serve(t, h, lines{})
				p.want("ok")
				p.send("x\n")
				start := time.Now()
				p.want(<-want)
				if d := time.Since(start); d != 0 {
					t.Fatalf("took %v", d)
				}
			})
		})
	}
}

// While a handler runs nothing is read from its connection.
func TestBackpressure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &handler{message: func(context.Context, string) error { time.Sleep(time.Minute); return nil }}
		p := serve(t, h, lines{})
		p.want("ok")
		p.send("a\n")
		start := time.Now()
		p.send("b\n") // the pipe has no buffer
		if d := time.Since(start); d != time.Minute {
			t.Fatalf("the second line was read after %v, want a minute", d)
		}
	})
}

// A line that takes many reads is put together, and the next ones are read as ever.
func TestLongInput(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := serve(t, &handler{}, lines{})
		p.want("ok")
		for _, size := range []int{10, 5000, 300 << 10, 70 << 10, 10} {
			line := strings.Repeat("x", size)
			go p.send(line + "\n")
			p.want(line)
		}
	})
}

// The replies of one turn leave in one write.
func TestOneWritePerTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := serve(t, &handler{}, lines{})
		p.want("ok")
		p.send("a\nb\nc\n")
		buf := make([]byte, 64)
		n, err := p.half.Read(buf)
		if err != nil || string(buf[:n]) != "a\nb\nc\n" {
			t.Fatalf("first write = %q, %v; want all replies", buf[:n], err)
		}
	})
}

func TestSendFromAnotherGoroutineLeavesAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &handler{}
		p := serve(t, h, lines{})
		p.want("ok")
		synctest.Wait()
		start := time.Now()
		_ = h.conn.SendText("hi")
		p.want("hi")
		if d := time.Since(start); d != 0 {
			t.Fatalf("took %v", d)
		}
	})
}

func TestHalfClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &handler{}
		h.message = func(_ context.Context, text string) error {
			time.Sleep(3 * time.Second)
			_ = h.conn.Post(&protocol.Timer{Name: text})
			return h.conn.SendText(text)
		}
		p := serve(t, h, lines{})
		p.want("ok")
		p.send("a\nb\nunfinished")
		if err := p.CloseWrite(); err != nil {
			t.Fatal(err)
		}
		p.want("a", "b", "timer a", "timer b")
		p.wantEnd()
		<-p.served
		h.wantDisconnect(t, protocol.CloseNoStatus, io.EOF)
	})
}

func TestRefusals(t *testing.T) {
	broken := errors.New("broken")
	cases := map[string]struct {
		h      *handler
		want   string
		events string
		failed bool
	}{
		"Open refuses":      {&handler{open: func(context.Context) error { return protocol.Rejectf(404, "no") }}, "err 404 no", "", false},
		"Open fails":        {&handler{open: func(context.Context) error { return broken }}, "err 500 Internal Server Error", "", true},
		"Open panics":       {&handler{open: func(context.Context) error { panic("open") }}, "err 500 Internal Server Error", "", true},
		"Connect refuses":   {&handler{connect: func(context.Context) error { return protocol.Rejectf(401, "who") }}, "err 401 who", "connect,disconnect", false},
		"Connect panics":    {&handler{connect: func(context.Context) error { panic("connect") }}, "err 500 Internal Server Error", "connect,disconnect", true},
		"Disconnect panics": {&handler{connect: func(context.Context) error { return protocol.Rejectf(401, "who") }, disconnect: func(*protocol.Disconnect) error { panic("disconnect") }}, "err 401 who", "connect,disconnect", true},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := serve(t, c.h, lines{})
				p.want(c.want)
				p.wantEnd()
				_ = p.Close()
				<-p.served
				if got := c.h.noted(); got != c.events {
					t.Errorf("events = %s, want %s", got, c.events)
				}
				if got := p.seen.has("error"); got != c.failed {
					t.Errorf("a failure was reported: %v, want %v", got, c.failed)
				}
			})
		})
	}
}

func TestFailuresAfterAccept(t *testing.T) {
	cases := map[string]struct {
		message func(context.Context, string) error
		send    string
		want    string
		code    protocol.CloseCode
		failed  bool
	}{
		"error":          {func(context.Context, string) error { return errors.New("broken") }, "x\n", "close 1011 internal error", 1011, true},
		"panic":          {func(context.Context, string) error { panic("receive") }, "x\n", "close 1011 internal error", 1011, true},
		"close error":    {func(context.Context, string) error { return protocol.Closef(4001, "enough") }, "x\n", "close 4001 enough", 4001, false},
		"protocol error": {nil, "bad\n", "close 1002 bad line", 1002, false},
		"codec panic":    {nil, "panic\n", "close 1011 internal error", 1011, true},
		"too long":       {nil, strings.Repeat("x", 200<<10), "close 1009 message too big", 1009, false},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := &handler{message: c.message}
				p := serve(t, h, lines{}, func(cfg *engine.Config) { cfg.MaxPending = 100 << 10 })
				p.want("ok")
				go func() { _, _ = p.Write([]byte(c.send)) }()
				p.want(c.want)
				p.wantEnd()
				_ = p.Close()
				<-p.served
				h.wantDisconnect(t, c.code, nil)
				if got := p.seen.has("error"); got != c.failed {
					t.Errorf("a failure was reported: %v, want %v", got, c.failed)
				}
			})
		})
	}
}

// An Accept that the codec cannot encode is a refusal, not a close that the peer
// cannot understand.
func TestAcceptThatCannotBeEncoded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &handler{}
		h.connect = func(context.Context) error { return h.conn.Accept("unknown", nil) }
		p := serve(t, h, lines{})
		p.want("err 500 Internal Server Error")
		p.wantEnd()
	})
}

func TestHandshakeTimeout(t *testing.T) {
	cases := map[string]func(h *handler){
		"no answer": func(h *handler) { h.connect = func(context.Context) error { return nil } },
		"Open is stuck": func(h *handler) {
			h.open = func(ctx context.Context) error { <-ctx.Done(); return context.Cause(ctx) }
		},
		"Connect is stuck": func(h *handler) {
			h.connect = func(ctx context.Context) error { <-ctx.Done(); return nil }
		},
		"Connect sleeps on": func(h *handler) {
			h.connect = func(context.Context) error { time.Sleep(time.Hour); return nil }
		},
	}
	for name, edit := range cases {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := &handler{}
				edit(h)
				start := time.Now()
				p := serve(t, h, lines{}, func(cfg *engine.Config) { cfg.HandshakeTimeout = 7 * time.Second })
				p.want("err 503 Service Unavailable")
				p.wantEnd()
				if d := time.Since(start); late(d, 7*time.Second) {
					t.Fatalf("refused after %v, want 7s", d)
				}
				_ = p.Close()
				<-p.served
				if name != "Open is stuck" { // it returned no handler
					h.wantDisconnect(t, protocol.CloseAbnormal, protocol.ErrHandshakeTimeout)
				}
			})
		})
	}
}

// A response hook of the refusal that blocks does not keep the connection.
func TestHandshakeTimeoutWithAStuckHook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &handler{connect: func(context.Context) error { return nil }}
		app := protocol.ApplicationFunc(func(ctx context.Context, scope *protocol.Scope, conn *protocol.Conn) (protocol.Handler, error) {
			err := scope.OnResponse(func(ctx context.Context, _ *protocol.Head) error {
				<-ctx.Done()
				return context.Cause(ctx)
			})
			if err != nil {
				return nil, err
			}
			return h.Open(ctx, scope, conn)
		})
		start := time.Now()
		p := serve(t, app, lines{}, func(cfg *engine.Config) { cfg.HandshakeTimeout = 7 * time.Second })
		<-p.served
		if d := time.Since(start); late(d, 12*time.Second) {
			t.Fatalf("over after %v, want 7s and 5s", d)
		}
		h.wantDisconnect(t, protocol.CloseAbnormal, protocol.ErrHandshakeTimeout)
	})
}

// The server closes: it waits for the peer's Close, or not, as the protocol has it.
func TestCloseFromHere(t *testing.T) {
	run := func(answers bool, f func(p *peer, h *handler)) func(*testing.T) {
		return func(t *testing.T) {
			t.Helper()
			synctest.Test(t, func(t *testing.T) {
				h := &handler{}
				p := serve(t, h, lines{answers: answers})
				p.want("ok")
				synctest.Wait()
				_ = h.conn.Close(4002, "go")
				p.want("close 4002 go")
				f(p, h)
			})
		}
	}
	t.Run("not answered", run(false, func(p *peer, h *handler) {
		p.wantEnd()
		_ = p.Close()
		<-p.served
		h.wantDisconnect(p.t, 4002, nil)
	}))
	t.Run("answered", run(true, func(p *peer, h *handler) {
		p.send("late\n")
		synctest.Wait()
		if strings.Contains(h.noted(), "disconnect") {
			p.t.Fatal("the connection ended before the peer answered")
		}
		p.send("quit\n")
		p.wantEnd()
		_ = p.Close()
		<-p.served
		h.wantDisconnect(p.t, 4002, nil)
		if strings.Contains(h.noted(), "message") {
			p.t.Fatal("a message was delivered after the close")
		}
	}))
	t.Run("answer too late", run(true, func(p *peer, h *handler) {
		start := time.Now()
		p.wantEnd()
		<-p.served
		if d := time.Since(start); late(d, 5*time.Second) {
			p.t.Fatalf("closed after %v, want 5s", d)
		}
		h.wantDisconnect(p.t, 4002, nil)
	}))
}

// A peer that reads nothing is closed as slow, and the handler never waits for it.
func TestSlowPeer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &handler{}
		p := serve(t, h, lines{}, func(cfg *engine.Config) { cfg.MaxQueued = 1000 })
		p.want("ok")
		synctest.Wait()
		var err error
		for range 20 {
			if err = h.conn.SendText(strings.Repeat("x", 100)); err != nil {
				break
			}
			synctest.Wait()
		}
		if !errors.Is(err, protocol.ErrSlow) {
			t.Fatalf("Send = %v, want ErrSlow", err)
		}
		<-p.served
		h.wantDisconnect(t, protocol.CloseTryAgainLater, protocol.ErrSlow)
		if !p.seen.has("drop") {
			t.Error("the dropped message was not reported")
		}
	})
}

// A connection that can lose messages loses the newest or the oldest of those that
// wait, and goes on.
func TestOverflow(t *testing.T) {
	for name, c := range map[string]struct {
		overflow protocol.Overflow
		want     []string // of "0" to "19", each with 100 bytes; "0" is being written
	}{
		"newest": {protocol.DropNewest, []string{"0", "1", "2", "3", "4", "5", "6", "7", "8"}},
		"oldest": {protocol.DropOldest, []string{"0", "12", "13", "14", "15", "16", "17", "18", "19"}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := &handler{}
				app := protocol.OnOverflow(c.overflow)(h)
				p := serve(t, app, lines{}, func(cfg *engine.Config) { cfg.MaxQueued = 1000 })
				p.want("ok")
				synctest.Wait()
				pad := strings.Repeat("x", 100)
				for i := range 20 {
					if err := h.conn.SendText(strconv.Itoa(i) + pad); err != nil {
						t.Fatal(err)
					}
					synctest.Wait()
				}
				for _, want := range c.want {
					p.want(want + pad)
				}
				_ = h.conn.SendText("then")
				p.want("then")
				if !p.seen.has("drop") {
					t.Error("the dropped messages were not reported")
				}
			})
		})
	}
}

func TestWriteTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &handler{}
		p := serve(t, h, lines{})
		p.want("ok")
		synctest.Wait()
		start := time.Now()
		_ = h.conn.SendText("never read")
		<-p.served
		if d := time.Since(start); late(d, 30*time.Second) {
			t.Fatalf("closed after %v, want 30s", d)
		}
		h.wantDisconnect(t, protocol.CloseTryAgainLater, protocol.ErrSlow)
		if !p.seen.has("drop") {
			t.Error("that something was lost was not reported")
		}
	})
}

// A handler that outlives its deadline is reported with its stack, and its
// Disconnect comes when it has returned.
func TestStuckHandler(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stack := make(chan string, 1)
		h := &handler{}
		h.message = func(context.Context, string) error {
			time.Sleep(time.Hour)
			h.note("returned")
			return nil
		}
		p := serve(t, h, lines{}, func(cfg *engine.Config) {
			cfg.OnStuck = func(_ *protocol.Conn, s []byte) { stack <- string(s) }
		})
		p.want("ok")
		p.send("x\n")
		synctest.Wait()
		p.engine.Cancel(protocol.ErrShutdown)
		start := time.Now()
		if s := <-stack; !strings.Contains(s, "TestStuckHandler") {
			t.Fatalf("stack = %q; want the handler's", s)
		}
		if d := time.Since(start); late(d, 10*time.Second) {
			t.Fatalf("reported after %v, want 10s", d)
		}
		<-p.served
		if got := h.noted(); got != "connect,message,returned,disconnect" {
			t.Fatalf("events = %s", got)
		}
		h.wantDisconnect(t, protocol.CloseGoingAway, protocol.ErrShutdown)
	})
}

// A handler that runs when the engine drains can still send, for a while.
func TestDrain(t *testing.T) {
	for name, c := range map[string]struct {
		busy time.Duration
		want []string
	}{
		"in time":  {4 * time.Second, []string{"last words", "timer posted", "close 1001 server shutting down"}},
		"too long": {8 * time.Second, []string{"close 1001 server shutting down"}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := &handler{}
				h.message = func(context.Context, string) error {
					_ = h.conn.Post(&protocol.Timer{Name: "posted"})
					time.Sleep(c.busy)
					h.note("finished")
					_ = h.conn.SendText("last words")
					return nil
				}
				p := serve(t, h, lines{})
				p.want("ok")
				p.send("x\n")
				synctest.Wait()
				start := time.Now()
				p.engine.Drain(5 * time.Second)
				p.want(c.want...)
				if d := time.Since(start); d > 5*time.Second+2*time.Millisecond {
					t.Errorf("the peer was told after %v", d)
				}
				<-p.served
				if got := h.noted(); !strings.HasPrefix(got, "connect,message,finished,") {
					t.Fatalf("events = %s", got)
				}
				h.wantDisconnect(t, protocol.CloseGoingAway, protocol.ErrShutdown)
			})
		})
	}
}
