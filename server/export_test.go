package server

import (
	"net"
	"net/netip"
	"time"
)

// ParseProxyHeader is parseProxyHeader for its table and fuzz tests.
func ParseProxyHeader(b []byte) (client, server netip.AddrPort, n int, err error) {
	h, n, err := parseProxyHeader(b)
	return h.client, h.server, n, err
}

// A Deadline is a deadline.
type Deadline struct{ deadline }

// NewDeadline returns the deadline that is set with set.
func NewDeadline(set func(time.Time) error) *Deadline {
	return &Deadline{deadline{of: settable{set: set}, base: time.Now()}}
}

// settable is a connection of which nothing but a deadline can be set.
type settable struct {
	net.Conn
	set func(time.Time) error
}

func (s settable) SetReadDeadline(t time.Time) error { return s.set(t) }

// Extend is extend.
func (d *Deadline) Extend(now time.Time, limit time.Duration) error { return d.extend(now, limit) }

// Lend is lend.
func (d *Deadline) Lend(t time.Time) error { return d.lend(t) }
