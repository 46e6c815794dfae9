//go:build unix

package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"os/exec"
	"strings"
	"testing"
)

// A redisServer is a server of a test's own, which keeps on disk what it acknowledges.
type redisServer struct {
	t    *testing.T
	url  string
	args []string
	cmd  *exec.Cmd
}

// launchRedis starts a server.
func launchRedis(t *testing.T) *redisServer {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := fmt.Sprint(ln.Addr().(*net.TCPAddr).Port)
	ln.Close()
	s := &redisServer{t: t, url: "redis://127.0.0.1:" + port}
	s.args = []string{"--bind", "127.0.0.1", "--port", port, "--dir", t.TempDir(), "--save", "", "--appendonly", "yes", "--appendfsync", "always"}
	s.start()
	t.Cleanup(s.kill)
	return s
}

// start runs the server, and returns when it accepts connections.
func (s *redisServer) start() {
	s.t.Helper()
	program, err := exec.LookPath("redis-server")
	if err != nil {
		s.t.Fatalf("this test needs redis-server: sudo apt-get install redis-server, or the like (%v)", err)
	}
	s.cmd = exec.Command(program, s.args...)
	out, err := s.cmd.StdoutPipe()
	if err = errors.Join(err, s.cmd.Start()); err != nil {
		s.t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if strings.Contains(lines.Text(), "Ready to accept connections") {
			go func() { _, _ = io.Copy(io.Discard, out) }() // until it ends
			return
		}
	}
	s.t.Fatal("redis-server ended at once")
}

// kill is kill -9.
func (s *redisServer) kill() {
	_ = s.cmd.Process.Kill()
	_ = s.cmd.Wait()
}
