package server

import (
	"net"
	"sync/atomic"
	"time"
)

// A deadline is that of a connection's reads or writes. Setting one costs more than
// a tenth of a microsecond, so the one that is set is left alone as long as it is
// far enough: it comes up to an eighth of the limit later than it could, and never
// earlier.
type deadline struct {
	of    net.Conn
	write bool // of its writes, else of its reads
	base  time.Time
	until atomic.Int64 // nanoseconds since base; 0 if none is set that is known of
	lent  atomic.Bool  // somebody else sees to it
}

func (d *deadline) set(t time.Time) error {
	if d.write {
		return d.of.SetWriteDeadline(t)
	}
	return d.of.SetReadDeadline(t)
}

// extend sees to it that the deadline is at least limit from now.
func (d *deadline) extend(now time.Time, limit time.Duration) error {
	if d.lent.Load() || d.until.Load() >= int64(now.Add(limit).Sub(d.base)) {
		return nil
	}
	return d.move(now.Add(limit + limit/8))
}

// move sets the deadline.
func (d *deadline) move(t time.Time) error {
	d.until.Store(int64(t.Sub(d.base)))
	return d.set(t)
}

// forget says that the one that is set is no use for what comes now.
func (d *deadline) forget() { d.until.Store(0) }

// lend is for others that set the deadline: they see to it until they take it away
// with the zero Time.
func (d *deadline) lend(t time.Time) error {
	d.lent.Store(!t.IsZero())
	d.forget()
	return d.set(t)
}
