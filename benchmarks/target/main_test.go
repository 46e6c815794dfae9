//go:build linux

package main

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/portico-go/portico/benchmarks/load"
)

const statsPath = "/debug/stats"

// start runs the target, and returns its address once it listens.
func start(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := ln.Addr().String()
	if err := ln.Close(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- run(ctx, addr, statsPath) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	for {
		conn, err := net.Dial("tcp", addr)
		if err == nil {
			_ = conn.Close()
			return addr
		}
		select {
		case err := <-done:
			t.Fatal(err)
		case <-time.After(time.Millisecond):
		}
	}
}

// The target does what it is measured at: the load generator compares its answers.
func TestTargetDoesItsJobs(t *testing.T) {
	t.Parallel()
	addr := start(t)
	cookie := login(t, addr)
	job := load.Job{Addr: netip.MustParseAddrPort(addr), PID: os.Getpid(), Conns: 5, Duration: 50 * time.Millisecond}
	for _, c := range []struct {
		name, path string
		run        func(load.Job) (load.Report, error)
	}{
		{"echo", "/ws", load.Run},
		{"echo in a room", "/ws/lobby", load.Run},
		{"fan-out", "/bc", load.Fanout},
		{"connect", "/ws", load.Connect},
		{"idle", "/ws/lobby", func(j load.Job) (load.Report, error) { return load.Idle(j, statsPath) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			job := job
			job.Handshake = load.Upgrade(addr, c.path, cookie)
			job.Request, job.Answer = load.Text(128)
			if report, err := c.run(job); err != nil || report.Ops == 0 {
				t.Errorf("got %+v, %v", report, err)
			}
		})
	}
	t.Run("hello", func(t *testing.T) {
		job.Request = load.Get(addr, "/hello", cookie)
		if report, err := load.Run(job); err != nil || report.Ops == 0 {
			t.Errorf("got %+v, %v", report, err)
		}
	})
}

func TestStatsCountWhatIsThere(t *testing.T) {
	t.Parallel()
	addr := start(t)
	job := load.Job{Addr: netip.MustParseAddrPort(addr), PID: os.Getpid(), Conns: 200, Duration: 50 * time.Millisecond}
	job.Handshake = load.Upgrade(addr, "/ws/lobby", login(t, addr))
	job.Request, job.Answer = load.Text(64)
	report, err := load.Idle(job, statsPath)
	if err != nil {
		t.Fatal(err)
	}
	if report.Heap == 0 || report.Goroutines <= 0 || report.Threads == 0 {
		t.Errorf("the target says nothing of itself: %+v", report)
	}
}

// login returns the cookie of alice.
func login(t *testing.T, addr string) string {
	t.Helper()
	res, err := http.Get("http://" + addr + "/login?user=alice")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	cookie, _, _ := strings.Cut(res.Header.Get("Set-Cookie"), ";")
	if res.StatusCode != http.StatusNoContent || !strings.HasPrefix(cookie, "sessionid=") {
		t.Fatalf("got %s with the cookie %q", res.Status, cookie)
	}
	return cookie
}
