//go:build unix

package main

import (
	"bufio"
	"errors"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// A program is the chat as its users run it.
type program struct {
	cmd      *exec.Cmd
	addr     string
	terminal string // the line that it offers for a terminal
}

// TestMain lets the tests' own binary be the program: with the race detector, if
// they have it.
func TestMain(m *testing.M) {
	if os.Getenv("RUN_AS_CHAT") != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// command returns the program, to be started.
func command(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	binary, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(binary, args...)
	cmd.Env = append(os.Environ(), "RUN_AS_CHAT=yes")
	return cmd
}

// start runs the chat on a port of its own.
func start(t *testing.T, args ...string) *program {
	t.Helper()
	p := &program{cmd: command(t, append([]string{"-addr", "127.0.0.1:0"}, args...)...)}
	p.cmd.Stderr = t.Output()
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.cmd.Process.Kill() })

	lines := bufio.NewScanner(out)
	for (p.addr == "" || p.terminal == "") && lines.Scan() {
		if _, url, ok := strings.Cut(lines.Text(), "http://"); ok {
			p.addr, _, _ = strings.Cut(url, "/")
		}
		if line, ok := strings.CutPrefix(lines.Text(), "In a terminal:"); ok {
			p.terminal = strings.TrimSpace(line)
		}
	}
	if p.addr == "" || p.terminal == "" {
		t.Fatalf("the program did not print its URL and a line for a terminal (%v)", lines.Err())
	}
	return p
}

// wait fails the test unless the program ends well and soon.
func (p *program) wait(t *testing.T) {
	t.Helper()
	ended := make(chan error, 1)
	go func() { ended <- p.cmd.Wait() }()
	select {
	case err := <-ended:
		if err != nil {
			t.Errorf("the program ended with %v, want status 0", err)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("the program did not end within 10 s")
	}
}

// Whoever runs the chat stops it with Ctrl-C or SIGTERM; everybody in it is told.
func TestStop(t *testing.T) {
	t.Parallel()
	for _, signal := range []os.Signal{os.Interrupt, syscall.SIGTERM} {
		t.Run(signal.String(), func(t *testing.T) {
			t.Parallel()
			p := start(t)
			alice := joinSocket(t, p.addr, "go", logIn(t, p.addr, "alice", "wonderland"))
			bob := joinTerminal(t, p.addr, "bob", "builder", "go")
			typing := openTerminal(t, p.addr, "/nick carol")
			tell(t, alice, "hi")
			bob.want("<alice> hi")
			wantJSON(t, alice, `{"room":"go","from":"alice","via":"websocket","text":"hi"}`)

			if err := p.cmd.Process.Signal(signal); err != nil {
				t.Fatal(err)
			}
			wantClose(t, alice, websocket.StatusGoingAway)
			if got, err := bob.lines.ReadString('\n'); !strings.HasPrefix(got, "/close 1001") {
				t.Errorf("the terminal read %q, %v; want /close 1001", got, err)
			}
			bob.wantEnd()
			if got, err := io.ReadAll(typing.conn); err != nil || !strings.HasPrefix(string(got), "/err 503") {
				t.Errorf("a terminal in its handshake read %q, %v; want /err 503", got, err)
			}
			p.wait(t)
		})
	}
}

// The line that the program prints is ready to paste.
func TestPrintedTerminalLine(t *testing.T) {
	t.Parallel()
	need(t, "nc", "netcat-openbsd")
	p := start(t)
	alice := joinSocket(t, p.addr, "go", logIn(t, p.addr, "alice", "wonderland"))
	shell := exec.CommandContext(t.Context(), "sh", "-c", p.terminal)
	shell.Stdin = strings.NewReader("hi from a terminal\n")
	screen, err := shell.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := shell.Start(); err != nil {
		t.Fatal(err)
	}
	wantJSON(t, alice, `{"room":"go","from":"bob","via":"chat","text":"hi from a terminal"}`)
	lines := bufio.NewReader(screen)
	for _, want := range []string{"/ok\n", "<bob> hi from a terminal\n"} {
		if got, err := lines.ReadString('\n'); got != want {
			t.Fatalf("the terminal read %q, %v; want %q", got, err, want)
		}
	}
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	wantClose(t, alice, websocket.StatusGoingAway)
	if got, err := io.ReadAll(lines); err != nil || !strings.HasPrefix(string(got), "/close 1001") {
		t.Errorf("the terminal read %q, %v; want /close 1001", got, err)
	}
	if err := shell.Wait(); err != nil {
		t.Error(err)
	}
	p.wait(t)
}

// An address that is taken is an error that says so.
func TestAddressInUse(t *testing.T) {
	t.Parallel()
	p := start(t)
	out, err := command(t, "-addr", p.addr).CombinedOutput()
	if exit, ok := errors.AsType[*exec.ExitError](err); !ok || exit.ExitCode() != 1 || !strings.Contains(string(out), p.addr) {
		t.Errorf("a second program on %s ended with %v and said %q; want status 1 and the address", p.addr, err, out)
	}
}
