//go:build linux

package main

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// serveEpoll serves until something fails.
func serveEpoll(listener int) error {
	if err := unix.SetNonblock(listener, true); err != nil {
		return err
	}
	set, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return err
	}
	s := epollServer{set: set, listener: listener, upgraded: make(map[int]bool), buf: make([]byte, 64<<10)}
	return s.run()
}

type epollServer struct {
	set, listener int
	upgraded      map[int]bool
	buf           []byte
}

func (s *epollServer) run() error {
	const in = unix.EPOLLIN | unix.EPOLLRDHUP
	if err := unix.EpollCtl(s.set, unix.EPOLL_CTL_ADD, s.listener, &unix.EpollEvent{Events: in, Fd: int32(s.listener)}); err != nil {
		return err
	}
	events := make([]unix.EpollEvent, 256)
	for {
		n, err := unix.EpollWait(s.set, events, -1)
		if err != nil && err != unix.EINTR {
			return err
		}
		for i := range max(n, 0) {
			if fd := int(events[i].Fd); fd == s.listener {
				s.accept(in)
			} else if !s.serve(fd) {
				delete(s.upgraded, fd)
				_ = unix.Close(fd)
			}
		}
	}
}

func (s *epollServer) accept(events uint32) {
	for {
		fd, _, err := unix.Accept4(s.listener, unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC)
		if err != nil {
			return
		}
		_ = unix.EpollCtl(s.set, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: events | unix.EPOLLET&0xffffffff, Fd: int32(fd)})
	}
}

// serve reads once and answers once.
func (s *epollServer) serve(fd int) bool {
	n, errno := transfer(unix.SYS_RECVFROM, fd, s.buf)
	if errno == unix.EAGAIN {
		return true
	}
	if n == 0 || errno != 0 {
		return false
	}
	answer := s.buf[:n]
	if s.upgraded[fd] {
		answer = echo(answer[:0], answer)
	} else {
		var err error
		if answer, err = upgrade(answer); err != nil {
			return false
		}
		s.upgraded[fd] = true
	}
	_, errno = transfer(unix.SYS_SENDTO, fd, answer)
	return errno == 0
}

func transfer(call uintptr, fd int, p []byte) (int, syscall.Errno) {
	n, _, errno := syscall.RawSyscall6(call, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)), 0, 0, 0) //nolint:gosec // p is alive as long as the call
	return int(n), errno
}
