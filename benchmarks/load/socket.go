//go:build linux

package load

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// patience is how long an answer that must come may take.
const patience = 10 * time.Second

// portsPerSource is how many connections have one source address: the system has
// some 28,000 ports for each.
const portsPerSource = 20_000

// dial returns the i-th connection, a blocking socket without Nagle's delay.
func dial(addr netip.AddrPort, i int) (int, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	timeout := unix.NsecToTimeval(patience.Nanoseconds())
	err = errors.Join(
		unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1),
		unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &timeout),
		bind(fd, addr.Addr(), i),
	)
	if err == nil {
		err = unix.Connect(fd, &unix.SockaddrInet4{Port: int(addr.Port()), Addr: addr.Addr().As4()})
	}
	if err != nil {
		_ = unix.Close(fd)
		return -1, fmt.Errorf("load: connection %d: %w", i, err)
	}
	return fd, nil
}

// bind gives each portsPerSource connections within the machine an address of their
// own in 127.0.0.0/8; the system chooses the port when they connect.
func bind(fd int, server netip.Addr, i int) error {
	if !server.IsLoopback() {
		return nil
	}
	return errors.Join(
		unix.SetsockoptInt(fd, unix.SOL_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1),
		unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 1, byte(1 + i/portsPerSource%250)}}),
	)
}

// open returns n connections, one made after another, whose handshake, if there is
// one, has been answered. They no longer block.
func open(addr netip.AddrPort, n int, handshake []byte) (fds []int, err error) {
	defer func() {
		if err != nil {
			closeAll(fds)
		}
	}()
	buf := make([]byte, 4<<10)
	for i := range n {
		fd, err := dial(addr, i)
		if err != nil {
			return fds, err
		}
		fds = append(fds, fd)
		if handshake != nil {
			if err := shake(fd, handshake, buf); err != nil {
				return fds, fmt.Errorf("load: connection %d: %w", i, err)
			}
		}
		if err := unix.SetNonblock(fd, true); err != nil {
			return fds, err
		}
	}
	return fds, nil
}

// shake sends a handshake and waits for its answer.
func shake(fd int, handshake, buf []byte) error {
	if err := writeAll(fd, handshake); err != nil {
		return err
	}
	got := 0
	for {
		n, err := unix.Read(fd, buf[got:])
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return fmt.Errorf("the handshake's answer: %w", err)
		}
		if n == 0 {
			return errors.New("closed by the server in the handshake")
		}
		got += n
		head, err := upgraded(buf[:got])
		switch {
		case err != nil:
			return err
		case head == got:
			return nil
		case head > 0:
			return fmt.Errorf("%d bytes follow the handshake, before anything was sent", got-head)
		}
	}
}

// upgraded returns the length of the answer to a handshake, or 0 when it is not
// complete.
func upgraded(data []byte) (int, error) {
	end := bytes.Index(data, []byte("\r\n\r\n"))
	if end < 0 {
		return 0, nil
	}
	if !bytes.HasPrefix(data, []byte("HTTP/1.1 101 ")) {
		line, _, _ := bytes.Cut(data, []byte("\r\n"))
		return 0, fmt.Errorf("the handshake was answered with %q", line)
	}
	return end + 4, nil
}

// writeAll writes what is known to fit into the socket's buffer.
func writeAll(fd int, data []byte) error {
	n, errno := rawCall(unix.SYS_WRITE, fd, data)
	if errno != 0 {
		return fmt.Errorf("load: write: %w", errno)
	}
	if n < len(data) {
		return errors.New("load: the server does not read: use fewer or shorter requests in flight")
	}
	return nil
}

func closeAll(fds []int) {
	for _, fd := range fds {
		_ = unix.Close(fd)
	}
}

// A set waits for many sockets; each is known by its index.
type set struct {
	epoll  int
	events [512]unix.EpollEvent
}

// Flags of a set: sockets are reported while they have something to read, or once
// when they get something, which is cheaper but wants them read empty.
const (
	level = unix.EPOLLIN
	edge  = unix.EPOLLIN | unix.EPOLLET
)

func newSet(fds []int, flags uint32) (*set, error) {
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("load: epoll: %w", err)
	}
	s := &set{epoll: epoll}
	for i, fd := range fds {
		if err := s.add(fd, i, flags); err != nil {
			s.close()
			return nil, err
		}
	}
	return s, nil
}

func (s *set) add(fd, index int, flags uint32) error {
	ev := unix.EpollEvent{Events: flags, Fd: int32(index)}
	if err := unix.EpollCtl(s.epoll, unix.EPOLL_CTL_ADD, fd, &ev); err != nil {
		return fmt.Errorf("load: epoll: %w", err)
	}
	return nil
}

// wait calls f with the index of each socket that has something to read.
func (s *set) wait(timeout time.Duration, f func(index int) error) error {
	n, err := unix.EpollWait(s.epoll, s.events[:], int(timeout.Milliseconds()))
	if err != nil && !errors.Is(err, unix.EINTR) {
		return fmt.Errorf("load: epoll: %w", err)
	}
	for _, ev := range s.events[:max(n, 0)] {
		if err := f(int(ev.Fd)); err != nil {
			return err
		}
	}
	return nil
}

func (s *set) close() { _ = unix.Close(s.epoll) }

// read reads once from a socket that does not block. It returns nothing when there
// is nothing.
func read(fd int, buf []byte) ([]byte, error) {
	n, errno := rawCall(unix.SYS_READ, fd, buf)
	switch {
	case errno == unix.EAGAIN, errno == unix.EINTR:
		return nil, nil
	case errno != 0:
		return nil, fmt.Errorf("load: read: %w", errno)
	case n == 0:
		return nil, errors.New("load: the server closed a connection")
	}
	return buf[:n], nil
}

// rawCall reads or writes without telling Go's scheduler, which has nothing else to
// run: that saves a twentieth of the load's time.
func rawCall(call uintptr, fd int, buf []byte) (int, unix.Errno) {
	n, _, errno := unix.RawSyscall(call, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(buf))), uintptr(len(buf))) //nolint:gosec // as unix.Read does it
	return int(n), errno
}
