package server_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/portico-go/portico/server"
)

// roles are what a process of the tests can be. They return the exit status.
var roles = map[string]func() int{
	"stalled clients":             stalledClients,
	"server with few descriptors": poorServer,
}

// stalledClients opens WebSockets and stops in the middle of a frame on each.
func stalledClients() int {
	addr := args()[0]
	n, _ := strconv.Atoi(args()[1])
	conns := make([]net.Conn, n)
	for i := range conns {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		conns[i] = c
		_, _ = io.WriteString(c, upgradeRequest("/"))
		answer := make([]byte, 512)
		if n, err := c.Read(answer); err != nil || !strings.HasPrefix(string(answer[:n]), "HTTP/1.1 101 ") {
			fmt.Fprintf(os.Stderr, "%q, %v\n", answer[:n], err)
			return 1
		}
		_, _ = c.Write([]byte{0x82, 0x80 | 100, 1, 2, 3, 4, 'x'}) // 1 byte of 100
	}
	fmt.Println("stalled")
	_, _ = io.Copy(io.Discard, os.Stdin)
	for _, c := range conns {
		_ = c.Close()
	}
	return 0
}

// Connections that stall in the middle of a frame hold no goroutine.
func TestStalledFrames(t *testing.T) {
	if portable {
		return // there each has one, by design
	}
	n := 10_000
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	n = min(n, int(limit.Cur)-500)
	addr := start(t, all, server.Config{Limits: server.Limits{Connections: n + 100}})
	before := runtime.NumGoroutine()
	clients := play(t, "stalled clients", addr, strconv.Itoa(n))
	if got := clients.line(t); got != "stalled" {
		t.Fatal(got)
	}
	var goroutines int
	for end := time.Now().Add(patience); time.Now().Before(end); runtime.Gosched() {
		if goroutines = runtime.NumGoroutine() - before; goroutines < 20 {
			break
		}
	}
	t.Logf("%d stalled connections hold %d goroutines", n, goroutines)
	if goroutines >= 20 {
		t.Errorf("%d stalled connections hold %d goroutines, want none", n, goroutines)
	}
	c := dial(t, addr) // and others are served
	_, _ = io.WriteString(c, "/join /\nhello\n")
	wantLines(t, bufio.NewReader(c), "/ok", "hello")
}

// poorServer serves with few descriptors, until its input ends.
func poorServer() int {
	limit := syscall.Rlimit{Cur: 60, Max: 60}
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	fmt.Println(ln.Addr())
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		cancel()
	}()
	logger := zap.New(zapcore.NewCore(zapcore.NewConsoleEncoder(zap.NewProductionEncoderConfig()), os.Stderr, zap.WarnLevel))
	cfg := server.Config{Logger: logger, Limits: server.Limits{Connections: 10_000}, Portable: args()[0] == "true"}
	if err := server.New(all, cfg).Serve(ctx, server.Listener{Net: ln}); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// Without descriptors the server waits, says so once, refuses what it cannot take
// over, and goes on when there are some again.
func TestExhaustion(t *testing.T) {
	t.Parallel()
	srv := play(t, "server with few descriptors", strconv.FormatBool(portable))
	addr := srv.line(t)
	conns := make([]net.Conn, 100)
	for i := range conns {
		c := dial(t, addr)
		conns[i] = c
		_, _ = io.WriteString(c, "/join /\n")
	}
	served, refused := 0, 0
	for _, c := range conns {
		_ = c.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
		answer := make([]byte, 64)
		switch n, _ := c.Read(answer); {
		case strings.HasPrefix(string(answer[:n]), "/ok"):
			served++
		case strings.HasPrefix(string(answer[:n]), "/err 503"):
			refused++
		case n > 0:
			t.Errorf("read %q", answer[:n])
		}
	}
	for _, c := range conns {
		_ = c.Close()
	}
	for end := time.Now().Add(patience); ; {
		c := dial(t, addr)
		_, _ = io.WriteString(c, "/join /\n")
		line, _ := bufio.NewReader(c).ReadString('\n')
		_ = c.Close()
		if line == "/ok\n" {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("the server did not recover: %q", line)
		}
	}
	logs := strings.Count(srv.log.String(), "cannot accept")
	t.Logf("%d served, %d refused, logged %d times", served, refused, logs)
	if served+refused == 0 || served > 60 || logs > 1 {
		t.Errorf("%d served, %d refused, logged %d times", served, refused, logs)
	}
}
