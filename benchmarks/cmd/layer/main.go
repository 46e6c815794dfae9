//go:build linux

// Layer measures one thing about the channel layer, and prints a load.Report: bench runs
// it once for each candidate of a scenario.
//
//	layer -mode hub          the memory hub puts a message into 10,000 queues
//	layer -mode channels     the same with a loop over Go channels
//	layer -mode redis-hub    group sends through a redis-server
//	layer -mode redis-bare   PUBLISH of the same bytes, by the client library alone
//	layer -mode nodes        group sends to members on three nodes; the server's CPU
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"time"

	"github.com/portico-go/portico/benchmarks/load"
	"github.com/portico-go/portico/benchmarks/proc"
)

// options are what bench chooses.
type options struct {
	duration time.Duration
	members  int
	redis    string // HOST:PORT
	pid      int    // of the redis-server
}

var modes = map[string]func(context.Context, options) (load.Report, error){
	"hub":        hub,
	"channels":   channels,
	"redis-hub":  redisHub,
	"redis-bare": redisBare,
	"nodes":      nodes,
}

func main() {
	var o options
	mode := flag.String("mode", "hub", "what to measure")
	flag.DurationVar(&o.duration, "duration", time.Second, "measured time")
	flag.IntVar(&o.members, "members", 10_000, "members of the group")
	flag.StringVar(&o.redis, "redis", "127.0.0.1:6379", "`HOST:PORT` of a redis-server")
	flag.IntVar(&o.pid, "redis-pid", 0, "process id of the redis-server")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	measure, ok := modes[*mode]
	if !ok {
		fail(fmt.Errorf("mode %q is unknown", *mode))
	}
	report, err := measure(ctx, o)
	if err != nil {
		fail(err)
	}
	if err := json.NewEncoder(os.Stdout).Encode(report); err != nil {
		fail(err)
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "layer:", err)
	os.Exit(1)
}

// repeat calls op until the time is over, and reports what it costs the process pid.
func repeat(ctx context.Context, o options, pid int, op func(context.Context) error) (load.Report, error) {
	for range 100 { // connections, caches, the heap
		if err := op(ctx); err != nil {
			return load.Report{}, err
		}
	}
	var took []time.Duration
	began, before := time.Now(), proc.CPU(pid)
	for time.Since(began) < o.duration && ctx.Err() == nil {
		start := time.Now()
		if err := op(ctx); err != nil {
			return load.Report{}, err
		}
		took = append(took, time.Since(start))
	}
	elapsed, cpu := time.Since(began), proc.CPU(pid)-before
	slices.Sort(took)
	return load.Report{
		Ops:     len(took),
		Seconds: elapsed.Seconds(),
		CPU:     micros(cpu) / float64(max(len(took), 1)),
		P50:     micros(took[len(took)/2]),
		P99:     micros(took[len(took)*99/100]),
	}, ctx.Err()
}

func micros(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }
