//go:build unix

package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket/wsjson"
)

// Two processes form one chat, on a server between them. It is killed: both go on, each for its own people, who are told; and when it is
// back the room is one again.
func TestTwoProcesses(t *testing.T) {
	t.Parallel()
	for name, launch := range map[string]func(*testing.T) (string, func(), func()){"redis": launchRedis, "nats": launchNATS} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url, kill, restart := launch(t)
			one, two := start(t, "-layer", url), start(t, "-layer", url)
			browser := joinSocket(t, one.addr, "go", logIn(t, one.addr, "alice", "wonderland"))
			near := joinTerminal(t, one.addr, "carol", "singer", "go")
			far := joinTerminal(t, two.addr, "bob", "builder", "go")

			tell(t, browser, "hi")
			near.want("<alice> hi")
			far.want("<alice> hi")
			far.say("hello")
			far.want("<bob> hello")
			near.want("<bob> hello")
			wantJSON(t, browser,
				`{"room":"go","from":"alice","via":"websocket","text":"hi"}`,
				`{"room":"go","from":"bob","via":"chat","text":"hello"}`)

			kill()
			near.wantPrefix("* the other servers are out of reach")
			far.wantPrefix("* the other servers are out of reach")
			near.say("alone?")
			near.want("<carol> alone?")
			far.say("quite")
			far.want("<bob> quite")
			postMessage(t, one.addr, "by post")
			near.want("<alice> by post")

			restart()
			begin := time.Now()
			near.wantPrefix("* the other servers are back")
			far.wantPrefix("* the other servers are back")
			far.say("again")
			far.want("<bob> again")
			near.want("<bob> again")
			if took := time.Since(begin); took > 3*time.Second {
				t.Errorf("messages crossed %v after the server was back", took)
			}
			for _, want := range []string{"out of reach", "alone?", "by post", "are back", "again"} {
				var got struct{ Text, Notice string }
				if err := wsjson.Read(t.Context(), browser, &got); err != nil || !strings.Contains(got.Text+got.Notice, want) {
					t.Fatalf("the browser got %+v, %v; want %q", got, err, want)
				}
			}
		})
	}
}

// wantPrefix fails the test unless the next line begins so.
func (x *terminal) wantPrefix(want string) {
	x.t.Helper()
	if got, err := x.lines.ReadString('\n'); !strings.HasPrefix(got, want) {
		x.t.Fatalf("the terminal read %q, %v; want %q…", got, err, want)
	}
}

// postMessage says something as alice over HTTP.
func postMessage(t *testing.T, addr, text string) {
	t.Helper()
	answer, body := postForm(t, "http://"+addr+"/rooms/go/messages", map[string][]string{"text": {text}}, logIn(t, addr, "alice", "wonderland"))
	if answer.StatusCode != 202 {
		t.Errorf("POST: status %d, %q", answer.StatusCode, body)
	}
}

func freePort(t *testing.T) int {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().(*net.TCPAddr).Port
}

// launchRedis starts a Redis server, and returns its URL, kill -9 for it, and a way to start it again.
func launchRedis(t *testing.T) (url string, kill, restart func()) {
	t.Helper()
	program, port := need(t, "redis-server", "redis-server"), fmt.Sprint(freePort(t))
	kill, restart = launch(t, "Ready to accept connections", program, "--bind", "127.0.0.1", "--port", port, "--dir", t.TempDir(), "--save", "")
	return "redis://127.0.0.1:" + port, kill, restart
}

// launchNATS does the same with a NATS server.
func launchNATS(t *testing.T) (url string, kill, restart func()) {
	t.Helper()
	program, port := filepath.Join(t.TempDir(), "nats-server"), fmt.Sprint(freePort(t))
	if out, err := exec.Command("go", "build", "-o", program, "github.com/nats-io/nats-server/v2").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	kill, restart = launch(t, "Server is ready", program, "-a", "127.0.0.1", "-p", port)
	return "nats://127.0.0.1:" + port, kill, restart
}

// launch starts a server, waits until it says that it is ready, and returns kill -9 for it and a way to start it again.
func launch(t *testing.T, ready, program string, args ...string) (kill, restart func()) {
	t.Helper()
	var cmd *exec.Cmd
	run := func() {
		t.Helper()
		cmd = exec.Command(program, args...)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		cmd.Stderr = cmd.Stdout
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			if strings.Contains(lines.Text(), ready) {
				go func() { _, _ = io.Copy(io.Discard, out) }() // until it ends
				return
			}
		}
		t.Fatalf("%s ended at once", program)
	}
	kill = func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}
	run()
	t.Cleanup(func() { kill() })
	return kill, run
}

// A layer that is unknown is an error that says which there are.
func TestUnknownLayer(t *testing.T) {
	t.Parallel()
	out, err := command(t, "-addr", "127.0.0.1:0", "-layer", "kafka://localhost").CombinedOutput()
	if err == nil || !strings.Contains(string(out), "expected memory, redis://HOST:PORT or nats://HOST:PORT") {
		t.Errorf("the program ended with %v and said %q", err, out)
	}
}
