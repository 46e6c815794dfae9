package nats

import (
	"time"

	"github.com/nats-io/nats.go"

	"github.com/portico-go/portico/channellayer"
)

// SetClock sets what a broker takes for the time, before it is started.
func SetClock(b *Broker, now func() time.Time) { b.now = now }

// Deliver passes on a message as if it had come.
func Deliver(b *Broker, r channellayer.Receiver, m *nats.Msg) {
	b.receiver = r
	b.received(m.Subject, m)
}

// ParseStored reads a message as a server answers that is asked for those of a subject.
func ParseStored(m *nats.Msg) error {
	_, err := parseBatchMsg(m)
	return err
}
