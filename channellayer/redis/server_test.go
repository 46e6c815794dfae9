package redis_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, // the client sleeps for seconds before it lets go of a Cluster's old servers
		goleak.IgnoreAnyFunction("github.com/redis/rueidis.(*clusterClient)._refresh.func2"),
		goleak.IgnoreAnyFunction("github.com/redis/rueidis.(*call).DelayDo.func1"))
}

// patience is how long a test waits for a server.
const patience = 30 * time.Second

// A server is a redis-server of its own, on a port and in a folder of its own.
type server struct {
	t      testing.TB
	addr   string
	config string // the path of its configuration, which it may rewrite
	args   []string
	cmd    *exec.Cmd
}

// launch starts a server with these lines of configuration. With args "--sentinel" it is a Sentinel.
func launch(t testing.TB, config []string, args ...string) *server {
	t.Helper()
	s := &server{t: t, args: args, config: filepath.Join(t.TempDir(), "redis.conf")}
	port := freePort(t)
	s.addr = fmt.Sprintf("127.0.0.1:%d", port)
	lines := append([]string{
		"bind 127.0.0.1", fmt.Sprintf("port %d", port), "dir " + filepath.Dir(s.config), "daemonize no",
	}, config...)
	if len(args) == 0 {
		lines = append(lines, `save ""`)
	}
	if err := os.WriteFile(s.config, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s.start()
	t.Cleanup(s.kill)
	return s
}

// freePort returns a port that is free, as is the one 10,000 above, which a member of a Cluster uses for the others.
func freePort(t testing.TB) int {
	t.Helper()
	for range 100 {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		port := ln.Addr().(*net.TCPAddr).Port
		ln.Close()
		if port > 55000 {
			continue
		}
		if bus, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port+10000)); err == nil {
			bus.Close()
			return port
		}
	}
	t.Fatal("no free port")
	return 0
}

// start runs the server, and returns when it accepts connections.
func (s *server) start() {
	s.t.Helper()
	path, err := exec.LookPath("redis-server")
	if err != nil {
		s.t.Fatalf("this test needs redis-server: sudo apt-get install redis-server, or the like (%v)", err)
	}
	s.cmd = exec.Command(path, append([]string{s.config}, s.args...)...)
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		s.t.Fatal(err)
	}
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	var said []string
	for lines.Scan() {
		said = append(said, lines.Text())
		if strings.Contains(lines.Text(), "Ready to accept connections") || strings.Contains(lines.Text(), "Sentinel ID is") {
			go func() {
				for lines.Scan() { // until it ends
				}
			}()
			return
		}
	}
	s.t.Fatalf("redis-server ended at once:\n%s", strings.Join(said, "\n"))
}

// kill is kill -9.
func (s *server) kill() {
	if s.cmd != nil {
		_ = s.cmd.Process.Kill()
		_ = s.cmd.Wait()
		s.cmd = nil
	}
}

// do runs one command, and returns its answer as Redis writes it, or what went wrong.
func (s *server) do(args ...string) string {
	answer, err := s.ask(args)
	if err != nil {
		return err.Error()
	}
	return answer
}

func (s *server) ask(args []string) (string, error) {
	conn, err := net.DialTimeout("tcp", s.addr, patience)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return "", err
	}
	command := fmt.Sprintf("*%d\r\n", len(args))
	for _, a := range args {
		command += fmt.Sprintf("$%d\r\n%s\r\n", len(a), a)
	}
	if _, err := io.WriteString(conn, command); err != nil {
		return "", err
	}
	r := bufio.NewReader(conn)
	line, err := r.ReadString('\n')
	if err != nil {
		return "", err
	}
	var n int
	if _, err := fmt.Sscanf(line, "$%d", &n); err != nil || n < 0 {
		return strings.TrimSpace(line), nil
	}
	body := make([]byte, n)
	_, err = io.ReadFull(r, body)
	return string(body), err
}
