package engine_test

import (
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/portico-go/portico/internal/engine"
	"github.com/portico-go/portico/protocol"
)

// A guest hands its turns to a test.
type guest struct {
	conn  *engine.Conn
	turns chan bool // whether each is late
	hung  chan struct{}
	turn  func(g *guest) // runs in each; nil is nothing
}

func (g *guest) Turn(late bool) bool {
	if g.turn != nil {
		g.turn(g)
	}
	g.turns <- late
	return false
}

func (g *guest) HungUp() { close(g.hung) }

// visit returns both ends of a connection that was accepted for a guest.
func visit(t *testing.T, turn func(*guest)) (*guest, *net.TCPConn) {
	t.Helper()
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return visitAt(t, inner, turn)
}

// visitAt is visit at a listener of the test's.
func visitAt(t *testing.T, inner net.Listener, turn func(*guest)) (*guest, *net.TCPConn) {
	t.Helper()
	e := engine.New(engine.Config{Settings: &protocol.Settings{}, Poller: newPoller(t)})
	ln, err := e.Listen(inner)
	if err != nil {
		t.Fatal(err)
	}
	client, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	accepted, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	conn, ok := accepted.(*engine.Conn)
	if !ok {
		t.Fatalf("accepted a %T, want a *engine.Conn", accepted)
	}
	if conn.RemoteAddr().String() != client.LocalAddr().String() || conn.LocalAddr().String() != client.RemoteAddr().String() {
		t.Errorf("%v to %v, but the client says %v to %v", conn.RemoteAddr(), conn.LocalAddr(), client.LocalAddr(), client.RemoteAddr())
	}
	t.Cleanup(func() { _, _, _ = client.Close(), conn.Close(), ln.Close() }) // mostly a second time
	g := &guest{conn: conn, turns: make(chan bool, 10), hung: make(chan struct{}), turn: turn}
	if err := conn.Start(g, time.Now(), time.Hour); err != nil {
		t.Fatal(err)
	}
	tcp, _ := client.(*net.TCPConn)
	return g, tcp
}

// What came is there without waiting, up to the end; a buffer grows as far as it may.
func TestConnFill(t *testing.T) {
	t.Parallel()
	const most = 10_000
	type end struct {
		read string
		err  error
	}
	ended := make(chan end, 10)
	var read strings.Builder
	_, client := visit(t, func(g *guest) {
		for full := true; full; {
			var buf []byte
			var err error
			buf, full, err = g.conn.Fill(nil, most)
			if len(buf) > most {
				t.Errorf("%d bytes, at most %d may be read", len(buf), most)
			}
			read.Write(buf)
			g.conn.Free(buf)
			if err != nil {
				ended <- end{read.String(), err}
			}
		}
	})
	text := strings.Repeat("0123456789", 2500)
	go func() {
		_, _ = io.WriteString(client, text)
		_ = client.CloseWrite()
	}()
	if got := <-ended; !errors.Is(got.err, io.EOF) || got.read != text {
		t.Errorf("%d bytes came, then %v; want %d, then io.EOF", len(got.read), got.err, len(text))
	}
}

// A guest that parks gets a late turn in time, unless it parks once more; and one when
// its connection is closed.
func TestConnParks(t *testing.T) {
	t.Parallel()
	g, _ := visit(t, nil)
	g.conn.Park(time.Now(), time.Millisecond)
	if late := <-g.turns; !late {
		t.Error("the turn is not late")
	}
	g.conn.Park(time.Now(), time.Hour)
	g.conn.Hurry()
	if late := <-g.turns; !late {
		t.Error("the turn that was hurried is not late")
	}
	g.conn.Park(time.Now(), time.Hour)
	_ = g.conn.Close()
	if late := <-g.turns; late {
		t.Error("the turn behind Close is late")
	}
	if _, _, err := g.conn.Fill(nil, 10); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Fill = %v, want net.ErrClosed", err)
	}
	if err := g.conn.Start(g, time.Now(), time.Hour); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Start = %v, want net.ErrClosed: the descriptor may be another socket's", err)
	}
}

// In a turn the socket can be used as any net.Conn, and a reset is told meanwhile.
func TestConnWaits(t *testing.T) {
	t.Parallel()
	done := make(chan error, 1)
	g, client := visit(t, func(g *guest) {
		buf, _, _ := g.conn.Fill(nil, 1)
		if string(buf) != "a" {
			return
		}
		_ = g.conn.SetReadDeadline(time.Now().Add(time.Millisecond))
		_, late := g.conn.Read(buf)
		_ = g.conn.SetReadDeadline(time.Time{})
		_, err := g.conn.Write(make([]byte, 16<<20)) // more than the kernel takes
		if err == nil {
			_, err = g.conn.Read(buf)
		}
		if !errors.Is(late, os.ErrDeadlineExceeded) || string(buf) != "b" {
			err = errors.Join(err, late, errors.New("read "+string(buf)))
		}
		done <- err
		<-g.hung
	})
	_, _ = io.WriteString(client, "a")
	if _, err := io.CopyN(io.Discard, client, 16<<20); err != nil {
		t.Fatal(err)
	}
	_, _ = io.WriteString(client, "b")
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	_ = client.SetLinger(0)
	_ = client.Close()
	<-g.turns
}

// What an accepted socket inherits is the engine's choice: its small writes leave at once,
// and its close does not wait, which would hold a core.
func TestConnOptions(t *testing.T) {
	t.Parallel()
	lingers := net.ListenConfig{Control: func(_, _ string, raw syscall.RawConn) error {
		var failed error
		err := raw.Control(func(fd uintptr) {
			failed = unix.SetsockoptLinger(int(fd), unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1, Linger: 5})
		})
		return errors.Join(err, failed)
	}}
	inner, err := lingers.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	g, _ := visitAt(t, inner, nil)
	for name, option := range map[string]struct{ level, name, want int }{
		"SO_LINGER":    {unix.SOL_SOCKET, unix.SO_LINGER, 0},
		"TCP_NODELAY":  {unix.IPPROTO_TCP, unix.TCP_NODELAY, 1},
		"SO_KEEPALIVE": {unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1},
		"TCP_KEEPIDLE": {unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, int(engine.KeepAlive().Idle / time.Second)},
	} {
		var got int
		var failed error
		err := g.conn.Control(func(fd uintptr) { got, failed = unix.GetsockoptInt(int(fd), option.level, option.name) })
		if err = errors.Join(err, failed); err != nil || got != option.want {
			t.Errorf("%s = %d, %v; want %d", name, got, err, option.want)
		}
	}
}
