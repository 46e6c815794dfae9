//go:build linux

package load

import (
	"os"
	"time"

	"github.com/portico-go/portico/benchmarks/proc"
)

// A Report is what one run has measured. A field that a kind of load does not
// measure is 0.
type Report struct {
	// Ops is what was done in the measured time: answers, cycles or deliveries.
	Ops     int     `json:"ops"`
	Seconds float64 `json:"seconds"`
	// CPU is the server's time on a processor per op, user and system, in µs.
	CPU float64 `json:"cpu_us"`
	// P50 and P99 are latencies in µs.
	P50 float64 `json:"p50_us"`
	P99 float64 `json:"p99_us"`
	// LoadCore is the part of the time that the load generator was on a processor:
	// at 1 it is the bottleneck.
	LoadCore float64 `json:"load_core"`

	// Span is the time from the first to the last write of a fan-out, in ms.
	Span float64 `json:"span_ms"`

	// Commands and Output are what a broker did per op: commands, and bytes that it sent.
	Commands float64 `json:"commands"`
	Output   float64 `json:"output"`

	// Resident is the server's resident memory above the process at rest, and Heap
	// the live part of its heap, in bytes per connection.
	Resident float64 `json:"resident"`
	Heap     float64 `json:"heap"`
	// Goroutines per connection, and threads, of the server.
	Goroutines float64 `json:"goroutines"`
	Threads    int     `json:"threads"`
}

// A meter reads the clocks of the server and of the load generator.
type meter struct {
	pid         int
	at          time.Time
	server, own time.Duration
	latency     Histogram
}

func (m *meter) start() {
	m.server, m.own, m.at = proc.CPU(m.pid), proc.CPU(os.Getpid()), time.Now()
}

func (m *meter) report(ops int) Report {
	elapsed := time.Since(m.at)
	return Report{
		Ops:      ops,
		Seconds:  elapsed.Seconds(),
		CPU:      micros(proc.CPU(m.pid)-m.server) / float64(max(ops, 1)),
		P50:      micros(m.latency.Quantile(0.5)),
		P99:      micros(m.latency.Quantile(0.99)),
		LoadCore: float64(proc.CPU(os.Getpid())-m.own) / float64(elapsed),
	}
}

func micros(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }
