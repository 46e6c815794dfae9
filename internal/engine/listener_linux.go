package engine

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// A listener hands out Conns: sockets that were accepted for the Poller, without
// anything of net around them.
type listener struct {
	net.Listener
	engine *Engine
	raw    syscall.RawConn
	d      *descriptor    // of the listening socket, as the set knows it
	server netip.AddrPort // not valid if it differs from connection to connection
	come   chan struct{}  // tells that there is something to accept
	closed chan struct{}
}

// Listen returns ln, in a form that hands out a *Conn for each connection, if that
// can be: with a Poller, for the TCP and unix listeners of net. It takes ln over.
func (e *Engine) Listen(ln net.Listener) (net.Listener, error) {
	sc, ok := ln.(syscall.Conn)
	if !ok || e.cfg.Poller == nil {
		return ln, nil
	}
	l := &listener{Listener: ln, engine: e, come: make(chan struct{}, 1), closed: make(chan struct{})}
	switch ln := ln.(type) {
	case *net.TCPListener:
		if a, ok := ln.Addr().(*net.TCPAddr); ok && !a.IP.IsUnspecified() {
			l.server = a.AddrPort()
			l.server = netip.AddrPortFrom(l.server.Addr().Unmap(), l.server.Port())
		}
	case *net.UnixListener:
	default:
		return ln, nil // it may do more than its socket
	}
	var err error
	if l.raw, err = sc.SyscallConn(); err != nil {
		return nil, err
	}
	return l, l.register()
}

// register has the set tell of connections, and sets what they inherit, as net sets
// it for each.
func (l *listener) register() error {
	set := l.engine.cfg.Poller.set()
	var failed error
	err := l.raw.Control(func(fd uintptr) {
		l.d = &descriptor{set: set, fd: int32(fd)}
		if l.Addr().Network() != "unix" {
			failed = errors.Join(
				unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_NODELAY, 1),
				unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1),
				unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, 15),
				unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_KEEPINTVL, 15),
				unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_KEEPCNT, 9),
			)
		}
		failed = errors.Join(failed, set.add(l, l.d))
	})
	return errors.Join(err, failed)
}

// ready implements pollable.
func (l *listener) ready(uint32) {
	select {
	case l.come <- struct{}{}:
	default:
	}
}

// Close implements net.Listener. It is called once.
func (l *listener) Close() error {
	l.d.set.remove(l.d)
	close(l.closed)
	return l.Listener.Close()
}

// Accept implements net.Listener. It hands out a *Conn.
func (l *listener) Accept() (net.Conn, error) {
	for {
		c, err := l.next()
		if err == nil {
			return c, nil
		}
		if !errors.Is(err, unix.EAGAIN) {
			return nil, &net.OpError{Op: "accept", Net: l.Addr().Network(), Addr: l.Addr(), Err: err}
		}
		select {
		case <-l.come:
		case <-l.closed:
			return nil, net.ErrClosed
		}
	}
}

// next accepts a connection if there is one. Those that were gone before are passed
// over, as net does it.
func (l *listener) next() (c *Conn, err error) {
	var fd int
	var from unix.Sockaddr
	closed := l.raw.Control(func(ln uintptr) {
		for {
			fd, from, err = unix.Accept4(int(ln), unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC)
			if !errors.Is(err, unix.EINTR) && !errors.Is(err, unix.ECONNABORTED) {
				return
			}
		}
	})
	switch {
	case closed != nil:
		return nil, net.ErrClosed
	case err != nil:
		return nil, os.NewSyscallError("accept4", err)
	}
	c = l.engine.newConn(int32(fd))
	c.ends = ends{network: l.Addr().Network(), client: addrPort(from), server: l.server}
	if a, ok := l.Addr().(*net.UnixAddr); ok {
		c.ends.path = a.Name
	} else if !l.server.IsValid() {
		if to, err := unix.Getsockname(fd); err == nil {
			c.ends.server = addrPort(to)
		}
	}
	return c, nil
}

// newConn returns a Conn that owns a socket.
func (e *Engine) newConn(fd int32) *Conn {
	set := e.cfg.Poller.set()
	c := &Conn{engine: e, set: set, d: &descriptor{set: set, fd: fd}}
	c.box.Init(c)
	c.box.Release()
	return c
}

// addrPort returns a TCP address, or the zero value.
func addrPort(sa unix.Sockaddr) netip.AddrPort {
	switch sa := sa.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(sa.Addr), uint16(sa.Port))
	case *unix.SockaddrInet6:
		return netip.AddrPortFrom(netip.AddrFrom16(sa.Addr).Unmap(), uint16(sa.Port))
	}
	return netip.AddrPort{}
}
