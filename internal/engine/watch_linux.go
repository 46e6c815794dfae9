package engine

import (
	"errors"
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// watched is the registration of a Watch: a socket of which the kernel tells errors and
// hang-ups only.
type watched struct {
	raw  syscall.RawConn
	set  *pollSet
	slot uint32
}

// Watch registers the socket beneath conn. Without a Poller or a socket, or if the
// kernel refuses, it returns nil: then a hang-up is found out by the next read or write.
func (p *Poller) Watch(conn net.Conn) *Watch {
	if p == nil {
		return nil
	}
	raw := rawConn(conn)
	if raw == nil {
		return nil
	}
	w := &Watch{watched: watched{raw: raw, set: p.set()}}
	var failed error
	err := raw.Control(func(fd uintptr) { w.slot, failed = w.set.add(w, int32(fd), nothing) })
	if errors.Join(err, failed) != nil {
		return nil
	}
	return w
}

// ready implements pollable.
func (w *Watch) ready(events uint32) {
	if events&(unix.EPOLLERR|unix.EPOLLHUP) != 0 {
		w.hungUp()
	}
}

// forget drops the registration; the kernel drops its own when the socket closes.
func (w *watched) forget() { w.set.remove(w.slot) }

// release is Stop for a socket that stays open, to be watched in another way.
func (w *Watch) release() {
	if w == nil {
		return
	}
	_ = w.raw.Control(func(fd uintptr) { _ = unix.EpollCtl(w.set.fd, unix.EPOLL_CTL_DEL, int(fd), nil) })
	w.Stop()
}

// rawConn returns the socket beneath conn, or nil.
func rawConn(conn net.Conn) syscall.RawConn {
	for conn != nil {
		if sc, ok := conn.(syscall.Conn); ok {
			if raw, err := sc.SyscallConn(); err == nil {
				return raw
			}
			return nil
		}
		outer, ok := conn.(interface{ NetConn() net.Conn })
		if !ok {
			return nil
		}
		conn = outer.NetConn()
	}
	return nil
}
