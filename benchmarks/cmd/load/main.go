//go:build linux

// Load puts load on one server and prints what it has measured as JSON. The runner,
// bench, starts it on a core of its own.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"runtime"
	"time"

	"github.com/portico-go/portico/benchmarks/load"
)

func main() {
	runtime.GOMAXPROCS(1)
	var job load.Job
	mode := flag.String("mode", "http", "http, echo, connect, fanout, span or idle")
	addr := flag.String("addr", "127.0.0.1:9000", "the server's `HOST:PORT`")
	path := flag.String("path", "/hello", "the request's path")
	cookie := flag.String("cookie", "", "the request's Cookie header")
	size := flag.Int("size", 64, "bytes per message; 0 for none in mode connect")
	stats := flag.String("stats", "", "in mode idle, the `PATH` under which the server tells about its heap")
	flag.IntVar(&job.PID, "pid", 0, "the server's process, whose processor time is read")
	flag.IntVar(&job.Conns, "conns", 200, "connections")
	flag.IntVar(&job.Depth, "depth", 1, "requests in flight per connection")
	flag.IntVar(&job.Stalled, "stalled", 0, "further connections that stall in the middle of a frame")
	flag.DurationVar(&job.Duration, "duration", 2*time.Second, "measured time")
	flag.DurationVar(&job.Warmup, "warmup", 500*time.Millisecond, "time before it")
	flag.Parse()

	report, err := run(&job, *mode, *addr, *path, *cookie, *stats, *size)
	if err == nil {
		err = json.NewEncoder(os.Stdout).Encode(report)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(job *load.Job, mode, addr, path, cookie, stats string, size int) (load.Report, error) {
	var err error
	if job.Addr, err = netip.ParseAddrPort(addr); err != nil {
		return load.Report{}, err
	}
	if mode == "http" {
		job.Request = load.Get(addr, path, cookie)
		return load.Run(*job)
	}
	job.Handshake = load.Upgrade(addr, path, cookie)
	if size > 0 {
		job.Request, job.Answer = load.Text(size)
	}
	switch mode {
	case "echo":
		return load.Run(*job)
	case "connect":
		return load.Connect(*job)
	case "fanout":
		return load.Fanout(*job)
	case "span":
		return load.FanoutSpan(*job)
	case "idle":
		return load.Idle(*job, stats)
	}
	return load.Report{}, fmt.Errorf("load: unknown mode %q", mode)
}
