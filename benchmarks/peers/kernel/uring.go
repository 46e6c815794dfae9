//go:build linux

package main

import "golang.org/x/sys/unix"

// serveUring serves until something fails.
func serveUring(listener int) error {
	r, err := newRing(4096)
	if err != nil {
		return err
	}
	s := uringServer{ring: r, listener: int32(listener), conns: make(map[int32]*conn)}
	return s.run()
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

type uringServer struct {
	ring     *ring
	listener int32
	conns    map[int32]*conn
}

func (s *uringServer) run() error {
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

func (s *uringServer) complete(c completion) {
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

func (s *uringServer) received(fd int32, c completion) {
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
			var err error
			if peer.out, err = upgrade(in); err != nil {
				s.close(fd)
				return
			}
			peer.upgraded = true
		}
		s.ring.giveBack(c)
		s.ring.send(fd, peer.out, sent<<32|uint64(uint32(fd)))
	}
	if !c.more() {
		s.ring.receive(fd, received<<32|uint64(uint32(fd)))
	}
}

func (s *uringServer) close(fd int32) {
	if s.conns[fd] != nil {
		delete(s.conns, fd)
		_ = unix.Close(int(fd)) // nobody is left to tell
	}
}
