package protocol

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"sync"
)

// A State is where a connection is in its life:
//
//	connecting → accepted → closing → closed
//	connecting → refused
//
// A request that is answered whole goes from connecting to closed.
type State uint8

// The states.
const (
	StateConnecting State = iota // nothing was answered yet
	stateAnswering               // response hooks run
	StateAccepted                // the handshake was accepted, or a response begun
	StateClosing                 // the last event was queued
	StateClosed                  // it is over
	StateRefused                 // the handshake or request was refused
)

// String returns the state's name.
func (s State) String() string {
	return [...]string{"connecting", "connecting", "accepted", "closing", "closed", "refused"}[s]
}

// wants says, for messages, what may be sent in a state.
func (s State) wants() string {
	switch s {
	case StateConnecting, stateAnswering:
		return "one accept or one refusal first"
	case StateAccepted:
		return "messages and one close"
	default:
		return "nothing"
	}
}

// A Transport carries the outgoing events of one connection and holds its
// mailbox. The engine, HTTP and the test kit implement it; applications use Conn.
//
// Its methods are called from any goroutine, one at a time: with the connection's
// lock held, so they must not call back into the Conn, nor into its context. Once
// Lifecycle.End has begun they are not called any more.
type Transport interface {
	// Send queues ev and never blocks. It copies what it keeps.
	Send(ev Event) error
	// Flush hands what is queued to the network without waiting for the end of
	// the handler's turn. It does not wait for the peer.
	Flush() error
	// Post puts ev into the mailbox, behind what is there, and never blocks. When
	// the mailbox takes nothing more it returns ErrClosed.
	Post(ev Event) error
}

// A Conn is the application's side of one connection. All methods may be called
// concurrently, from any goroutine, also after the connection is over: then they
// return ErrClosed.
type Conn struct {
	t      Transport
	number uint64
	req    asked
	rec    record

	mu        sync.Mutex // guards what follows, and calls of t
	rare      *rare      // nil until it is needed
	state     State
	accepted  bool
	cancelled bool // the context is, perhaps before rare.inner was made
	ended     bool // Lifecycle.End was called
}

// rare is the part of a connection's state that most do without most of the time.
type rare struct {
	parent  context.Context // unless it is that of the settings
	cause   error           // the first reason to end
	inner   *cancelContext  // made when needed
	refusal *Reject         // what was sent
	timers  timers
}

// others returns the rare state. c.mu is held.
func (c *Conn) others() *rare {
	if c.rare == nil {
		c.rare = new(rare)
	}
	return c.rare
}

// ID returns an identifier of the connection, unique among all servers: for logs
// and traces. It is no secret and no capability.
func (c *Conn) ID() string {
	return processID + "-" + strconv.FormatUint(c.number, 36)
}

// Request returns what the connection asked for, as the server saw it, whatever
// middleware has made of it in a scope. It is made anew for each call; its slices and
// what it points to must not be changed.
func (c *Conn) Request() *Request { return c.req.request() }

// Client returns the address of the peer as the server saw it, which is
// Request().Client without the rest.
func (c *Conn) Client() netip.AddrPort { return c.req.client() }

// Route returns the pattern of the matched route, as Scope.Route does.
func (c *Conn) Route() string { return c.rec.matched() }

// State returns the connection's state.
func (c *Conn) State() State {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.state == stateAnswering {
		return StateConnecting
	}
	return c.state
}

// Transport returns what carries the connection, for packages that bridge to it.
func (c *Conn) Transport() Transport { return c.t }

// Send queues an event for the peer. It does not wait: nil means queued, and what
// ev holds was copied. What is sent while a handler runs leaves together when the
// handler returns, or after a millisecond if it blocks.
// What becomes of a message for a client that does not read says its Overflow;
// SendContext waits for such a client.
//
// An event that the state does not allow is a *StateError; one that comes too
// late is ErrClosed.
func (c *Conn) Send(ev Event) error {
	step := StepData
	if s, ok := ev.(Stepper); ok {
		step = s.Step()
	}
	switch step {
	case StepAccept, StepAnswer:
		return c.answer(ev, step)
	case StepRefuse:
		r, ok := ev.(*Reject)
		if !ok {
			return fmt.Errorf("protocol: %s refuses a connection but is no *protocol.Reject", ev.EventType())
		}
		if err := c.claim(ev); err != nil {
			return err
		}
		return c.refuse(r)
	}
	if e, ok := ev.(*Close); ok {
		return c.close(e)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.allow(ev, StateAccepted); err != nil {
		return err
	}
	if step == StepEnd {
		c.state = StateClosing
	}
	return c.t.Send(ev)
}

// close ends an accepted connection and refuses one that was not accepted yet.
func (c *Conn) close(ev *Close) error {
	cause := &CloseError{Code: ev.Code, Reason: ev.Reason}
	if cause.Code == 0 {
		cause.Code = CloseNormal
	}
	if !cause.Code.closes() {
		return fmt.Errorf("protocol: the close code %d must not be sent; use 1000 to 1014 or 3000 to 4999", ev.Code)
	}
	c.mu.Lock()
	if c.state == StateConnecting {
		c.state = stateAnswering
		c.mu.Unlock()
		r, _ := RejectOf(cause)
		return c.refuse(r)
	}
	defer c.mu.Unlock()
	if err := c.allow(ev, StateAccepted); err != nil {
		return err
	}
	c.state = StateClosing
	c.setCause(cause)
	return c.t.Send(ev)
}

// allow returns nil in the wanted state, ErrClosed if it is too late, and else a
// *StateError. c.mu is held.
func (c *Conn) allow(ev Event, want State) error {
	switch {
	case c.state == want:
		return nil
	case c.state >= StateClosing:
		return ErrClosed
	}
	state := c.state
	if state == stateAnswering {
		state = StateConnecting
	}
	return &StateError{Event: ev.EventType(), State: state, Want: state.wants()}
}

// claim reserves the answer, which can be given once, for the caller.
func (c *Conn) claim(ev Event) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.allow(ev, StateConnecting); err != nil {
		return err
	}
	c.state = stateAnswering
	return nil
}

// answer runs the response hooks and sends the answer.
func (c *Conn) answer(ev Event, step Step) error {
	a, ok := ev.(Answer)
	if !ok {
		return fmt.Errorf("protocol: %s answers a request but is no protocol.Answer", ev.EventType())
	}
	if accept, ok := ev.(*Accept); ok {
		if accept.Subprotocol != "" && !slices.Contains(c.req.common.subprotocols, accept.Subprotocol) {
			return fmt.Errorf("protocol: the subprotocol %q was not offered; the client offered %q", accept.Subprotocol, c.req.common.subprotocols)
		}
		accept.Head.Status = c.acceptStatus()
	}
	head := a.Answer()
	hooks, claimed, err := c.answerUnlessHooked(ev, step, head)
	if !claimed {
		return err
	}
	var failed error
	if len(hooks) > 0 {
		failed = c.runHooks(hooks, head)
		err = c.answerHooked(ev, step, failed)
	}
	switch {
	case err == nil:
		c.observe(Accepted, nil)
	case failed != nil:
		c.observe(Failed, failed)
	case !errors.Is(err, ErrClosed):
		c.observe(Failed, err)
	}
	return err
}

// answerUnlessHooked claims the answer, and sends it if no response hooks are to
// see it before. Otherwise it returns them.
func (c *Conn) answerUnlessHooked(ev Event, step Step, head *Head) (hooks []responseHook, claimed bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.allow(ev, StateConnecting); err != nil {
		return nil, false, err
	}
	c.state = stateAnswering
	if hooks = c.rec.answer(); len(hooks) == 0 {
		err = c.sendAnswer(ev, step, head.Header.Check())
	}
	return hooks, true, err
}

// answerHooked sends an answer whose hooks have run, if nothing has ended the
// connection meanwhile: they run without the lock because they may block.
func (c *Conn) answerHooked(ev Event, step Step, failed error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.state != stateAnswering {
		return ErrClosed
	}
	return c.sendAnswer(ev, step, failed)
}

func (c *Conn) acceptStatus() int {
	if c.req.common.protocol == "websocket" {
		return http.StatusSwitchingProtocols
	}
	return http.StatusOK
}

// sendAnswer sends an answer, unless what came before it failed. Then, or if the
// transport cannot send it, the client gets a 500 in its place. c.mu is held.
func (c *Conn) sendAnswer(ev Event, step Step, failed error) error {
	if failed == nil {
		if failed = c.t.Send(ev); errors.Is(failed, ErrClosed) {
			c.state = StateClosed // nobody is there to be refused
			return failed
		}
	}
	switch {
	case failed != nil:
		c.setRefused(&Reject{Status: http.StatusInternalServerError, Err: failed, reported: true})
		return failed
	case step == StepAnswer:
		c.state = StateClosed
	default:
		c.state = StateAccepted
	}
	c.accepted = true
	return nil
}

// refuse runs the response hooks on the refusal and sends it, after the answer
// was claimed. If a hook fails the client gets a 500 in its place.
func (c *Conn) refuse(r *Reject) error {
	own := *r // a Reject may be shared by connections
	head := Head{Status: r.StatusOrDefault(), Header: slices.Clone(r.Header)}
	failed := c.runHooks(c.rec.answer(), &head)
	own.Status, own.Header = head.Status, head.Header
	if failed != nil {
		own = Reject{Status: http.StatusInternalServerError, Err: failed, reported: true}
		c.observe(Failed, failed)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.state != stateAnswering {
		return ErrClosed
	}
	c.setRefused(&own)
	return failed
}

// reported says whether err is what the observer was told already, because it
// made an answer fail.
func (c *Conn) reported(err error) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	refusal := c.refusal()
	return refusal != nil && refusal.reported && errors.Is(err, refusal.Err)
}

// runHooks runs response hooks on a head.
func (c *Conn) runHooks(hooks []responseHook, head *Head) (err error) {
	defer recoverTo(&err)
	for _, hook := range hooks {
		if err := hook(c.context(), head); err != nil {
			return err
		}
	}
	return head.Header.Check()
}

// setRefused ends the handshake with r, of which c is the owner. c.mu is held.
func (c *Conn) setRefused(r *Reject) {
	c.state, c.others().refusal = StateRefused, r
	c.setCause(r)
	_ = c.t.Send(r) // a transport that fails here is over already
}

// setCause remembers why the connection ends; the first cause stays. c.mu is held.
func (c *Conn) setCause(cause error) {
	if cause != nil && c.cause() == nil {
		c.others().cause = cause
	}
}

// cause returns the first reason to end, if there is one. c.mu is held.
func (c *Conn) cause() error {
	if c.rare == nil {
		return nil
	}
	return c.rare.cause
}

// refusal returns the refusal that was sent, or nil. c.mu is held.
func (c *Conn) refusal() *Reject {
	if c.rare == nil {
		return nil
	}
	return c.rare.refusal
}

// Accept accepts the handshake, with a subprotocol ("" for none) and with further
// headers of the answer, which a protocol without headers leaves out. A subprotocol
// that the client did not offer is an error (RFC 6455, section 4.1). The answer
// leaves when the handler returns from Connect, before anything that was sent after
// Accept.
func (c *Conn) Accept(subprotocol string, header Fields) error {
	return c.Send(&Accept{
		Subprotocol: subprotocol,
		Head:        Head{Header: slices.Clone(header)},
	})
}

// SendText sends a text message.
func (c *Conn) SendText(text string) error { return c.Send(&Message{Data: []byte(text)}) }

// SendBinary sends a binary message.
func (c *Conn) SendBinary(data []byte) error { return c.Send(&Message{Binary: true, Data: data}) }

// Flush hands what was sent to the network now, not only when the handler
// returns. It does not wait for the peer to read it. After the end it returns
// ErrClosed.
func (c *Conn) Flush() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended {
		return ErrClosed
	}
	return c.t.Flush()
}

// Close ends an accepted connection with a code and a reason for the peer, behind
// what was sent before; a connection that was not accepted yet is refused with
// 403. The handler's Disconnect follows. It does not wait.
func (c *Conn) Close(code CloseCode, reason string) error {
	return c.Send(&Close{Code: code, Reason: reason})
}

// OnClose registers a cleanup. Cleanups run exactly once, when the connection is
// over for whatever reason, the last registered first; also when Open failed or
// panicked half-way. Disconnect is one of them, registered when Open has returned:
// cleanups of handlers run before it, those of Open after it. cause says why the
// connection ended; ctx is not cancelled and lives for CleanupTimeout. A cleanup
// that is registered after the end runs at once, on the caller's goroutine.
func (c *Conn) OnClose(f func(ctx context.Context, cause error)) { c.rec.onClose(f) }

// Post puts an event into the connection's mailbox: the handler gets it in order
// with the peer's messages and the channel layer's. It does not wait. After the
// end it returns ErrClosed.
func (c *Conn) Post(ev Event) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended {
		return ErrClosed
	}
	return c.t.Post(ev)
}
