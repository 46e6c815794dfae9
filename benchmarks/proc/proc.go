// Package proc reads what the operating system knows of a process.
package proc

import (
	"time"

	"golang.org/x/sys/unix"
)

// CPU returns the time that a process has spent on a CPU, in user and kernel mode,
// all threads together, to the nanosecond. 0 stands for a process that is gone.
func CPU(pid int) time.Duration {
	const scheduler = 2 // CPUCLOCK_SCHED: time that the scheduler accounted
	var ts unix.Timespec
	if err := unix.ClockGettime(int32(^pid<<3|scheduler), &ts); err != nil {
		return 0
	}
	return time.Duration(ts.Nano())
}
