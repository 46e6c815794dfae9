//go:build race

package engine

import (
	"errors"
	"syscall"
)

// For the race detector what is written to a socket happens before it is read, at the
// other end, as it is with net. So tests of applications need not know better.

func recv(fd int32, p []byte) (int, error) { return transfer(syscall.Read, fd, p) }

func send(fd int32, p []byte, _ bool) (int, error) { return transfer(syscall.Write, fd, p) }

func transfer(call func(fd int, p []byte) (int, error), fd int32, p []byte) (int, error) {
	for {
		n, err := call(int(fd), p)
		if err == nil {
			return n, nil
		}
		if !errors.Is(err, syscall.EINTR) {
			return 0, err
		}
	}
}
