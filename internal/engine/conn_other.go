//go:build !linux

package engine

import (
	"net"
	"net/netip"
	"time"
)

// A Conn would be a polled socket. There is none on this system.
type Conn struct{ net.Conn }

// Listen returns ln.
func (*Engine) Listen(ln net.Listener) (net.Listener, error) { return ln, nil }

// Start is not called.
func (*Conn) Start(Guest, time.Time, time.Duration) error { return nil }

// Given is not called.
func (*Conn) Given() bool { return false }

// Park is not called.
func (*Conn) Park(time.Time, time.Duration) {}

// Hurry is not called.
func (*Conn) Hurry() {}

// Fill is not called.
func (*Conn) Fill(buf []byte, _ int) (filled []byte, full bool, err error) { return buf, false, nil }

// Free is not called.
func (*Conn) Free([]byte) {}

// AddrPorts is not called.
func (*Conn) AddrPorts() (client, server netip.AddrPort) { return client, server }
