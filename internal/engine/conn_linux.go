package engine

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/portico-go/portico/internal/mailbox"
	"github.com/portico-go/portico/internal/wheel"
	"github.com/portico-go/portico/protocol"
)

// A Conn is a polled socket that is no stream yet, and may never be one: it waits for
// its first bytes, for the rest of a handshake or for a request, without a goroutine.
// When something has come its guest gets a turn. In it, or after it if the guest says
// that it keeps the socket, the Conn can also be used as any net.Conn, whose reads and
// writes wait.
//
// An Engine that is given it makes it a stream: then it is closed, as a Conn.
type Conn struct {
	engine *Engine
	guest  Guest
	at     *listener      // that accepted it
	client netip.AddrPort // not valid for a unix socket
	box    mailbox.Box
	set    *pollSet

	mu           sync.Mutex  // guards what follows; nobody waits while holding it
	d            *descriptor // nil when it is closed, or a stream's
	stream       *Stream     // whose socket it is now
	waits        *sides      // nil if nobody has waited or set a deadline
	timer        wheel.Timer[*Conn]
	until, armed moment
	seen         mailbox.Signals
	telling      bool // the guest is being told of a hang-up
	told         bool // it was, or is
}

// sides are both directions of a Conn.
type sides struct{ reads, writes side }

// A side is one direction of a Conn, for those that wait.
type side struct {
	by   time.Time
	late bool          // by had passed when it was set
	wake chan struct{} // nil if nobody waits
}

// set sets the deadline. Who waits looks again.
func (s *side) set(t time.Time) {
	s.by, s.late = t, !t.IsZero() && !t.After(time.Now())
	s.tell()
}

func (s *side) tell() {
	if s.wake != nil {
		close(s.wake)
		s.wake = nil
	}
}

// sides returns both, which are made when they are needed. c.mu is held.
func (c *Conn) sides() *sides {
	if c.waits == nil {
		c.waits = new(sides)
	}
	return c.waits
}

const sigLate mailbox.Signals = 1 << 7 // what was waited for did not come in time

var (
	_ net.Conn        = (*Conn)(nil)
	_ mailbox.Sleeper = (*Conn)(nil)
	_ wheel.Owner     = (*Conn)(nil)
)

// Start has guest get its turns from now on, and parks for the first one as Park does.
// An error says that the socket cannot be polled; it is still to be closed.
func (c *Conn) Start(guest Guest, now time.Time, d time.Duration) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.d == nil {
		return net.ErrClosed // by who shuts down
	}
	var err error
	if c.d.slot, err = c.set.add(c, c.d.fd, input); err != nil {
		return err
	}
	c.guest = guest
	c.until = c.engine.at(now.Add(d))
	c.arm(d)
	return nil
}

// Park sets how long after now the guest waits for its next turn, which comes then
// with late set. Of several calls the last one counts.
func (c *Conn) Park(now time.Time, d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.until = c.engine.at(now.Add(d))
	c.arm(d)
}

// arm sees to it that the timer fires at c.until, in d, or before. c.mu is held.
func (c *Conn) arm(d time.Duration) {
	if c.d == nil || c.armed != 0 && c.armed <= c.until {
		return
	}
	c.armed = c.until
	c.set.wheel.Set(&c.timer, d, c)
}

// Expire implements wheel.Owner.
func (c *Conn) Expire() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.armed = 0
	if now := c.engine.now(); c.until > now {
		c.arm(time.Duration(c.until-now) * tick)
	} else if c.d != nil {
		c.box.Wake(sigLate)
	}
}

// Hurry gives the guest a turn with late set, as soon as it has none.
func (c *Conn) Hurry() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.until = 0
	c.box.Wake(sigLate)
}

// ready is told what the socket is ready for.
func (c *Conn) ready(events uint32) {
	c.mu.Lock()
	if s := c.stream; s != nil { // it was looked up before
		c.mu.Unlock()
		s.ready(events)
		return
	}
	sig := signalsOf(events)
	c.seen |= sig
	waited := c.waits != nil && c.waits.tell(events, sig)
	hungUp := events&(unix.EPOLLHUP|unix.EPOLLERR) != 0 && !c.told // a reset is two events
	c.telling, c.told = hungUp, c.told || hungUp
	c.mu.Unlock()
	if hungUp {
		c.guest.HungUp()
		c.mu.Lock()
		c.telling = false
		c.mu.Unlock()
	}
	if sig != 0 && !waited {
		c.box.Wake(sig)
	}
}

// tell tells those who wait, and reports whether somebody waits to read.
func (s *sides) tell(events uint32, sig mailbox.Signals) (reads bool) {
	reads = s.reads.wake != nil
	if events&unix.EPOLLOUT != 0 {
		s.writes.tell()
	}
	if sig != 0 {
		s.reads.tell()
	}
	return reads
}

// signalsOf returns what events mean to whoever reads.
func signalsOf(events uint32) (sig mailbox.Signals) {
	if events&unix.EPOLLIN != 0 {
		sig |= sigRead
	}
	if events&(unix.EPOLLRDHUP|unix.EPOLLHUP|unix.EPOLLERR) != 0 {
		sig |= sigHangup
	}
	return sig
}

// HandleSignals implements mailbox.Sleeper.
func (c *Conn) HandleSignals(sig mailbox.Signals) {
	s := c.heir()
	if s == nil && c.guest.Turn(sig&sigLate != 0 && c.isLate()) {
		s = c.heir()
	}
	if sig &= sigRead | sigHangup; s != nil && sig != 0 {
		s.box.Wake(sig)
	}
}

// heir returns the stream whose socket it is now, or nil.
func (c *Conn) heir() *Stream {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.stream
}

// Given reports whether the socket is a stream's, and the guest will not be called any
// more but to return from this turn.
func (c *Conn) Given() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.stream != nil && !c.telling
}

// isLate reports whether the guest waits too long: it may have parked once more since
// the timer fired.
func (c *Conn) isLate() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.until <= c.engine.now()
}

// HandleEvent implements mailbox.Owner: nobody posts any.
func (c *Conn) HandleEvent(protocol.Event) {}

// TurnOver implements mailbox.Owner.
func (c *Conn) TurnOver() {}

// Runners implements mailbox.Owner.
func (c *Conn) Runners() *mailbox.Runners { return &c.set.runners }

// Fill reads what has come, without waiting, behind what is in buf, as far as there
// are most bytes; full says that there may be more. A nil buf is replaced by one that
// Free takes back, and one without room by a larger one.
func (c *Conn) Fill(buf []byte, most int) (filled []byte, full bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.seen &= sigHangup // of the end there is no second event
	ended := c.seen != 0
	for len(buf) < most {
		if c.d == nil {
			return buf, false, net.ErrClosed
		}
		buf = c.engine.buffers.grow(buf)
		room := buf[len(buf):min(cap(buf), most)]
		n, err := c.d.readTo(room)
		buf = buf[:len(buf)+n]
		switch {
		case errors.Is(err, errBlocked), err == nil && n < len(room) && !ended:
			return buf, false, nil
		case err != nil:
			c.seen = sigHangup // it stays so
			return buf, false, err
		}
	}
	return buf, true, nil
}

// Free takes back a buffer of Fill.
func (c *Conn) Free(buf []byte) { c.engine.buffers.put(buf) }

// Read implements net.Conn.
func (c *Conn) Read(p []byte) (n int, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for {
		if err := c.usable(c.waits.side(false)); err != nil || len(p) == 0 {
			return 0, err
		}
		n, err := c.d.readTo(p)
		if !errors.Is(err, errBlocked) {
			return n, err
		}
		if err := c.wait(&c.sides().reads); err != nil {
			return 0, err
		}
	}
}

// Write implements net.Conn.
func (c *Conn) Write(p []byte) (n int, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for {
		if err := c.usable(c.waits.side(true)); err != nil {
			return n, err
		}
		m, err := c.d.write(p[n:], false)
		n += m
		if !errors.Is(err, errBlocked) {
			return n, err
		}
		if err := c.wait(&c.sides().writes); err != nil {
			return n, err
		}
	}
}

// side returns one of the sides, or nil if nothing was ever set or waited for.
func (s *sides) side(writes bool) *side {
	switch {
	case s == nil:
		return nil
	case writes:
		return &s.writes
	}
	return &s.reads
}

// usable returns why nothing can be read or written. c.mu is held.
func (c *Conn) usable(s *side) error {
	switch {
	case c.d == nil:
		return net.ErrClosed
	case s != nil && s.late:
		return os.ErrDeadlineExceeded
	}
	return nil
}

// wait waits for s to be told, or for its deadline. c.mu is held, but not meanwhile.
func (c *Conn) wait(s *side) error {
	if s.wake == nil {
		s.wake = make(chan struct{})
	}
	wake, by := s.wake, s.by
	c.mu.Unlock()
	defer c.mu.Lock()
	if by.IsZero() {
		<-wake
		return nil
	}
	timer := time.NewTimer(time.Until(by))
	defer timer.Stop()
	select {
	case <-wake:
		return nil
	case <-timer.C:
		return os.ErrDeadlineExceeded
	}
}

// SetDeadline implements net.Conn.
func (c *Conn) SetDeadline(t time.Time) error { return c.setDeadline(t, true, true) }

// SetReadDeadline implements net.Conn.
func (c *Conn) SetReadDeadline(t time.Time) error { return c.setDeadline(t, true, false) }

// SetWriteDeadline implements net.Conn.
func (c *Conn) SetWriteDeadline(t time.Time) error { return c.setDeadline(t, false, true) }

func (c *Conn) setDeadline(t time.Time, reads, writes bool) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.d == nil:
		return net.ErrClosed
	case c.waits == nil && t.IsZero():
		return nil // there is none
	}
	w := c.sides()
	if reads {
		w.reads.set(t)
	}
	if writes {
		w.writes.set(t)
	}
	return nil
}

// CloseWrite half-closes the connection.
func (c *Conn) CloseWrite() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.d == nil {
		return net.ErrClosed
	}
	c.d.closeWrite()
	return nil
}

// Close implements net.Conn. Whoever waits gets net.ErrClosed, and the guest a turn.
func (c *Conn) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.d == nil {
		return net.ErrClosed
	}
	d := c.d
	c.leave()
	if c.guest != nil {
		d.set.remove(d.slot)
		c.box.Wake(sigHangup)
	}
	return closeSocket(d.fd)
}

// leave makes the socket somebody else's. c.mu is held.
func (c *Conn) leave() {
	c.d = nil
	if c.waits != nil {
		c.waits.reads.tell()
		c.waits.writes.tell()
	}
	c.set.wheel.Stop(&c.timer)
}

// give makes the socket that of s; leftover was read already.
func (c *Conn) give(s *Stream, leftover []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.d == nil {
		return net.ErrClosed
	}
	d := c.d
	if len(leftover) > 0 {
		d.in = s.leftover(leftover)
	}
	s.sock = d
	s.early |= c.seen
	c.leave()
	c.stream = s
	d.set.move(d, s)
	return nil
}

// Control calls f with the descriptor.
func (c *Conn) Control(f func(fd uintptr)) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.d == nil {
		return net.ErrClosed
	}
	f(uintptr(c.d.fd))
	return nil
}

// AddrPorts returns the addresses of both ends, not valid for a unix socket. That of
// this end is known for as long as the socket is open.
func (c *Conn) AddrPorts() (client, server netip.AddrPort) {
	server = c.at.server
	if !server.IsValid() && c.client.IsValid() {
		_ = c.Control(func(fd uintptr) { server = localAddr(int32(fd)) }) // a closed one has none
	}
	return c.client, server
}

// RemoteAddr implements net.Conn.
func (c *Conn) RemoteAddr() net.Addr {
	if !c.client.IsValid() {
		return &net.UnixAddr{Name: "@", Net: "unix"}
	}
	return net.TCPAddrFromAddrPort(c.client)
}

// LocalAddr implements net.Conn.
func (c *Conn) LocalAddr() net.Addr {
	_, server := c.AddrPorts()
	if !server.IsValid() {
		return c.at.Addr()
	}
	return net.TCPAddrFromAddrPort(server)
}
