package http

import (
	"github.com/portico-go/portico/internal/mailbox"
	"github.com/portico-go/portico/protocol"
)

// A stream is what a streaming handler has and a buffered one has not: a mailbox
// and a queue of parts.
type stream struct {
	x   *exchange
	box mailbox.Box
}

func newStream(x *exchange) *stream {
	s := &stream{x: x}
	s.box.Init(s)
	return s
}

func (s *stream) send(ev protocol.Event) error { return s.x.store(ev) }
func (s *stream) abandon()                     {}

// HandleEvent implements mailbox.Owner.
func (s *stream) HandleEvent(ev protocol.Event) { _ = s.x.life.Deliver(ev) }

// TurnOver implements mailbox.Owner.
func (s *stream) TurnOver() {}
