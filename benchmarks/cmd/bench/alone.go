//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"

	"github.com/portico-go/portico/benchmarks/load"
)

// measureAlone runs a program that measures itself, with a redis-server on the other
// core if it needs one.
func (b *bench) measureAlone(ctx context.Context, s scenario, c candidate) (report load.Report, err error) {
	args := append([]string{"-duration", b.lasts(s).String()}, c.args...)
	if s.redis {
		addr, err := freeAddr(ctx)
		if err != nil {
			return report, err
		}
		server, err := b.startRedis(ctx, addr)
		if err != nil {
			return report, err
		}
		defer stop(server)
		if err := waitFor(ctx, addr); err != nil {
			return report, err
		}
		args = append(args, "-redis", addr, "-redis-pid", strconv.Itoa(server.Process.Pid))
	}
	return b.report(ctx, b.serverCore, c.bin, args)
}

// startRedis starts a redis-server that keeps nothing on disk.
func (b *bench) startRedis(ctx context.Context, addr string) (*exec.Cmd, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	server := exec.CommandContext(ctx, "redis-server", "--bind", host, "--port", port, "--save", "", "--appendonly", "no", "--loglevel", "warning") //nolint:gosec // an address of our own
	server.Stderr = os.Stderr
	err = startOn([]int{b.loadCore}, server)
	if errors.Is(err, exec.ErrNotFound) {
		err = fmt.Errorf("%w: install it (make deps), or leave the scenarios layer-publish and layer-nodes out with -only", err)
	}
	return server, err
}
