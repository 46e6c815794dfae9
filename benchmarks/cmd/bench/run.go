//go:build linux

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

	"github.com/portico-go/portico/benchmarks/load"
)

// A bench runs scenarios.
type bench struct {
	options
	bin string // the folder of the programs
}

func (b *bench) scenario(ctx context.Context, s scenario) (*table, error) {
	t := &table{scenario: s, runs: make([][]load.Report, len(s.candidates))}
	rounds := max(b.rounds, 1)
	if s.once {
		rounds = 1
	}
	for range rounds {
		for i, c := range s.candidates {
			report, err := b.measure(ctx, s, c)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", c.name, err)
			}
			t.runs[i] = append(t.runs[i], report)
		}
	}
	return t, nil
}

// measure runs one candidate.
func (b *bench) measure(ctx context.Context, s scenario, c candidate) (load.Report, error) {
	if c.alone {
		return b.measureAlone(ctx, s, c)
	}
	return b.measureServer(ctx, s, c)
}

// measureServer runs one server under load.
func (b *bench) measureServer(ctx context.Context, s scenario, c candidate) (report load.Report, err error) {
	addr, err := freeAddr(ctx)
	if err != nil {
		return report, err
	}
	bin := c.bin
	if !filepath.IsAbs(bin) { // else it is not one of ours
		bin = filepath.Join(b.bin, bin)
	}
	server := exec.CommandContext(ctx, bin, append([]string{"-addr", addr}, c.args...)...) //nolint:gosec // built by build
	server.Stderr = os.Stderr
	if err := startOn(b.serverCores(c), server); err != nil {
		return report, err
	}
	defer stop(server)
	if err := waitFor(ctx, addr); err != nil {
		return report, err
	}
	args, err := b.loadArgs(ctx, s, c, addr, server.Process.Pid)
	if err != nil {
		return report, err
	}
	return b.report(ctx, b.loadCore, "load", args)
}

// report runs a program on a core and reads the report that it prints.
func (b *bench) report(ctx context.Context, core int, bin string, args []string) (report load.Report, err error) {
	var out strings.Builder
	cmd := exec.CommandContext(ctx, filepath.Join(b.bin, bin), args...) //nolint:gosec // built by build
	cmd.Stdout, cmd.Stderr = &out, os.Stderr
	if err := startOn([]int{core}, cmd); err != nil {
		return report, err
	}
	if err := cmd.Wait(); err != nil {
		return report, fmt.Errorf("%s %s: %w", bin, strings.Join(args, " "), err)
	}
	return report, json.Unmarshal([]byte(out.String()), &report)
}

// serverCores returns the cores of a server. A second one is the load's, for
// scenarios in which the load sleeps meanwhile.
func (b *bench) serverCores(c candidate) []int {
	if c.cores == 2 {
		return []int{b.serverCore, b.loadCore}
	}
	return []int{b.serverCore}
}

// lasts returns how long a run of a scenario is.
func (b *bench) lasts(s scenario) time.Duration {
	if s.duration > 0 {
		return s.duration
	}
	return b.duration
}

func (b *bench) loadArgs(ctx context.Context, s scenario, c candidate, addr string, pid int) ([]string, error) {
	args := append([]string{"-addr", addr, "-pid", strconv.Itoa(pid), "-duration", b.lasts(s).String()}, s.load...)
	args = append(args, c.load...)
	if c.login == "" {
		return args, nil
	}
	cookie, err := login(ctx, "http://"+addr+c.login)
	return append(args, "-cookie", cookie), err
}

// startOn starts a command on some cores: a child inherits its thread's affinity.
func startOn(cores []int, cmd *exec.Cmd) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var before, only unix.CPUSet
	if err := unix.SchedGetaffinity(0, &before); err != nil {
		return err
	}
	for _, core := range cores {
		only.Set(core)
	}
	if err := unix.SchedSetaffinity(0, &only); err != nil {
		return fmt.Errorf("run on the cores %d: %w", cores, err)
	}
	return errors.Join(cmd.Start(), unix.SchedSetaffinity(0, &before))
}

// stop ends a server, which gets 5 s.
func stop(server *exec.Cmd) {
	_ = server.Process.Signal(syscall.SIGTERM)
	impatience := time.AfterFunc(5*time.Second, func() { _ = server.Process.Kill() })
	defer impatience.Stop()
	_ = server.Wait() // most of them are killed by the signal
}

func freeAddr(ctx context.Context) (string, error) {
	ln, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return ln.Addr().String(), ln.Close()
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
	req.Close = true
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		return "", err
	}
	defer func() { _ = res.Body.Close() }()
	if _, err := io.Copy(io.Discard, res.Body); err != nil {
		return "", err
	}
	for _, c := range res.Cookies() {
		return c.Name + "=" + c.Value, nil
	}
	return "", fmt.Errorf("%s answered %s without a cookie", url, res.Status)
}
