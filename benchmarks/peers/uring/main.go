//go:build linux

// Uring is the peer kernel on io_uring: one thread, one ring, a multishot receive for each
// connection into buffers that the kernel chooses, and all answers of a wake-up handed over
// in the call that waits for the next. It shows what readiness and a system call for each
// read and write cost beside that.
package main

import (
	"bytes"
	"flag"
	"io"
	"log"
	"net"
	"runtime"

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
	r, err := newRing(4096)
	if err != nil {
		log.Fatal(err)
	}
	s := server{ring: r, listener: listener, conns: make(map[int32]*conn)}
	log.Fatal(s.run())
}

// listen returns the descriptor of a listening socket.
func listen(addr string) (int32, error) {
	at, err := net.ResolveTCPAddr("tcp4", addr)
	if err != nil {
		return -1, err
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1); err != nil {
		return -1, err
	}
	if err := unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1); err != nil { // inherited
		return -1, err
	}
	if err := unix.Bind(fd, &unix.SockaddrInet4{Port: at.Port, Addr: [4]byte(at.IP.To4())}); err != nil {
		return -1, err
	}
	return int32(fd), unix.Listen(fd, 4096)
}

// What a completion is of, in the upper half of its user data; the lower is the socket.
const (
	accepted = iota
	received
	sent
)

type conn struct {
	upgraded bool
	out      []byte // being sent
}

type server struct {
	ring     *ring
	listener int32
	conns    map[int32]*conn
}

func (s *server) run() error {
	s.ring.accept(s.listener, accepted<<32)
	for {
		if err := s.ring.wait(); err != nil {
			return err
		}
		for {
			c, ok := s.ring.next()
			if !ok {
				break
			}
			s.complete(c)
		}
		s.ring.seen()
	}
}

func (s *server) complete(c completion) {
	fd := int32(uint32(c.user))
	switch c.user >> 32 {
	case accepted:
		if c.result >= 0 {
			s.conns[c.result] = new(conn)
			s.ring.receive(c.result, received<<32|uint64(uint32(c.result)))
		}
		if !c.more() {
			s.ring.accept(s.listener, accepted<<32)
		}
	case received:
		s.received(fd, c)
	case sent:
		if c.result < 0 {
			s.close(fd)
		}
	}
}

func (s *server) received(fd int32, c completion) {
	peer := s.conns[fd]
	if peer == nil {
		return
	}
	if c.result <= 0 && c.result != -int32(unix.ENOBUFS) {
		s.close(fd)
		return
	}
	if c.result > 0 {
		in := s.ring.buffer(c)
		if peer.upgraded {
			peer.out = echo(peer.out[:0], in)
		} else {
			var out bytes.Buffer
			if _, err := ws.Upgrade(struct {
				io.Reader
				io.Writer
			}{bytes.NewReader(in), &out}); err != nil {
				s.close(fd)
				return
			}
			peer.out, peer.upgraded = out.Bytes(), true
		}
		s.ring.giveBack(c)
		s.ring.send(fd, peer.out, sent<<32|uint64(uint32(fd)))
	}
	if !c.more() {
		s.ring.receive(fd, received<<32|uint64(uint32(fd)))
	}
}

func (s *server) close(fd int32) {
	if s.conns[fd] != nil {
		delete(s.conns, fd)
		_ = unix.Close(int(fd)) // nobody is left to tell
	}
}

// echo appends masked frames of up to 125 bytes as a server sends them.
func echo(out, in []byte) []byte {
	for len(in) >= 6 && len(in) >= 6+int(in[1]&0x7f) {
		size := int(in[1] & 0x7f)
		header, mask, payload := in[0], [4]byte(in[2:6]), in[6:6+size]
		in = in[6+size:]
		ws.Cipher(payload, mask, 0)
		out = append(append(out, header, byte(size)), payload...)
	}
	return out
}
