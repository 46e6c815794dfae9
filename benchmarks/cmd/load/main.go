// Load puts load on one server and prints what it saw as JSON. The runner, bench,
// starts it on a core of its own.
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
	"github.com/portico-go/portico/benchmarks/proc"
)

// A report is what is printed.
type report struct {
	Answers      int     `json:"answers"`
	Seconds      float64 `json:"seconds"`
	CPUMicros    float64 `json:"cpu_us_per_answer"` // of the server, user and system
	P50          float64 `json:"p50_us"`
	P99          float64 `json:"p99_us"`
	LoadCPUShare float64 `json:"load_cpu_share"` // of the load generator's own core
}

func main() {
	runtime.GOMAXPROCS(1)
	var (
		mode     = flag.String("mode", "http", "http or echo")
		addr     = flag.String("addr", "127.0.0.1:9000", "the server's `HOST:PORT`")
		pid      = flag.Int("pid", 0, "the server's process, whose CPU time is read")
		path     = flag.String("path", "/hello", "request path")
		cookie   = flag.String("cookie", "", "Cookie header")
		conns    = flag.Int("conns", 200, "connections")
		depth    = flag.Int("depth", 1, "requests in flight per connection")
		size     = flag.Int("size", 64, "bytes per message")
		duration = flag.Duration("duration", 2*time.Second, "measured time")
		warmup   = flag.Duration("warmup", 500*time.Millisecond, "time before it")
	)
	flag.Parse()
	job := load.Job{Conns: *conns, Depth: *depth, Duration: *duration, Warmup: *warmup}
	var err error
	if job.Addr, err = netip.ParseAddrPort(*addr); err != nil {
		fail(err)
	}
	switch *mode {
	case "http":
		job.Request = load.Get(*addr, *path, *cookie)
	case "echo":
		job.Handshake = load.Upgrade(*addr, *path, *cookie)
		job.Request, job.Answer = load.Frame(*size)
	default:
		fail(fmt.Errorf("unknown mode %q", *mode))
	}
	if err := measure(job, *pid); err != nil {
		fail(err)
	}
}

func measure(job load.Job, pid int) error {
	var server, own [2]time.Duration
	clock := func(i int) func() {
		return func() { server[i], own[i] = proc.CPU(pid), proc.CPU(os.Getpid()) }
	}
	res, err := load.Run(job, clock(0), clock(1))
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(report{
		Answers:      res.Answers,
		Seconds:      res.Elapsed.Seconds(),
		CPUMicros:    micros(server[1]-server[0]) / float64(max(res.Answers, 1)),
		P50:          micros(res.Latency.Quantile(0.5)),
		P99:          micros(res.Latency.Quantile(0.99)),
		LoadCPUShare: float64(own[1]-own[0]) / float64(res.Elapsed),
	})
}

func micros(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }

func fail(err error) {
	fmt.Fprintln(os.Stderr, "load:", err)
	os.Exit(1)
}
