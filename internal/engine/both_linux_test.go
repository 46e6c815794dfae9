package engine_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/portico-go/portico/internal/engine"
	"github.com/portico-go/portico/protocol"
)

// A socketPeer is the client's end of a connection that has a real socket.
type socketPeer struct {
	*net.TCPConn
	t    *testing.T
	r    *bufio.Reader
	e    *engine.Engine
	over chan struct{}
}

// eachWay runs a test over a real socket, polled and portable. How turns, order and
// ends are in time is tested in virtual time, with connections in memory.
func eachWay(t *testing.T, cfg engine.Config, codec protocol.Codec, h func() *handler, test func(p *socketPeer, h *handler)) {
	t.Helper()
	for _, name := range []string{"polled", "portable"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg, over := cfg, make(chan struct{})
			cfg.Settings = &protocol.Settings{}
			cfg.Over = func(*protocol.Conn) { close(over) }
			if name == "polled" {
				cfg.Poller = newPoller(t)
			}
			client, server := tcp(t)
			_ = client.SetDeadline(time.Now().Add(20 * time.Second))
			p := &socketPeer{TCPConn: client, t: t, r: bufio.NewReader(client), e: engine.New(cfg), over: over}
			app := h()
			go p.e.Serve(t.Context(), engine.Incoming{
				Conn:     server,
				Socket:   server,
				Leftover: []byte("early\nbi"),
				Request:  &protocol.Request{Protocol: "lines", Target: "/"},
				Codec:    codec,
			}, app)
			test(p, app)
			_ = client.Close()
			<-over
			if n := p.e.Len(); n != 0 {
				t.Errorf("%d streams are left", n)
			}
		})
	}
}

func (p *socketPeer) send(text string) {
	p.t.Helper()
	if _, err := io.WriteString(p, text); err != nil {
		p.t.Fatal(err)
	}
}

func (p *socketPeer) want(lines ...string) {
	p.t.Helper()
	for _, want := range lines {
		if got, err := p.r.ReadString('\n'); err != nil || got != want+"\n" {
			p.t.Fatalf("read %.100q, %v; want %.100q", got, err, want)
		}
	}
}

func (p *socketPeer) wantEnd() {
	p.t.Helper()
	if got, err := p.r.ReadString('\n'); !errors.Is(err, io.EOF) || got != "" {
		p.t.Fatalf("read %q, %v; want the end", got, err)
	}
}

func TestSocketEcho(t *testing.T) {
	t.Parallel()
	eachWay(t, engine.Config{}, lines{}, func() *handler { return &handler{} }, func(p *socketPeer, h *handler) {
		p.want("ok", "early")
		p.send("rd\none\ntw")
		p.want("bird", "one")
		p.send("o\nping x\nquit bye\nignored\n")
		p.want("two", "pong x", "close 1000 ")
		p.wantEnd()
		_ = p.Close()
		<-p.over
		h.wantDisconnect(p.t, protocol.CloseNormal, nil)
	})
}

// What takes many reads and many writes, more than the kernel holds, comes whole
// and in order.
func TestSocketLarge(t *testing.T) {
	t.Parallel()
	cfg := engine.Config{MaxPending: 32 << 20, MaxQueued: 64 << 20}
	eachWay(t, cfg, lines{}, func() *handler { return &handler{} }, func(p *socketPeer, _ *handler) {
		p.want("ok", "early")
		p.send("rd\n")
		p.want("bird")
		var large []string
		for _, c := range []string{"a", "b", "c", "d", "e", "f"} {
			large = append(large, strings.Repeat(c, 3<<20))
		}
		p.send(strings.Join(large, "\n") + "\n") // nobody reads the answers meanwhile
		p.want(large...)
	})
}

func TestSocketHalfClose(t *testing.T) {
	t.Parallel()
	eachWay(t, engine.Config{}, lines{}, func() *handler { return &handler{} }, func(p *socketPeer, h *handler) {
		p.send("rd\na\nb\nunfinished")
		if err := p.CloseWrite(); err != nil {
			p.t.Fatal(err)
		}
		p.want("ok", "early", "bird", "a", "b")
		p.wantEnd()
		<-p.over
		h.wantDisconnect(p.t, protocol.CloseNoStatus, io.EOF)
	})
}

// What the handler sends before it blocks arrives, and others that send meanwhile
// do not wait for it either.
func TestSocketSendThenBlock(t *testing.T) {
	t.Parallel()
	blocked := func() *handler {
		h := &handler{}
		h.message = func(_ context.Context, text string) error {
			_ = h.conn.SendText("now " + text)
			if text == "early" {
				released := make(chan struct{})
				go func() { // somebody else
					defer close(released)
					<-time.After(50 * time.Millisecond)
					_ = h.conn.SendText("from elsewhere")
					<-time.After(50 * time.Millisecond)
				}()
				<-released
				_ = h.conn.SendText("later")
			}
			return nil
		}
		return h
	}
	eachWay(t, engine.Config{}, lines{}, blocked, func(p *socketPeer, _ *handler) {
		p.want("ok", "now early", "from elsewhere", "later")
		p.send("rd\n")
		p.want("now bird")
	})
}

// A peer that is silent is asked for a sign of life, and closed if it gives none.
func TestSocketSilence(t *testing.T) {
	t.Parallel()
	cfg := engine.Config{PingInterval: 100 * time.Millisecond, PongTimeout: 100 * time.Millisecond}
	eachWay(t, cfg, answering{}, func() *handler { return &handler{} }, func(p *socketPeer, h *handler) {
		p.want("ok", "early")
		for range 3 {
			p.want("ping")
			p.send("\n") // any sign of life
			line, err := p.r.ReadString('\n')
			if err != nil || line != "\n" && line != "bi\n" {
				p.t.Fatalf("read %q, %v", line, err)
			}
		}
		p.want("ping")
		<-p.over
		h.wantDisconnect(p.t, protocol.CloseAbnormal, protocol.ErrReset)
	})
}

// Who answers pings and says nothing else is there, and idle. The handler sees nothing of it.
func TestSocketIdleButThere(t *testing.T) {
	t.Parallel()
	cfg := engine.Config{PingInterval: 100 * time.Millisecond, PongTimeout: time.Minute, IdleTimeout: 400 * time.Millisecond}
	eachWay(t, cfg, answering{}, func() *handler { return &handler{} }, func(p *socketPeer, h *handler) {
		p.want("ok", "early")
		p.send("rd\n") // what eachWay has begun
		p.want("bird", "ping")
		for line := "ping\n"; line != "close 1001 idle\n"; {
			if line != "ping\n" {
				p.t.Fatalf("read %q", line)
			}
			p.send("pong\n")
			var err error
			if line, err = p.r.ReadString('\n'); err != nil {
				p.t.Fatal(err)
			}
		}
		if seen := h.noted(); strings.Contains(seen, "pong") {
			p.t.Errorf("the handler saw %s", seen)
		}
		_ = p.Close()
		<-p.over
		h.wantDisconnect(p.t, protocol.CloseGoingAway, nil)
	})
}

// answering are lines whose peers answer pings.
type answering struct{ lines }

func (answering) AnswersPing() bool { return true }

func (c answering) Append(dst []byte, ev protocol.Event) ([]byte, error) {
	if _, ok := ev.(*protocol.Ping); ok {
		return append(dst, "ping\n"...), nil
	}
	return c.lines.Append(dst, ev)
}

func TestSocketIdleAndLifetime(t *testing.T) {
	t.Parallel()
	for name, cfg := range map[string]engine.Config{
		"idle":                      {IdleTimeout: 100 * time.Millisecond},
		"the connection is too old": {Lifetime: 100 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			eachWay(t, cfg, lines{}, func() *handler { return &handler{} }, func(p *socketPeer, h *handler) {
				p.want("ok", "early", "close 1001 "+name)
				p.wantEnd()
				_ = p.Close()
				<-p.over
				h.wantDisconnect(p.t, protocol.CloseGoingAway, nil)
			})
		})
	}
}
