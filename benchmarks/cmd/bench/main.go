//go:build linux

// Bench measures portico side by side with what a user would otherwise pick: the
// candidates of a scenario run in turn, A B A B …, the server on one core and the
// load on another, and CPU time per operation is read from the operating system.
//
//	go run ./cmd/bench
//	go run ./cmd/bench -only echo -rounds 9
//
// It prints a table for each scenario, and ends with status 1 if portico misses a
// bar.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

// options are what the user can choose.
type options struct {
	rounds     int
	duration   time.Duration
	only       *regexp.Regexp
	candidates *regexp.Regexp
	quick      bool
	list       bool
	serverCore int
	loadCore   int
	before     string
}

func main() {
	var o options
	flag.IntVar(&o.rounds, "rounds", 11, "rounds in which each candidate runs once")
	flag.DurationVar(&o.duration, "duration", time.Second, "measured time of a run")
	flag.BoolVar(&o.quick, "quick", false, "a short run with fewer connections, to see that all works; its numbers say little")
	flag.BoolVar(&o.list, "list", false, "list the scenarios")
	flag.IntVar(&o.serverCore, "server-core", 0, "the `CORE` of the server")
	flag.IntVar(&o.loadCore, "load-core", 1, "the `CORE` of the load generator")
	only := flag.String("only", "", "run the scenarios whose names match `REGEXP`")
	candidates := flag.String("candidates", "", "run portico, and of the others those whose names match `REGEXP`; bars against the rest are left out")
	flag.StringVar(&o.before, "before", "", "run `FILE`, another build of target, beside portico: so it is seen what a change is worth")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	var onlyErr, candidatesErr error
	o.only, onlyErr = regexp.Compile(*only)
	o.candidates, candidatesErr = regexp.Compile(*candidates)
	var beforeErr error
	if o.before != "" {
		o.before, beforeErr = filepath.Abs(o.before)
	}
	if err := errors.Join(onlyErr, candidatesErr, beforeErr); err != nil {
		fail(err)
	}
	if err := run(ctx, o); err != nil {
		fail(err)
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "bench:", err)
	os.Exit(1)
}

func run(ctx context.Context, o options) error {
	size := full
	if o.quick {
		size = quick
		o.rounds, o.duration = min(o.rounds, 2), min(o.duration, 500*time.Millisecond)
	}
	var chosen []scenario
	for _, s := range scenarios(size) {
		if o.only.MatchString(s.name) && (!s.extra || o.only.String() != "") {
			chosen = append(chosen, s.without(o.candidates).with(o.before))
		}
	}
	if o.list {
		for _, s := range chosen {
			fmt.Printf("%s\t%s\n", s.name, s.what)
		}
		return nil
	}
	if len(chosen) == 0 {
		return fmt.Errorf("no scenario is called %q: see -list", o.only)
	}
	bin, err := os.MkdirTemp("", "portico-bench")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(bin) }() // programs that can be built again
	if err := build(ctx, bin); err != nil {
		return err
	}
	return measureAll(ctx, &bench{bin: bin, options: o}, chosen)
}

// measureAll prints the tables, and returns an error if a bar is missed.
func measureAll(ctx context.Context, b *bench, chosen []scenario) error {
	fmt.Printf("%s\n\n", machine())
	if b.quick {
		fmt.Print("A quick run: too short and too small to be quoted.\n\n")
	}
	bars, missed := 0, 0
	for _, s := range chosen {
		t, err := b.scenario(ctx, s)
		if err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
		fmt.Println(t)
		bars += len(s.bars)
		missed += t.missed()
	}
	if missed > 0 {
		return fmt.Errorf("%d of %d bars are missed", missed, bars)
	}
	fmt.Printf("All %d bars are met.\n", bars)
	return nil
}

// build compiles the servers and the load generator.
func build(ctx context.Context, dir string) error {
	packages := []string{"./target", "./cmd/load", "./cmd/layer"}
	peers, err := filepath.Glob("peers/*/main.go")
	if err != nil {
		return err
	}
	if len(peers) == 0 {
		return errors.New("run it in the folder benchmarks")
	}
	for _, p := range peers {
		packages = append(packages, "./"+filepath.Dir(p))
	}
	cmd := exec.CommandContext(ctx, "go", append([]string{"build", "-o", dir + "/"}, packages...)...) //nolint:gosec // folders of this module
	cmd.Env = append(os.Environ(), "GOWORK=off")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build: %w\n%s", err, strings.TrimSpace(string(out)))
	}
	return nil
}
