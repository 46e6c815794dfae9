//go:build unix

package server_test

import "syscall"

// setReceiveBuffer sets how much the kernel keeps of what is not read.
func setReceiveBuffer(c syscall.RawConn, n int) (err error) {
	if controlErr := c.Control(func(fd uintptr) {
		err = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, n)
	}); controlErr != nil {
		return controlErr
	}
	return err
}
