//go:build linux

package proc

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// CPU returns the time that a process has spent on a processor, in user and kernel
// mode, all threads together, to the nanosecond. 0 stands for a process that is
// gone.
func CPU(pid int) time.Duration {
	const scheduler = 2 // CPUCLOCK_SCHED: time that the scheduler accounted
	var ts unix.Timespec
	if err := unix.ClockGettime(int32(^pid<<3|scheduler), &ts); err != nil {
		return 0
	}
	return time.Duration(ts.Nano())
}

// Resident returns a process's resident memory in bytes, as exactly as the kernel
// can count it.
func Resident(pid int) (int, error) {
	kilobytes, err := field(pid, "smaps_rollup", "Rss:")
	return kilobytes << 10, err
}

// Threads returns how many threads a process has.
func Threads(pid int) (int, error) { return field(pid, "status", "Threads:") }

// field reads a number from a file of lines that begin with a name.
func field(pid int, file, name string) (int, error) {
	path := fmt.Sprintf("/proc/%d/%s", pid, file)
	data, err := os.ReadFile(path) //nolint:gosec // of the two files above
	if err != nil {
		return 0, err
	}
	for line := range bytes.Lines(data) {
		if words := bytes.Fields(line); len(words) > 1 && string(words[0]) == name {
			return strconv.Atoi(string(words[1]))
		}
	}
	return 0, fmt.Errorf("proc: %s has no line %q", path, name)
}
