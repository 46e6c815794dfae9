//go:build linux

// Kernel is what an echo costs without any library: one thread, one edge-triggered
// epoll set, one recv and one send for what has come, frames turned round in place. It
// knows whole, short frames only, and nothing of what can go wrong. No server can be
// much cheaper, so it shows how far the others can go.
package main

import (
	"bytes"
	"flag"
	"io"
	"log"
	"net"
	"runtime"
	"syscall"
	"unsafe"

	"github.com/gobwas/ws"
	"golang.org/x/sys/unix"
)

func main() {
	addr := flag.String("addr", "127.0.0.1:9000", "listen on `HOST:PORT`")
	flag.Parse()
	runtime.LockOSThread()
	listener, err := listen(*addr)
	if err != nil {
		log.Fatal(err)
	}
	set, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		log.Fatal(err)
	}
	s := server{set: set, listener: listener, upgraded: make(map[int]bool), buf: make([]byte, 64<<10)}
	log.Fatal(s.run())
}

// listen returns the descriptor of a listening socket.
func listen(addr string) (int, error) {
	at, err := net.ResolveTCPAddr("tcp4", addr)
	if err != nil {
		return -1, err
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1); err != nil {
		return -1, err
	}
	if err := unix.Bind(fd, &unix.SockaddrInet4{Port: at.Port, Addr: [4]byte(at.IP.To4())}); err != nil {
		return -1, err
	}
	return fd, unix.Listen(fd, 4096)
}

type server struct {
	set, listener int
	upgraded      map[int]bool
	buf           []byte
}

func (s *server) run() error {
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

func (s *server) accept(events uint32) {
	for {
		fd, _, err := unix.Accept4(s.listener, unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC)
		if err != nil {
			return
		}
		_ = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
		_ = unix.EpollCtl(s.set, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: events | unix.EPOLLET&0xffffffff, Fd: int32(fd)})
	}
}

// serve reads once and answers once.
func (s *server) serve(fd int) bool {
	n, errno := transfer(unix.SYS_RECVFROM, fd, s.buf)
	if errno == unix.EAGAIN {
		return true
	}
	if n == 0 || errno != 0 {
		return false
	}
	answer := s.buf[:n]
	if s.upgraded[fd] {
		answer = echo(answer)
	} else {
		var out bytes.Buffer
		if _, err := ws.Upgrade(struct {
			io.Reader
			io.Writer
		}{bytes.NewReader(answer), &out}); err != nil {
			return false
		}
		answer, s.upgraded[fd] = out.Bytes(), true
	}
	_, errno = transfer(unix.SYS_SENDTO, fd, answer)
	return errno == 0
}

// echo turns masked frames of up to 125 bytes into the server's, in place.
func echo(in []byte) []byte {
	out := in[:0]
	for len(in) >= 6 && len(in) >= 6+int(in[1]&0x7f) {
		size := int(in[1] & 0x7f)
		header, mask, payload := in[0], [4]byte(in[2:6]), in[6:6+size]
		in = in[6+size:]
		ws.Cipher(payload, mask, 0)
		out = append(append(out, header, byte(size)), payload...)
	}
	return out
}

func transfer(call uintptr, fd int, p []byte) (int, syscall.Errno) {
	n, _, errno := syscall.RawSyscall6(call, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)), 0, 0, 0) //nolint:gosec // p is alive as long as the call
	return int(n), errno
}
