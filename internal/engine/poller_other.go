//go:build !linux

package engine

import "errors"

// A Poller would run streams without a goroutine each. There is none on this
// system: all take the portable path.
type Poller struct{}

// NewPoller returns nil, which is no Poller.
func NewPoller() (*Poller, error) { return nil, nil }

// Close does nothing.
func (*Poller) Close() error { return nil }

func (*Poller) streams(*Engine, func(*Stream)) {}

func (*Stream) adopt(Incoming) error { return errors.ErrUnsupported }
