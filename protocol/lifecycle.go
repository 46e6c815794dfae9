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
	// Context is what nearly all connections of the server have as their parent: those
	// need no memory for theirs. nil is context.Background(). It must be comparable, as
	// all contexts of the standard library are.
	Context context.Context

	commons commons
}

func (s *Settings) parent() context.Context {
	if s.Context == nil {
		return context.Background()
	}
	return s.Context
}

// A Lifecycle is the server's side of one connection: it runs Open, the events
// and the end, recovers panics, and maps errors to answers. Whoever implements a
// Transport drives one; applications never see it. Make it with NewLifecycle, or
// with Init where it is part of a larger value.
//
// Open, Deliver and End must not overlap: a transport calls them from the
// connection's mailbox. Cancel and Terminate may be called from anywhere.
type Lifecycle struct {
	conn    Conn
	handler Handler
}

// A Room is memory for what a connection needs besides its Lifecycle: its first
// scope while it opens, and its end. It serves one connection: applications keep what
// points into it.
type Room struct {
	scope  Scope
	ending ending
}

// A RoomyTransport is the Transport of a short connection, which has a Room beside the
// Lifecycle, so that all is one allocation. Other connections allocate what they
// need when they do.
type RoomyTransport interface {
	Transport
	// Room returns the same Room each time. It is called when the connection begins,
	// opens and ends.
	Room() *Room
}

// NewLifecycle begins a connection. parent is the server's context, whose values
// and cancellation the connection inherits. A request with a bad path is a
// *Reject, and the Lifecycle returned with it serves to send just that, with
// Terminate and End.
func NewLifecycle(parent context.Context, req *Request, t Transport, settings *Settings) (*Lifecycle, error) {
	l := new(Lifecycle)
	return l, l.Init(parent, req, t, settings)
}

// Init is NewLifecycle for a Lifecycle that is part of a transport's own memory: it
// begins the connection in l, which must be zero. l must not be used for another
// connection ever: applications keep what points into it.
func (l *Lifecycle) Init(parent context.Context, req *Request, t Transport, settings *Settings) error {
	l.conn.t = t
	l.conn.req.set(req, settings.commons.find(req, settings))
	if parent != settings.parent() {
		l.conn.rare = &rare{parent: parent}
	}
	l.conn.number = connNumber.Add(1)
	l.conn.observe(Opened, nil)
	if room := l.room(); room != nil {
		return room.scope.init(&l.conn.req, &l.conn.rec, settings.Values)
	}
	var passing Scope // the one that stays is made by Open
	return passing.init(&l.conn.req, &l.conn.rec, nil)
}

// room returns the transport's, or nil.
func (l *Lifecycle) room() *Room {
	if t, ok := l.conn.t.(RoomyTransport); ok {
		return t.Room()
	}
	return nil
}

// first returns the connection's first scope, which the application keeps if it
// needs it.
func (l *Lifecycle) first() *Scope {
	if room := l.room(); room != nil {
		return &room.scope
	}
	s := new(Scope)
	_ = s.init(&l.conn.req, &l.conn.rec, l.conn.req.common.settings.Values) // Init found nothing wrong
	return s
}

// Conn returns the application's side.
func (l *Lifecycle) Conn() *Conn { return &l.conn }

// Context returns the connection's context.
func (l *Lifecycle) Context() context.Context { return l.conn.context() }

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
	return app.Open(l.conn.context(), l.first(), &l.conn)
}

// Deliver lets the handler handle ev. Once the connection is closing no event is
// delivered: Deliver returns ErrClosed. An error of the handler, or a panic, has
// been answered with a refusal or a close when Deliver returns it.
func (l *Lifecycle) Deliver(ev Event) error {
	if l.conn.State() >= StateClosing {
		return ErrClosed
	}
	err := l.handle(l.conn.context(), ev)
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
	err = l.reason(err)
	var unexpected bool
	if l.conn.State() == StateConnecting {
		_, unexpected = RejectOf(err)
	} else {
		_, unexpected = CloseOf(err)
	}
	if unexpected && !l.conn.reported(err) {
		l.conn.observe(Failed, err)
	}
	l.Terminate(err)
}

// reason returns why an application fails with err: one that gave up because its
// context was cancelled fails for the cause of that.
func (l *Lifecycle) reason(err error) error {
	if !errors.Is(err, context.Canceled) || deliberate(err) {
		return err
	}
	if cause := context.Cause(l.conn.context()); cause != nil {
		return cause
	}
	return &strayCancel{err}
}

// deliberate reports whether err says itself how the connection is to end.
func deliberate(err error) bool {
	_, rejects := errors.AsType[*Reject](err)
	_, closes := errors.AsType[*CloseError](err)
	return rejects || closes
}

// A strayCancel is the cancellation of a context that is not the connection's: a
// fault like any other, so it does not unwrap to context.Canceled.
type strayCancel struct{ err error }

// Error implements error.
func (e *strayCancel) Error() string { return e.err.Error() + " (not the connection's context)" }

// Terminate ends the connection because of cause, from any goroutine: it sends a
// refusal or a close, whichever the state asks for, and has no effect if it is too
// late. cause is then the cause of the end, unless there was one before. Response
// hooks of a refusal run on the caller's goroutine, and may block it; if they run
// already elsewhere the refusal leaves without waiting for them. The transport then
// sees to the rest. The context is not cancelled; Cancel does that.
func (l *Lifecycle) Terminate(cause error) {
	if l.terminate(cause) {
		r, _ := RejectOf(cause)
		_ = l.conn.refuse(r) // a hook that failed was reported; too late is as well
	}
}

// terminate does what needs no response hooks, and reports whether the answer is
// claimed for a refusal.
func (l *Lifecycle) terminate(cause error) (refuse bool) {
	c := &l.conn
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.state >= StateClosing {
		return false
	}
	c.setCause(cause)
	switch c.state {
	case StateConnecting:
		c.state = stateAnswering
		return true
	case stateAnswering:
		r, _ := RejectOf(cause)
		own := *r
		c.setRefused(&own)
	default:
		e, _ := CloseOf(cause)
		c.state = StateClosing
		_ = c.t.Send(closeFor(e)) // a broken transport is over anyway
	}
	return false
}

// closeFor returns the event that closes with e.
func closeFor(e *CloseError) *Close {
	if e.Code != 0 && !e.Code.closes() {
		return &Close{Code: CloseInternalError, Reason: e.Reason}
	}
	return &Close{Code: e.Code, Reason: e.Reason}
}

// PeerClosed is called when the codec emitted the peer's Close: the close is
// answered with the same code (RFC 6455, section 5.5.1), unless this side closed
// first. A Code of 0 is CloseNoStatus.
func (l *Lifecycle) PeerClosed(ev *Close) {
	code := ev.Code
	if code == 0 {
		code = CloseNoStatus
	}
	l.conn.mu.Lock()
	defer l.conn.mu.Unlock()
	l.conn.setCause(&CloseError{Code: code, Reason: ev.Reason, Remote: true})
	if l.conn.state == StateAccepted {
		l.conn.state = StateClosing
		_ = l.conn.t.Send(&Close{Code: code}) // a broken transport is over anyway
	}
}

// Cancel cancels the connection's context, from any goroutine, with the first
// cause known, or with the one given. Handlers see it; what was sent is not
// affected.
func (l *Lifecycle) Cancel(cause error) {
	l.conn.mu.Lock()
	defer l.conn.mu.Unlock()
	l.conn.cancel(cause)
}

// End ends the connection, once: the context is cancelled with the first cause
// known, or with the one given, later Sends return ErrClosed, and the cleanups
// run, the handler's Disconnect among them. It returns when they have. A cause of
// ErrClosed is none: it says that the connection is over, not why.
func (l *Lifecycle) End(cause error) {
	if errors.Is(cause, ErrClosed) {
		cause = nil
	}
	l.conn.mu.Lock()
	if l.conn.ended {
		l.conn.mu.Unlock()
		return
	}
	l.conn.ended = true
	l.conn.stopTimers()
	l.conn.cancel(cause)
	cause = l.conn.cause()
	accepted, refusal := l.conn.accepted, l.conn.refusal()
	if refusal == nil {
		l.conn.state = StateClosed
	}
	l.conn.mu.Unlock()
	if refusal != nil {
		l.conn.observe(Refused, refusal)
	}
	var e *ending
	if room := l.room(); room != nil {
		e = &room.ending
	} else {
		e = new(ending)
	}
	e.disconnect.Accepted, e.disconnect.Cause = accepted, cause
	e.disconnect.Code, e.disconnect.Reason = closeStatus(cause, accepted, refusal)
	l.runCleanups(e)
	l.conn.observe(Closed, cause)
}

// An ending is what the end of a connection needs, in one piece.
type ending struct {
	ctx        cleanupContext
	disconnect Disconnect
}

func (l *Lifecycle) runCleanups(e *ending) {
	cause := e.disconnect.Cause
	e.ctx.parent = l.conn.parent()
	defer e.ctx.release()
	for c, ok := l.conn.rec.end(cause); ok; c, ok = l.conn.rec.end(cause) {
		if c == nil {
			l.disconnect(e)
		} else if err := runCleanup(&e.ctx, c, cause); err != nil {
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
func (l *Lifecycle) disconnect(e *ending) {
	if err := l.handle(&e.ctx, &e.disconnect); err != nil && !errors.Is(err, ErrClosed) {
		l.conn.observe(Failed, err)
	}
}

// closeStatus returns the close code and reason with which a connection ended:
// those that went over the wire, in either direction, if any did.
func closeStatus(cause error, accepted bool, refusal *Reject) (CloseCode, string) {
	if c, ok := errors.AsType[*CloseError](cause); ok && c.Remote {
		return c.Code, c.Reason
	}
	switch {
	case refusal != nil:
		return CloseAbnormal, refusal.Text()
	case !accepted:
		return CloseAbnormal, ""
	case cause == nil:
		return CloseNormal, ""
	}
	c, _ := CloseOf(cause)
	e := closeFor(c)
	if e.Code == 0 {
		e.Code = CloseNormal
	}
	return e.Code, e.Reason
}
