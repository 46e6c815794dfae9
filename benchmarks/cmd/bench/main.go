// Bench measures portico side by side with what a user would otherwise pick: the
// candidates of a scenario run in turn, A B A B …, the server on one core and the
// load on another, and CPU time per operation is read from the operating system.
//
//	go run ./cmd/bench -only hello
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
	"strings"
	"time"
)

func main() {
	rounds := flag.Int("rounds", 5, "rounds in which each candidate runs once")
	only := flag.String("only", "", "run the scenarios whose name contains `TEXT`")
	duration := flag.Duration("duration", 2*time.Second, "measured time of a run")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *rounds, *only, *duration); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, rounds int, only string, duration time.Duration) error {
	bin, err := os.MkdirTemp("", "portico-bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(bin)
	if err := build(ctx, bin); err != nil {
		return err
	}
	b := &bench{bin: bin, rounds: rounds, duration: duration}
	failed := 0
	for _, s := range scenarios() {
		if !strings.Contains(s.name, only) {
			continue
		}
		t, err := b.scenario(ctx, s)
		if err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
		fmt.Println(t)
		if !t.met() {
			failed++
		}
	}
	if failed > 0 {
		return fmt.Errorf("%d bars are missed", failed)
	}
	return nil
}

// build compiles the servers and the load generator.
func build(ctx context.Context, dir string) error {
	packages := []string{"./target", "./cmd/load"}
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
	cmd := exec.CommandContext(ctx, "go", append([]string{"build", "-o", dir + "/"}, packages...)...)
	cmd.Env = append(os.Environ(), "GOWORK=off")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build: %w\n%s", err, out)
	}
	return nil
}
