package protocol

import "context"

// A WaitableTransport is a Transport with a bounded queue, for which Conn.SendContext
// can wait.
type WaitableTransport interface {
	Transport
	// SendIfRoom is Send, but for a full queue: then it queues nothing, and returns a
	// channel that is closed when it is worth another try, because there is room or
	// because the connection is over. The channel is nil if ev was queued, and with an
	// error. What was queued is not dropped for the sake of a later message.
	SendIfRoom(ev Event) (room <-chan struct{}, err error)
}

// SendContext is Send, but if the client lets too many bytes wait already it waits
// until there is room, and the message is neither dropped nor the client closed for
// it, whatever OnOverflow says. It returns context.Cause(ctx) when ctx ends before,
// and ErrClosed when the connection does: the limit on how long the client may take
// for what waits (Timeouts.Stall of a server) holds meanwhile.
//
// It is for a long answer to one client, from its handler or from a goroutine of your
// own. A handler that waits keeps its connection's other events waiting, and what the
// client sends unread; what was sent leaves meanwhile. Only before Connect has returned
// nothing leaves, so what a handler sends there must fit into the queue. Messages for
// many clients must not wait for one: broadcasts never do.
//
// Events that are not messages, such as a Close, and transports that do not wait, such
// as an HTTP answer's (see http.Drain), are sent as by Send.
func (c *Conn) SendContext(ctx context.Context, ev Event) error {
	w, waits := c.t.(WaitableTransport)
	if _, steps := ev.(Stepper); steps || !waits {
		return c.Send(ev)
	}
	for {
		room, err := c.sendIfRoom(w, ev)
		if room == nil {
			return err
		}
		select {
		case <-room:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

func (c *Conn) sendIfRoom(w WaitableTransport, ev Event) (room <-chan struct{}, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.allow(ev, StateAccepted); err != nil {
		return nil, err
	}
	return w.SendIfRoom(ev)
}
