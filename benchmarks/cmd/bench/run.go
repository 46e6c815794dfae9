package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// The cores: one for the server, one for the load.
const (
	serverCore = 0
	loadCore   = 1
)

// A bench runs scenarios.
type bench struct {
	bin      string
	rounds   int
	duration time.Duration
}

func (b *bench) scenario(ctx context.Context, s scenario) (*table, error) {
	t := &table{scenario: s, runs: make([][]measurement, len(s.candidates))}
	for range b.rounds {
		for i, c := range s.candidates {
			m, err := b.measure(ctx, s, c)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", c.name, err)
			}
			t.runs[i] = append(t.runs[i], m)
		}
	}
	return t, nil
}

// measure runs one server under load.
func (b *bench) measure(ctx context.Context, s scenario, c candidate) (m measurement, err error) {
	addr, err := freeAddr()
	if err != nil {
		return m, err
	}
	server := exec.CommandContext(ctx, filepath.Join(b.bin, c.bin), append([]string{"-addr", addr}, c.args...)...)
	server.Env = append(os.Environ(), "GOMAXPROCS=1")
	server.Stderr = os.Stderr
	if err := startOn(serverCore, server); err != nil {
		return m, err
	}
	defer func() {
		_ = server.Process.Signal(syscall.SIGTERM)
		stop := time.AfterFunc(5*time.Second, func() { _ = server.Process.Kill() })
		_ = server.Wait() // killed by the signal, most of them
		stop.Stop()
	}()
	if err := waitFor(ctx, addr); err != nil {
		return m, err
	}
	args := append([]string{"-addr", addr, "-pid", strconv.Itoa(server.Process.Pid), "-duration", b.duration.String()}, s.load...)
	args = append(args, c.load...)
	if c.login != "" {
		cookie, err := login(ctx, "http://"+addr+c.login)
		if err != nil {
			return m, err
		}
		args = append(args, "-cookie", cookie)
	}
	var out strings.Builder
	load := exec.CommandContext(ctx, filepath.Join(b.bin, "load"), args...)
	load.Stdout, load.Stderr = &out, os.Stderr
	if err := startOn(loadCore, load); err != nil {
		return m, err
	}
	if err := load.Wait(); err != nil {
		return m, fmt.Errorf("load: %w", err)
	}
	return m, json.Unmarshal([]byte(out.String()), &m)
}

// startOn starts a command on one core: a child inherits its thread's affinity.
func startOn(core int, cmd *exec.Cmd) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var before, only unix.CPUSet
	if err := unix.SchedGetaffinity(0, &before); err != nil {
		return err
	}
	only.Set(core)
	if err := unix.SchedSetaffinity(0, &only); err != nil {
		return fmt.Errorf("pin to core %d: %w", core, err)
	}
	return errors.Join(cmd.Start(), unix.SchedSetaffinity(0, &before))
}

func freeAddr() (string, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer ln.Close()
	return ln.Addr().String(), nil
}

func waitFor(ctx context.Context, addr string) error {
	for range 100 {
		conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", addr)
		if err == nil {
			return conn.Close()
		}
		time.Sleep(20 * time.Millisecond)
	}
	return fmt.Errorf("no server on %s after 2 s", addr)
}

// login returns the cookie that a server sets.
func login(ctx context.Context, url string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return "", err
	}
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	if _, err := io.Copy(io.Discard, res.Body); err != nil {
		return "", err
	}
	for _, c := range res.Cookies() {
		return c.Name + "=" + c.Value, nil
	}
	return "", fmt.Errorf("%s answered %s without a cookie", url, res.Status)
}
