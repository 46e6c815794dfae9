package consumer

import (
	"context"
	"errors"
	"runtime/debug"

	"github.com/portico-go/portico/protocol"
)

// Pull is a consumer written as a loop: a function per connection that receives
// messages one after the other, on a goroutine of its own. It suits protocols that
// are conversations; Messages needs no goroutine and costs less.
//
//	echo := consumer.Pull(func(ctx context.Context, c *consumer.PullConn) error {
//		if err := c.Accept("", nil); err != nil {
//			return err
//		}
//		for {
//			m, err := c.Receive(ctx)
//			if err != nil {
//				return err
//			}
//			if err := c.Send(m); err != nil {
//				return err
//			}
//		}
//	})
//
// What the function returns ends the connection, as what Messages' functions
// return does; nil closes it normally. ctx is the connection's.
type Pull func(ctx context.Context, c *PullConn) error

// A PullConn is a connection as a Pull sees it.
type PullConn struct {
	*protocol.Conn

	scope  *protocol.Scope
	events chan *protocol.Message // handed over, one at a time
	ready  chan struct{}          // the one before is done with
	done   chan struct{}          // closed when the function has returned
	result error                  // of the function; valid when done is closed
	busy   bool                   // the function has an event; touched by its goroutine only
}

// Scope returns the connection's scope.
func (c *PullConn) Scope() *protocol.Scope { return c.scope }

// Receive waits for the next message. It is valid until the next Receive: while
// the function works on it no other is read. The error is the cause of the end of
// ctx, or of the connection. Only the function's own goroutine may call it.
func (c *PullConn) Receive(ctx context.Context) (*protocol.Message, error) {
	if c.busy {
		c.busy = false
		c.ready <- struct{}{} // Handle waits for it
	}
	select {
	case m := <-c.events:
		c.busy = true
		return m, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// Open implements protocol.Application.
func (p Pull) Open(_ context.Context, scope *protocol.Scope, conn *protocol.Conn) (protocol.Handler, error) {
	if err := wantMessages(scope); err != nil {
		return nil, err
	}
	return &pulled{run: p, conn: PullConn{
		Conn:   conn,
		scope:  scope,
		events: make(chan *protocol.Message),
		ready:  make(chan struct{}),
		done:   make(chan struct{}),
	}}, nil
}

// Describe implements protocol.Described.
func (p Pull) Describe() protocol.Description {
	d := protocol.Description{Name: "consumer.Pull"}
	if p == nil {
		d.Err = errors.New("consumer: a nil Pull")
	}
	return d
}

// A pulled is the handler of one connection of a Pull: it hands its events to the
// function's goroutine, and returns when the function asks for the next.
type pulled struct {
	run     Pull
	conn    PullConn
	started bool
}

// returned is posted when the function returns while no event waits for it.
type returned struct{}

// EventType implements protocol.Event.
func (*returned) EventType() string { return "return" }

// Handle implements protocol.Handler.
func (p *pulled) Handle(ctx context.Context, ev protocol.Event) error {
	switch ev := ev.(type) {
	case *protocol.Connect:
		p.started, p.conn.busy = true, true
		go p.loop(ctx)
		return p.wait()
	case *protocol.Message:
		select {
		case p.conn.events <- ev:
			return p.wait()
		case <-p.conn.done:
			return p.finish()
		}
	case *returned:
		return p.finish()
	case *protocol.Disconnect:
		if p.started {
			<-p.conn.done // its ctx is cancelled, so it returns
		}
	}
	return nil
}

// loop runs the function.
func (p *pulled) loop(ctx context.Context) {
	defer func() {
		if v := recover(); v != nil {
			p.conn.result = &protocol.PanicError{Value: v, Stack: debug.Stack()}
		}
		busy := p.conn.busy
		close(p.conn.done)
		if !busy {
			_ = p.conn.Post(&returned{}) // too late if the connection ends anyway
		}
	}()
	p.conn.result = p.run(ctx, &p.conn)
}

// wait waits until the function asks for the next message or returns.
func (p *pulled) wait() error {
	select {
	case <-p.conn.ready:
		return nil
	case <-p.conn.done:
		return p.finish()
	}
}

// finish ends the connection with what the function returned.
func (p *pulled) finish() error {
	if p.conn.result != nil {
		return p.conn.result
	}
	return ignoreClosed(p.conn.Close(protocol.CloseNormal, ""))
}
