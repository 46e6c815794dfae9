//go:build linux

package proc_test

import (
	"os"
	"testing"
	"time"

	"github.com/portico-go/portico/benchmarks/proc"
)

func TestCPUCountsTimeOnAProcessor(t *testing.T) {
	before := proc.CPU(os.Getpid())
	for start := time.Now(); time.Since(start) < 20*time.Millisecond; {
	}
	if spent := proc.CPU(os.Getpid()) - before; spent <= 0 {
		t.Errorf("20 ms of work took %s on a processor", spent)
	}
	if gone := proc.CPU(1 << 22); gone != 0 {
		t.Errorf("a process that does not exist was %s on a processor", gone)
	}
}

func TestResidentGrowsWithMemoryThatIsUsed(t *testing.T) {
	const size = 64 << 20
	before, err := proc.Resident(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	memory := make([]byte, size)
	for i := 0; i < size; i += 4096 {
		memory[i] = 1
	}
	after, err := proc.Resident(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	if grown := after - before; grown < size*9/10 || memory[4096] != 1 {
		t.Errorf("%d bytes were used, resident memory grew by %d", size, grown)
	}
}

func TestThreads(t *testing.T) {
	threads, err := proc.Threads(os.Getpid())
	if err != nil || threads < 2 {
		t.Errorf("got %d threads of a Go program, %v", threads, err)
	}
	if _, err := proc.Threads(1 << 22); err == nil {
		t.Error("a process that does not exist has threads")
	}
}
