package protocol

// An Observer is told what happens to connections, for logs and metrics. Observe
// is called on the connections' own goroutines, with no lock held: it must be fast
// and safe for concurrent use. Opened comes first and Closed last, once each; an
// Accepted may come behind Closed if the application accepts on a goroutine of its
// own.
type Observer interface {
	Observe(Observation)
}

// An ObservationKind says what happened.
type ObservationKind uint8

// The kinds of observations.
const (
	Opened   ObservationKind = iota // a connection or request began
	Accepted                        // its handshake was accepted
	Refused                         // it was refused; Err is the *Reject
	Closed                          // it is over; Err is the cause, nil for a request that was answered
	Failed                          // an application failed; Err is the error, a *PanicError among them
	Dropped                         // a message for it was dropped; Err says why
)

// String returns the kind's name.
func (k ObservationKind) String() string {
	return [...]string{"opened", "accepted", "refused", "closed", "error", "drop"}[k]
}

// An Observation is one thing that happened to one connection.
type Observation struct {
	Kind ObservationKind
	Conn *Conn
	Err  error
}

func (c *Conn) observe(kind ObservationKind, err error) {
	if o := c.req.common.settings.Observer; o != nil {
		o.Observe(Observation{Kind: kind, Conn: c, Err: err})
	}
}
