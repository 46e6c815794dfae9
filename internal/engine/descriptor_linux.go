package engine

import (
	"errors"
	"io"
	"runtime"
	"sync/atomic"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/portico-go/portico/internal/mailbox"
)

// A descriptor is a socket that is the engine's own, without a net.Conn around it.
// It is read and closed in the stream's turns only, and everything else happens
// under the stream's lock: so nobody uses a number that means another socket by now.
type descriptor struct {
	set  *pollSet
	in   *incoming // nil unless something is left to decode; only turns touch it
	slot uint32
	fd   int32 // -1 when it is closed

	blocked atomic.Bool // a write waits for room, or may find that it has to
	asked   bool        // the set tells when there is room
	spent   bool        // nothing comes any more: the peer has said its last word
}

// adopt takes the socket beneath in.Conn over, and closes the net.Conn. Without
// room for that it changes nothing.
func (s *Stream) adopt(in Incoming) error {
	if c, ok := in.Socket.(*Conn); ok {
		return c.give(s, in.Leftover)
	}
	sc, ok := in.Socket.(syscall.Conn)
	if !ok {
		return errors.ErrUnsupported
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return errors.ErrUnsupported
	}
	d := &descriptor{fd: -1}
	var dupErr error
	err = raw.Control(func(fd uintptr) {
		var own int
		own, dupErr = unix.FcntlInt(fd, unix.F_DUPFD_CLOEXEC, 0)
		d.fd = int32(own)
	})
	if err = errors.Join(err, dupErr); err != nil {
		return err
	}
	if len(in.Leftover) > 0 {
		d.in = s.leftover(in.Leftover)
	}
	s.sock = d
	d.set = s.engine.cfg.Poller.set()
	if d.slot, err = d.set.add(s, d.fd, input); err != nil {
		_ = closeSocket(d.fd) // the net.Conn has the socket still
		return err
	}
	in.Watch.release()
	_ = in.Conn.Close() // the socket lives on in d
	return nil
}

// leftover makes what was read behind a handshake the first of the input.
func (s *Stream) leftover(read []byte) *incoming {
	in := s.engine.borrow(s)
	in.buf = append(in.buf, read...)
	in.fresh, s.early = true, sigRead
	return in
}

// runners implements socket.
func (d *descriptor) runners() *mailbox.Runners { return &d.set.runners }

// begin implements socket: what has come already was noted.
func (d *descriptor) begin() {}

// ready is told what the socket is ready for.
func (s *Stream) ready(events uint32) {
	d, ok := s.sock.(*descriptor)
	if !ok {
		return // the registration failed at last
	}
	if events&unix.EPOLLOUT != 0 && d.blocked.Load() {
		go s.resume()
	}
	sig := signalsOf(events)
	if events&(unix.EPOLLHUP|unix.EPOLLERR) != 0 {
		s.hungUp()
	}
	if sig != 0 {
		s.box.Wake(sig)
	}
}

// read implements socket. It reads until there is no more, or for 64 KiB, and then
// queues the stream behind the others.
func (d *descriptor) read(s *Stream, sig mailbox.Signals) {
	if d.in == nil {
		d.in = s.engine.borrow(s)
	}
	in := d.in
	if in.fresh {
		in.fresh = false
		s.decode(in)
		d.in = in.park()
		if !s.isFinishing() {
			s.box.Wake(sig) // what came since is behind what was posted meanwhile
		}
		return
	}
	for budget := largeBuffer; ; {
		space := in.space()
		n, err := d.readTo(space[:min(len(space), budget)])
		if n > 0 {
			budget -= n
			in.grew(n, len(space))
			s.decode(in)
		}
		if in.last && len(in.buf) == 0 && !in.busy {
			d.end(s, true)
		}
		if errors.Is(err, errBlocked) || err == nil && n < len(space) && budget > 0 && sig&sigHangup == 0 {
			break
		}
		if err != nil {
			d.end(s, errors.Is(err, io.EOF))
			s.readFailed(err)
			break
		}
		if s.isFinishing() {
			break
		}
		if budget <= 0 {
			d.pause(s, sig)
			return
		}
	}
	d.in = in.park()
}

// end notes whether nothing more comes.
func (d *descriptor) end(s *Stream, spent bool) {
	s.mu.Lock()
	d.spent = spent
	s.mu.Unlock()
}

// pause sends off what there is and lets others go first.
func (d *descriptor) pause(s *Stream, sig mailbox.Signals) {
	s.TurnOver()
	runtime.Gosched()
	s.box.Wake(sig)
}

func (d *descriptor) readTo(p []byte) (int, error) {
	n, err := recv(d.fd, p)
	switch {
	case n > 0:
		return n, nil
	case err == nil:
		return 0, io.EOF
	case errors.Is(err, unix.EAGAIN):
		return 0, errBlocked
	}
	return 0, err
}

// write implements socket.
func (d *descriptor) write(p []byte, last bool) (sent int, err error) {
	if d.fd < 0 {
		return 0, unix.EPIPE
	}
	d.blocked.Store(true) // before it is known, or the event could come between
	for sent < len(p) {
		n, err := send(d.fd, p[sent:], last)
		sent += n
		if errors.Is(err, unix.EAGAIN) {
			return sent, d.ask()
		}
		if err != nil {
			return sent, err
		}
	}
	d.blocked.Store(false)
	return sent, nil
}

// ask has the set tell when there is room, from the first time on that there is none:
// most connections never have to wait.
func (d *descriptor) ask() error {
	if !d.asked {
		d.asked = true
		if err := d.set.askRoom(d); err != nil {
			return err
		}
	}
	return errBlocked
}

// closeWrite implements socket. To close the socket is enough if nothing comes.
func (d *descriptor) closeWrite() {
	if d.fd >= 0 && !d.spent {
		_ = unix.Shutdown(int(d.fd), unix.SHUT_WR) // a peer that is gone already needs no FIN
	}
}

// abandon implements socket. The descriptor is closed in a turn.
func (d *descriptor) abandon() {
	if d.fd >= 0 {
		_ = unix.Shutdown(int(d.fd), unix.SHUT_RDWR) // a peer that is gone already does not mind
	}
}

// shut implements socket.
func (d *descriptor) shut(s *Stream, broken bool) {
	if d.in != nil {
		d.in.free()
		d.in = nil
	}
	if broken {
		// Nothing of what the kernel holds for the peer is to be sent any more.
		_ = unix.SetsockoptLinger(int(d.fd), unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
	}
	if broken || d.spent {
		d.close(s)
		return
	}
	s.mu.Lock()
	s.lingering = true
	s.limit = s.engine.in(lingerTime)
	s.arm()
	s.mu.Unlock()
	s.box.Wake(sigRead)
}

// discard implements socket. It closes the socket when the peer hangs up.
func (d *descriptor) discard(s *Stream) {
	if d.fd < 0 {
		return
	}
	in := s.engine.borrow(s)
	defer in.free()
	in.busy = true
	for buf := in.space(); ; {
		switch _, err := d.readTo(buf); {
		case errors.Is(err, errBlocked):
			return
		case err != nil:
			d.close(s)
			return
		}
	}
}

// close closes the socket, in a turn.
func (d *descriptor) close(s *Stream) {
	s.mu.Lock()
	d.set.remove(d.slot)
	_ = closeSocket(d.fd) // it was shut down, or it is broken
	d.fd, s.lingering, s.limit = -1, false, 0
	s.mu.Unlock()
	s.partOver()
}
