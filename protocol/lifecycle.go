package protocol

import (
	"context"
	"crypto/rand"
	"errors"
	"runtime/debug"
	"strings"
	"sync/atomic"
)

// processID tells this process's connections from those of others.
var processID = strings.ToLower(rand.Text()[:10])

// connNumber counts the connections of this process.
var connNumber atomic.Uint64

// Settings are what all connections of one server share.
type Settings struct {
	// Values are bound in every scope: the state that lifespan hooks left.
	Values []Binding
	// Observer is told what happens to connections; nil is nobody.
	Observer Observer
}

// A Lifecycle is the server's side of one connection: it runs Open, the events
// and the end, recovers panics, and maps errors to answers. Whoever implements a
// Transport drives one; applications never see it.
//
// Open, Deliver and End must not overlap: a transport calls them from the
// connection's mailbox. Cancel and Terminate may be called from anywhere.
type Lifecycle struct {
	conn    Conn
	scope   *Scope // nil when Open has returned: the application keeps the one it needs
	handler Handler
	ended   bool
}

// NewLifecycle begins a connection. parent is the server's context, whose values
// and cancellation the connection inherits. A request with a bad path is a
// *Reject, and the Lifecycle returned with it serves to send just that, with
// Terminate and End.
func NewLifecycle(parent context.Context, req *Request, t Transport, settings *Settings) (*Lifecycle, error) {
	l := &Lifecycle{}
	l.conn.t = t
	l.conn.req = req
	l.conn.settings = settings
	l.conn.ctx.parent = parent
	l.conn.number = connNumber.Add(1)
	scope, err := newScope(req, &l.conn.rec, settings.Values)
	if err != nil {
		return l, err
	}
	l.scope = scope
	l.conn.observe(Opened, nil)
	return l, nil
}

// Conn returns the application's side.
func (l *Lifecycle) Conn() *Conn { return &l.conn }

// Context returns the connection's context.
func (l *Lifecycle) Context() context.Context { return &l.conn.ctx }

// Open opens app. An error, or a panic, has been answered with a refusal when
// Open returns it; End must follow.
func (l *Lifecycle) Open(app Application) error {
	handler, err := l.open(app)
	if err == nil && handler == nil {
		err = errors.New("protocol: Open returned neither a handler nor an error")
	}
	if err != nil {
		l.fail(err)
		return err
	}
	l.handler = handler
	l.conn.rec.opened()
	return nil
}

func (l *Lifecycle) open(app Application) (h Handler, err error) {
	defer recoverTo(&err)
	scope := l.scope
	l.scope = nil
	return app.Open(&l.conn.ctx, scope, &l.conn)
}

// Deliver lets the handler handle ev. Once the connection is closing no event is
// delivered: Deliver returns ErrClosed. An error of the handler, or a panic, has
// been answered with a refusal or a close when Deliver returns it.
func (l *Lifecycle) Deliver(ev Event) error {
	if l.conn.State() >= StateClosing {
		return ErrClosed
	}
	err := l.handle(&l.conn.ctx, ev)
	if err != nil {
		l.fail(err)
	}
	return err
}

//go:noinline
func (l *Lifecycle) handle(ctx context.Context, ev Event) (err error) {
	defer recoverTo(&err)
	return l.handler.Handle(ctx, ev)
}

func recoverTo(err *error) {
	if v := recover(); v != nil {
		*err = &PanicError{Value: v, Stack: debug.Stack()}
	}
}

// fail answers an error of the application, and reports it if it is one that
// the application did not return on purpose.
func (l *Lifecycle) fail(err error) {
	var unexpected bool
	if l.conn.State() == StateConnecting {
		_, unexpected = RejectOf(err)
	} else {
		_, unexpected = CloseOf(err)
	}
	if unexpected {
		l.conn.observe(Failed, err)
	}
	l.Terminate(err)
}

// Terminate ends the connection because of cause, from any goroutine: it sends a
// refusal or a close, whichever the state asks for, and nothing if it is too
// late. The transport then sees to the rest. The context is not cancelled; Cancel
// does that.
func (l *Lifecycle) Terminate(cause error) {
	if l.conn.State() == StateConnecting {
		r, _ := RejectOf(cause)
		err := l.conn.refuse(r)
		switch {
		case err == nil:
			l.conn.mu.Lock()
			l.conn.cause = cause // rather than the Reject made of it
			l.conn.mu.Unlock()
			return
		case errors.Is(err, ErrClosed):
			return
		}
		if _, ok := errors.AsType[*StateError](err); !ok {
			l.conn.observe(Failed, err) // a response hook failed; 500 is out
			return
		}
		l.refuseNow(r, cause)
		return
	}
	c, _ := CloseOf(cause)
	l.conn.mu.Lock()
	defer l.conn.mu.Unlock()
	l.conn.setCause(cause)
	if l.conn.state == StateAccepted {
		l.conn.state = StateClosing
		_ = l.conn.t.Send(&Close{Code: c.Code, Reason: c.Reason}) // a broken transport is over anyway
	}
}

// refuseNow refuses while response hooks run, as when one of them is stuck.
func (l *Lifecycle) refuseNow(r *Reject, cause error) {
	l.conn.mu.Lock()
	defer l.conn.mu.Unlock()
	if l.conn.state != stateAnswering {
		return
	}
	l.conn.setCause(cause)
	l.conn.setRefused(r)
}

// PeerClosed is called when the codec emitted the peer's Close: the close is
// answered with the same code (RFC 6455, section 5.5.1), unless this side closed
// first.
func (l *Lifecycle) PeerClosed(ev *Close) {
	l.conn.mu.Lock()
	defer l.conn.mu.Unlock()
	l.conn.setCause(&CloseError{Code: ev.Code, Reason: ev.Reason, Remote: true})
	if l.conn.state == StateAccepted {
		l.conn.state = StateClosing
		_ = l.conn.t.Send(&Close{Code: ev.Code}) // a broken transport is over anyway
	}
}

// Cancel cancels the connection's context with cause, from any goroutine.
// Handlers see it; what was sent is not affected.
func (l *Lifecycle) Cancel(cause error) {
	l.conn.mu.Lock()
	l.conn.setCause(cause)
	l.conn.mu.Unlock()
	l.conn.ctx.cancelWith(cause)
}

// End ends the connection, once: the context is cancelled with the first cause
// known, or with the one given, later Sends return ErrClosed, and the cleanups
// run, the handler's Disconnect among them. It returns when they have.
func (l *Lifecycle) End(cause error) {
	if l.ended {
		return
	}
	l.ended = true
	l.conn.mu.Lock()
	l.conn.setCause(cause)
	cause = l.conn.cause
	refusal := l.conn.refusal
	if refusal == nil {
		l.conn.state = StateClosed
	}
	l.conn.mu.Unlock()
	if refusal != nil {
		l.conn.observe(Refused, refusal)
	}
	l.runCleanups(cause)
	l.conn.observe(Closed, cause)
}

func (l *Lifecycle) runCleanups(cause error) {
	l.conn.ctx.cancelWith(cause)
	ctx := newCleanupContext(l.conn.ctx.parent)
	defer ctx.release()
	for c, ok := l.conn.rec.end(cause); ok; c, ok = l.conn.rec.end(cause) {
		if c == nil {
			l.disconnect(ctx, cause)
		} else if err := runCleanup(ctx, c, cause); err != nil {
			l.conn.observe(Failed, err)
		}
	}
}

func runCleanup(ctx context.Context, c cleanup, cause error) (err error) {
	defer recoverTo(&err)
	c(ctx, cause)
	return nil
}

// disconnect hands the handler its Disconnect.
func (l *Lifecycle) disconnect(ctx context.Context, cause error) {
	code, reason := closeStatus(cause)
	ev := &Disconnect{Accepted: l.conn.wasAccepted(), Code: code, Reason: reason, Cause: cause}
	if err := l.handle(ctx, ev); err != nil && !errors.Is(err, ErrClosed) {
		l.conn.observe(Failed, err)
	}
}

func (c *Conn) wasAccepted() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.accepted
}

// closeStatus returns the close code and reason that stand for a cause.
func closeStatus(cause error) (CloseCode, string) {
	if cause == nil {
		return CloseNormal, ""
	}
	if r, ok := errors.AsType[*Reject](cause); ok {
		return CloseAbnormal, r.Text()
	}
	c, _ := CloseOf(cause)
	return c.Code, c.Reason
}
