package engine

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"sync"
	"syscall"
	"time"

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

	mu   sync.Mutex
	take func(ln uintptr) // accepts what there is into got; made once, as each function value is an allocation
	got  arrival
}

// An arrival is what came of accepting a connection.
type arrival struct {
	fd   int32
	from netip.AddrPort
	err  error
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
	l.take = func(ln uintptr) { l.got.fd, l.got.from, l.got.err = accept(ln) }
	var err error
	if l.raw, err = sc.SyscallConn(); err != nil {
		return nil, err
	}
	return l, l.register()
}

// register has the set tell of connections, and sets what they inherit, as net sets
// it for each.
func (l *listener) register() error {
	set, keep := l.engine.cfg.Poller.set(), KeepAlive()
	var failed error
	err := l.raw.Control(func(fd uintptr) {
		l.d = &descriptor{set: set, fd: int32(fd)}
		if l.Addr().Network() != "unix" {
			failed = errors.Join(
				unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_NODELAY, 1),
				unix.SetsockoptLinger(int(fd), unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{}), // a close must not wait
				unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1),
				unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, int(keep.Idle/time.Second)),
				unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_KEEPINTVL, int(keep.Interval/time.Second)),
				unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_KEEPCNT, keep.Count),
			)
		}
		if failed == nil {
			l.d.slot, failed = set.add(l, l.d.fd, input)
		}
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
	l.d.set.remove(l.d.slot)
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

// next accepts a connection if there is one.
func (l *listener) next() (*Conn, error) {
	l.mu.Lock()
	closed := l.raw.Control(l.take)
	got := l.got
	l.mu.Unlock()
	switch {
	case closed != nil:
		return nil, net.ErrClosed
	case errors.Is(got.err, unix.EAGAIN):
		return nil, got.err
	case got.err != nil:
		return nil, os.NewSyscallError("accept4", got.err)
	}
	set := l.engine.cfg.Poller.set()
	c := &Conn{engine: l.engine, at: l, client: got.from, set: set, d: &descriptor{set: set, fd: got.fd}}
	c.box.Init(c)
	c.box.Release()
	return c, nil
}
