package nats

import "time"

// SetClock sets what a broker takes for the time, before it is started.
func SetClock(b *Broker, now func() time.Time) { b.now = now }
