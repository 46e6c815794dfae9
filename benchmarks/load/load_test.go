//go:build linux

package load_test

import (
	"bytes"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"github.com/portico-go/portico/benchmarks/load"
	"github.com/portico-go/portico/benchmarks/peers/members"
)

// A server speaks WebSocket, and does with each message what handle says.
type server struct {
	handle   func(s *server, conn net.Conn, payload []byte)
	room     members.Set[net.Conn]
	open     atomic.Int64
	accepted atomic.Int64
	messages atomic.Int64
}

func echo(_ *server, conn net.Conn, payload []byte) {
	_ = ws.WriteFrame(conn, ws.NewTextFrame(payload))
}

func broadcast(s *server, _ net.Conn, payload []byte) {
	frame := ws.MustCompileFrame(ws.NewTextFrame(payload))
	s.room.Each(func(c net.Conn) { _, _ = c.Write(frame) })
}

// start runs the server, and returns a job for it.
func (s *server) start(t *testing.T) load.Job {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ln.Close() })
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			go s.serve(conn)
		}
	}()
	return job(ln.Addr().String())
}

func job(addr string) load.Job {
	j := load.Job{
		Addr: netip.MustParseAddrPort(addr), PID: os.Getpid(), Conns: 4,
		Duration: 50 * time.Millisecond, Handshake: load.Upgrade(addr, "/ws", ""),
	}
	j.Request, j.Answer = load.Text(128)
	return j
}

func (s *server) serve(conn net.Conn) {
	s.open.Add(1)
	defer s.open.Add(-1)
	defer conn.Close()
	if _, err := ws.Upgrade(conn); err != nil {
		return
	}
	s.accepted.Add(1)
	s.room.Add(conn)
	defer s.room.Remove(conn)
	for {
		frame, err := readFrame(conn)
		if err != nil || frame.Header.OpCode == ws.OpClose {
			return
		}
		if frame.Header.OpCode == ws.OpText {
			s.messages.Add(1)
			s.handle(s, conn, frame.Payload)
		}
	}
}

func TestRunEchoes(t *testing.T) {
	t.Parallel()
	s := &server{handle: echo}
	j := s.start(t)
	j.Depth, j.Warmup = 3, 10*time.Millisecond
	report, err := load.Run(j)
	if err != nil {
		t.Fatal(err)
	}
	if got := int(s.messages.Load()); report.Ops == 0 || report.Ops > got {
		t.Errorf("%d answers to the server's %d messages", report.Ops, got)
	}
	if report.Seconds < 0.05 || report.CPU <= 0 || report.P50 <= 0 || report.P99 < report.P50 || report.LoadCore <= 0 {
		t.Errorf("got %+v", report)
	}
}

func TestRunGets(t *testing.T) {
	t.Parallel()
	var requests atomic.Int64
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		_, _ = io.WriteString(w, "hello, "+r.Header.Get("Cookie"))
	}))
	t.Cleanup(web.Close)
	j := job(web.Listener.Addr().String())
	j.Handshake, j.Answer, j.Request = nil, nil, load.Get(j.Addr.String(), "/", "user=alice")
	report, err := load.Run(j)
	if err != nil {
		t.Fatal(err)
	}
	if got := int(requests.Load()); report.Ops == 0 || report.Ops > got {
		t.Errorf("%d answers to the server's %d requests", report.Ops, got)
	}
}

func TestRunBesideStalledConnections(t *testing.T) {
	t.Parallel()
	var most atomic.Int64
	s := &server{handle: func(s *server, conn net.Conn, payload []byte) {
		most.Store(max(most.Load(), s.open.Load()))
		echo(s, conn, payload)
	}}
	j := s.start(t)
	j.Stalled = 50
	if _, err := load.Run(j); err != nil {
		t.Fatal(err)
	}
	if most.Load() != 54 {
		t.Errorf("%d connections at the same time, want 50 and 4", most.Load())
	}
}

// A server cannot be fast by being wrong.
func TestWrongServersAreFoundOut(t *testing.T) {
	t.Parallel()
	other := func(_ *server, conn net.Conn, payload []byte) {
		_ = ws.WriteFrame(conn, ws.NewTextFrame(bytes.ToUpper(payload)))
	}
	for _, c := range []struct {
		name string
		run  func(load.Job) (load.Report, error)
		does func(*server, net.Conn, []byte)
		want string
	}{
		{"another echo", load.Run, other, "the first answer is"},
		{"no echo", load.Run, func(*server, net.Conn, []byte) {}, "has had no answer"},
		{"closes", load.Run, func(_ *server, c net.Conn, _ []byte) { _ = c.Close() }, "closed a connection"},
		{"two echoes", load.Run, func(s *server, c net.Conn, p []byte) { echo(s, c, p); echo(s, c, p) }, "differ in length"},
		{"another echo, coming and going", load.Connect, other, "the echo is"},
		{"closes, coming and going", load.Connect, func(_ *server, c net.Conn, _ []byte) { _ = c.Close() }, "had not said goodbye"},
		{"another echo, idle", idle, other, "the echo is"},
		{"no echo, idle", idle, func(*server, net.Conn, []byte) {}, "nothing was echoed"},
		{"two deliveries", load.Fanout, func(s *server, c net.Conn, p []byte) { broadcast(s, c, p); echo(s, c, p) }, "more than the message"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			j := (&server{handle: c.does}).start(t)
			if _, err := c.run(j); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got the error %v, want one with %q", err, c.want)
			}
		})
	}
}

func TestRefusedHandshake(t *testing.T) {
	t.Parallel()
	web := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(web.Close)
	j := job(web.Listener.Addr().String())
	for name, run := range map[string]func(load.Job) (load.Report, error){"run": load.Run, "connect": load.Connect, "fan-out": load.Fanout} {
		if _, err := run(j); err == nil || !strings.Contains(err.Error(), "404 Not Found") {
			t.Errorf("%s: got the error %v, want one that says 404", name, err)
		}
	}
}

func TestConnectComesAndGoes(t *testing.T) {
	t.Parallel()
	s := &server{handle: echo}
	report, err := load.Connect(s.start(t))
	if err != nil {
		t.Fatal(err)
	}
	accepted, echoed := int(s.accepted.Load()), int(s.messages.Load())
	if report.Ops == 0 || report.Ops > accepted || report.Ops > echoed || accepted > report.Ops+8 {
		t.Errorf("%d cycles, but %d connections and %d messages", report.Ops, accepted, echoed)
	}
}

func TestConnectWithoutAnEcho(t *testing.T) {
	t.Parallel()
	s := &server{handle: echo}
	j := s.start(t)
	j.Request, j.Answer = nil, nil
	report, err := load.Connect(j)
	if err != nil {
		t.Fatal(err)
	}
	if report.Ops == 0 || s.messages.Load() != 0 {
		t.Errorf("%d cycles with %d messages, want none", report.Ops, s.messages.Load())
	}
}

func TestFanoutCountsDeliveries(t *testing.T) {
	t.Parallel()
	s := &server{handle: broadcast}
	report, err := load.Fanout(s.start(t))
	if err != nil {
		t.Fatal(err)
	}
	if most := 4 * int(s.messages.Load()); report.Ops == 0 || report.Ops%4 != 0 || report.Ops > most {
		t.Errorf("%d deliveries of at most %d", report.Ops, most)
	}
}

// Span is the time that the server took, whenever the members read.
func TestFanoutSpanIsTheServersTime(t *testing.T) {
	t.Parallel()
	const pause = 3 * time.Millisecond
	s := &server{handle: func(s *server, _ net.Conn, payload []byte) {
		frame := ws.MustCompileFrame(ws.NewTextFrame(payload))
		s.room.Each(func(c net.Conn) {
			_, _ = c.Write(frame)
			for until := time.Now().Add(pause); time.Now().Before(until); {
			}
		})
	}}
	report, err := load.FanoutSpan(s.start(t))
	if err != nil {
		t.Fatal(err)
	}
	if least := 3 * pause.Seconds() * 1000; report.Span < least || report.Span > 100*least {
		t.Errorf("3 pauses of %s take %.3f ms", pause, report.Span)
	}
}

func idle(j load.Job) (load.Report, error) { return load.Idle(j, "") }

func TestIdleAnswersPings(t *testing.T) {
	t.Parallel()
	pongs := make(chan string, 1)
	s := &server{handle: echo}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ln.Close() })
	go func() {
		conn, err := ln.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		if _, err := ws.Upgrade(conn); err != nil {
			return
		}
		for {
			frame, err := readFrame(conn)
			if err != nil {
				return
			}
			payload := frame.Payload
			if frame.Header.OpCode == ws.OpPong {
				pongs <- string(payload)
				continue
			}
			// A ping and the echo in three pieces, none of which ends with a frame.
			stream := append(ws.MustCompileFrame(ws.NewPingFrame([]byte("there?"))), ws.MustCompileFrame(ws.NewTextFrame(payload))...)
			for _, piece := range [][]byte{stream[:3], stream[3:20], stream[20:]} {
				_, _ = conn.Write(piece)
			}
			s.messages.Add(1)
		}
	}()
	j := job(ln.Addr().String())
	j.Conns, j.Duration = 1, 100*time.Millisecond
	report, err := load.Idle(j, "")
	if err != nil {
		t.Fatal(err)
	}
	if report.Ops != int(s.messages.Load()) || report.Threads == 0 {
		t.Errorf("got %+v, want %d echoes", report, s.messages.Load())
	}
	if pong := <-pongs; pong != "there?" {
		t.Errorf("the ping was answered with %q", pong)
	}
}
