//go:build !race

package engine

import (
	"errors"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Sockets are read and written with recv and send, which cost less than read and write:
// nothing of the kernel's file layer is on the way.

// recv reads what a socket has.
func recv(fd int32, p []byte) (int, error) {
	return transfer(unix.SYS_RECVFROM, fd, p, syscall.MSG_DONTWAIT)
}

// send writes what a socket takes. more says that something follows at once: a part of a
// packet then waits for it, for 200 ms at the most (tcp(7), TCP_CORK), and so a last word
// and the end of the output are one packet.
func send(fd int32, p []byte, more bool) (int, error) {
	flags := uintptr(syscall.MSG_DONTWAIT | syscall.MSG_NOSIGNAL)
	if more {
		flags |= unix.MSG_MORE
	}
	return transfer(unix.SYS_SENDTO, fd, p, flags)
}

func transfer(call uintptr, fd int32, p []byte, flags uintptr) (int, error) {
	for {
		n, _, errno := syscall.RawSyscall6(call, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)), flags, 0, 0) //nolint:gosec // p is alive as long as the call
		if errno == 0 {
			return int(n), nil
		}
		if !errors.Is(errno, syscall.EINTR) {
			return 0, errno
		}
	}
}
