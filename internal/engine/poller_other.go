//go:build !linux

package engine

import (
	"errors"
	"net"
)

// A Poller would run streams without a goroutine each. There is none on this
// system: all take the portable path.
type Poller struct{}

// NewPoller returns nil, which is no Poller.
func NewPoller() (*Poller, error) { return nil, nil }

// Close does nothing.
func (*Poller) Close() error { return nil }

// Watch returns nil: a peer that resets its connection while a handler runs, or while
// Open blocks, is found out by the next read or write.
func (*Poller) Watch(net.Conn) *Watch { return nil }

// watched is nothing: there is no Watch.
type watched struct{}

func (watched) forget() {}

func (*Poller) streams(*Engine, func(*Stream)) {}

func (*Stream) adopt(Incoming) error { return errors.ErrUnsupported }
