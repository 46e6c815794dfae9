package nats_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/portico-go/portico/channellayer"
	"github.com/portico-go/portico/channellayer/layertest"
	"github.com/portico-go/portico/channellayer/nats"
)

// A program is nats-server in a process of its own, which can be killed.
type program struct {
	t    testing.TB
	path string
	port string
	args []string
	cmd  *exec.Cmd
}

// launchProgram builds the server, at the version in go.mod, and starts it with more arguments.
func launchProgram(t testing.TB, args ...string) *program {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &program{t: t, path: filepath.Join(t.TempDir(), "nats-server"), port: fmt.Sprint(ln.Addr().(*net.TCPAddr).Port), args: args}
	ln.Close()
	if out, err := exec.Command("go", "build", "-o", p.path, "github.com/nats-io/nats-server/v2").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	p.start()
	t.Cleanup(p.kill)
	return p
}

func (p *program) url() string { return "nats://127.0.0.1:" + p.port }

// start runs the server, and returns when it accepts connections.
func (p *program) start() {
	p.t.Helper()
	p.cmd = exec.Command(p.path, append([]string{"-a", "127.0.0.1", "-p", p.port}, p.args...)...)
	out, err := p.cmd.StderrPipe()
	if err != nil {
		p.t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	var said []string
	for lines.Scan() {
		said = append(said, lines.Text())
		if strings.Contains(lines.Text(), "Server is ready") {
			go func() { _, _ = io.Copy(io.Discard, out) }() // until it ends
			return
		}
	}
	p.t.Fatalf("nats-server ended at once:\n%s", strings.Join(said, "\n"))
}

// kill is kill -9.
func (p *program) kill() {
	if p.cmd != nil {
		_ = p.cmd.Process.Kill()
		_ = p.cmd.Wait()
		p.cmd = nil
	}
}

// The whole contract again, with a server that does not end well but is killed.
func TestLayerThroughKills(t *testing.T) {
	t.Parallel()
	config := filepath.Join(t.TempDir(), "nats.conf")
	if err := os.WriteFile(config, []byte("max_payload: 8MB\nmax_pending: 64MB\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	p := launchProgram(t, "-c", config)
	layertest.Run(t, layertest.Backend{
		Broker:   func(t *testing.T) channellayer.Broker { return open(t, p.url()+"?prefix=kills.") },
		Stop:     func(*testing.T) { p.kill() },
		Start:    func(*testing.T) { p.start() },
		Patience: patience,
		Groups:   100_000,
	})
}

func open(t testing.TB, url string) *nats.Broker {
	t.Helper()
	b, err := nats.Open(url)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func hub(t testing.TB, url string) *channellayer.Hub {
	t.Helper()
	h, err := channellayer.New(channellayer.Config{Broker: open(t, url)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = h.Close() })
	return h
}

// The server is killed under a thousand messages a second. Nobody waits, the member in the sender's process misses nothing, the other gets what it gets once
// and in order, is told of the gap, and hears again within 3 s of the server's return.
func TestKillUnderLoad(t *testing.T) {
	t.Parallel()
	p := launchProgram(t)
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	defer cancel()
	from := hub(t, p.url())
	near, far := listen(t, ctx, from), listen(t, ctx, hub(t, p.url()))

	sending, stop := context.WithCancel(ctx)
	var all sync.WaitGroup
	defer all.Wait()
	defer stop()
	sent, slowest := 0, time.Duration(0)
	all.Go(func() {
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		for ; sending.Err() == nil; <-tick.C {
			begin := time.Now()
			if d, _ := from.GroupSend(ctx, "g", channellayer.Event{Type: "t", Value: sent}); d.Delivered != 1 {
				t.Errorf("message %d: %+v, expected the member here to have it", sent, d)
			}
			slowest = max(slowest, time.Since(begin))
			sent++
		}
	})
	far.until("message 200", func(n int, _ *channellayer.LayerEvent) bool { return n > 200 })
	p.kill()
	far.until("the news that the server has gone", func(_ int, ev *channellayer.LayerEvent) bool { return ev != nil && !ev.Up })
	p.start()
	begin := time.Now()
	far.until("the news that it is back", func(_ int, ev *channellayer.LayerEvent) bool { return ev != nil && ev.Up })
	far.until("a message", func(_ int, ev *channellayer.LayerEvent) bool { return ev == nil })
	took := time.Since(begin)
	if took > 3*time.Second {
		t.Errorf("messages crossed %v after the server was back", took)
	}
	stop()
	all.Wait()
	near.until("the last message", func(n int, _ *channellayer.LayerEvent) bool { return n == sent-1 })
	if near.count != sent || far.count >= sent {
		t.Errorf("the member here got %d of %d messages, and the other %d; expected all, and fewer", near.count, sent, far.count)
	}
	if slowest > 6*time.Second {
		t.Errorf("a send took %v", slowest)
	}
	t.Logf("%d messages, the slowest send took %v; messages crossed %v after the server was back", sent, slowest.Round(time.Millisecond), took.Round(time.Millisecond))
}

// A listener is a member that reads on, with room for what comes meanwhile.
type listener struct {
	t     *testing.T
	ctx   context.Context //nolint:containedctx // of its test, for all that it waits for
	heard chan *channellayer.Message
	last  int
	count int
}

func listen(t *testing.T, ctx context.Context, h *channellayer.Hub) *listener {
	t.Helper()
	sub, err := h.Subscribe(h.NewChannel("x"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := sub.Join(ctx, "g"); err != nil {
		t.Fatal(err)
	}
	l := &listener{t: t, ctx: ctx, heard: make(chan *channellayer.Message, 100_000), last: -1}
	go func() {
		for {
			m, err := sub.Receive(ctx)
			if err != nil {
				return
			}
			l.heard <- m
		}
	}()
	return l
}

// until takes messages, which must come in order and once, up to one that is looked for.
func (l *listener) until(what string, is func(number int, ev *channellayer.LayerEvent) bool) {
	l.t.Helper()
	for {
		select {
		case m := <-l.heard:
			ev, layer := m.Layer()
			if layer && is(-1, &ev) {
				return
			} else if layer {
				continue
			}
			n, err := channellayer.Value[int](m)
			if err != nil || n <= l.last {
				l.t.Fatalf("got %d after %d (%v)", n, l.last, err)
			}
			l.last = n
			l.count++
			if is(n, nil) {
				return
			}
		case <-l.ctx.Done():
			l.t.Fatalf("%s did not come", what)
		}
	}
}
