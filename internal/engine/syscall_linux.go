package engine

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The calls that each connection makes are bare: the scheduler is not told of them, as the
// kernel never waits in them. Told of one, its monitor may find the call still on when it
// looks, take the core away from it, and from then on look every 20 µs.

// closeSocket closes a descriptor of a socket that does not linger.
func closeSocket(fd int32) error {
	if _, _, errno := syscall.RawSyscall(unix.SYS_CLOSE, uintptr(fd), 0, 0); errno != 0 {
		return errno
	}
	return nil
}

// look returns the events that an epoll set has now.
func look(set uintptr, events []unix.EpollEvent) (int, error) {
	n, _, errno := syscall.RawSyscall6(unix.SYS_EPOLL_PWAIT, set, uintptr(unsafe.Pointer(unsafe.SliceData(events))), uintptr(len(events)), 0, 0, 0) //nolint:gosec // events are alive as long as the call
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}
