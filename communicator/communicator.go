package communicator

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/portico-go/portico/internal/mailbox"
	"github.com/portico-go/portico/protocol"
)

// DefaultTimeout is how long a communicator waits for the application. Inside of
// testing/synctest the time is virtual and the wait costs nothing.
const DefaultTimeout = time.Second

// ErrTimeout is matched by the error of a call that waited in vain. The
// application goes on; the next call may still get what it sends.
var ErrTimeout = errors.New("communicator: the application did not answer in time")

// A Communicator drives one connection of an application, of any protocol: it
// stands where the server does. Its methods are for one goroutine, the test's.
//
// Every call returns the application's error, if it has failed: a panic, or an
// error that it did not return on purpose, in whatever event it happened.
type Communicator struct {
	// Timeout is how long calls wait for the application.
	Timeout time.Duration
	// Queue is how many messages may wait for Receive, as a server's Limits.Queue
	// bounds bytes: for more the messages' Overflow says what becomes of them, and
	// Conn.SendContext waits. Set it before the connection opens. 0 is no limit.
	Queue int

	life    *protocol.Lifecycle
	app     protocol.Application
	box     mailbox.Box
	runners mailbox.Runners
	opened  bool

	mu       sync.Mutex
	sent     []protocol.Event // by the application, not received yet
	room     chan struct{}    // if somebody waits for some: closed when there is
	corked   bool             // Connect has not returned: nothing is out yet
	news     chan struct{}    // closed when sent grows or the connection ends
	failures []error
	ended    chan struct{}
	cause    error
}

// New returns a communicator for a connection of app. The connection ends with
// the test, at the latest. req needs a Protocol and a Target; Client defaults to a
// loopback address.
func New(t testing.TB, app protocol.Application, req *protocol.Request, values ...protocol.Binding) *Communicator {
	t.Helper()
	if !req.Client.IsValid() {
		req.Client = netip.MustParseAddrPort("127.0.0.1:49152")
	}
	if !req.Server.IsValid() {
		req.Server = netip.MustParseAddrPort("127.0.0.1:8000")
	}
	c := &Communicator{
		Timeout: DefaultTimeout,
		app:     app,
		corked:  true,
		news:    make(chan struct{}),
		ended:   make(chan struct{}),
	}
	c.box.Init((*side)(c))
	life, err := protocol.NewLifecycle(t.Context(), req, (*side)(c), &protocol.Settings{Values: values, Observer: (*side)(c)})
	c.life = life
	if err != nil {
		c.app = protocol.ApplicationFunc(func(context.Context, *protocol.Scope, *protocol.Conn) (protocol.Handler, error) {
			return nil, err
		})
	}
	t.Cleanup(c.Stop)
	return c
}

// Open opens the connection and delivers its first events, a *protocol.Connect for
// protocols with a handshake. It returns at once: the application runs on a
// goroutine of its own.
func (c *Communicator) Open(first ...protocol.Event) {
	c.opened = true
	go func() {
		if c.life.Open(c.app) == nil {
			for _, ev := range first {
				if c.life.Deliver(ev) != nil {
					break
				}
			}
		}
		c.uncork()
		c.box.Release()
	}()
}

// Deliver hands the application an event of the peer, behind what is in its
// mailbox, and waits until it was handled.
func (c *Communicator) Deliver(ev protocol.Event) error {
	done := make(chan error, 1)
	go func() {
		done <- c.box.Do(func() { _ = c.life.Deliver(ev) }) // Failures has what it returns
	}()
	select {
	case err := <-done:
		return errors.Join(err, c.Failure())
	case <-time.After(c.Timeout):
		return errors.Join(fmt.Errorf("%w: %s is still being handled", ErrTimeout, ev.EventType()), c.Failure())
	}
}

// Receive returns the next event that the application sent.
func (c *Communicator) Receive() (protocol.Event, error) {
	deadline := time.NewTimer(c.Timeout)
	defer deadline.Stop()
	for {
		c.mu.Lock()
		if len(c.sent) > 0 && !c.corked {
			ev := c.sent[0]
			c.sent = c.sent[1:]
			(*side)(c).release()
			c.mu.Unlock()
			return ev, c.Failure()
		}
		news := c.news
		c.mu.Unlock()
		select {
		case <-news:
		case <-c.ended:
			if c.pending() {
				continue
			}
			return nil, errors.Join(c.Failure(), fmt.Errorf("communicator: nothing to receive, the connection is over: %w", orClosed(c.cause)))
		case <-deadline.C:
			return nil, errors.Join(c.Failure(), fmt.Errorf("%w: nothing to receive", ErrTimeout))
		}
	}
}

// ReceiveNothing reports whether the application sends nothing within d. What it
// has sent is left for Receive.
func (c *Communicator) ReceiveNothing(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	for !c.pending() {
		c.mu.Lock()
		news := c.news
		c.mu.Unlock()
		select {
		case <-news:
		case <-c.ended:
			return !c.pending()
		case <-timer.C:
			return !c.pending()
		}
	}
	return false
}

// pending reports whether there is something to receive.
func (c *Communicator) pending() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.sent) > 0 && !c.corked
}

// Disconnect ends the connection as the peer would, by closing it with a code, and
// waits until the application's Disconnect and cleanups have run.
func (c *Communicator) Disconnect(code protocol.CloseCode) error {
	c.box.Close(func() {
		c.life.PeerClosed(&protocol.Close{Code: code})
		c.end(nil)
	})
	return c.Wait()
}

// Break ends the connection as a reset by the peer does: the connection's context
// is cancelled at once, also while a handler runs.
func (c *Communicator) Break() error {
	c.life.Cancel(protocol.ErrReset)
	c.box.Close(func() { c.end(protocol.ErrReset) })
	return c.Wait()
}

// Wait waits until the connection is over and all cleanups have run.
func (c *Communicator) Wait() error {
	select {
	case <-c.ended:
		return c.Failure()
	case <-time.After(c.Timeout):
		return errors.Join(c.Failure(), fmt.Errorf("%w: the connection is not over", ErrTimeout))
	}
}

// Cause returns why the connection is over, and nil before.
func (c *Communicator) Cause() error {
	select {
	case <-c.ended:
		return c.cause
	default:
		return nil
	}
}

// Conn returns the application's side of the connection.
func (c *Communicator) Conn() *protocol.Conn { return c.life.Conn() }

// Failure returns the application's errors so far, joined, or nil.
func (c *Communicator) Failure() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return errors.Join(c.failures...)
}

// Stop ends the connection, if it is not over, and waits for its handler for as
// long as it takes: a handler that ignores its context makes a test hang, and so
// be seen. Tests need not call it.
func (c *Communicator) Stop() {
	c.life.Cancel(protocol.ErrShutdown)
	if !c.opened {
		c.life.End(protocol.ErrShutdown)
		return
	}
	c.life.Terminate(protocol.ErrShutdown)
	c.box.Close(func() { c.end(protocol.ErrShutdown) })
	<-c.ended
}

func (c *Communicator) uncork() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.corked = false
	c.notify()
}

// notify wakes those who wait for something sent. c.mu is held.
func (c *Communicator) notify() {
	close(c.news)
	c.news = make(chan struct{})
}

func (c *Communicator) end(cause error) {
	c.life.End(cause)
	c.mu.Lock()
	(*side)(c).release()
	c.mu.Unlock()
	close(c.ended)
}

func orClosed(cause error) error {
	if cause == nil {
		return protocol.ErrClosed
	}
	return cause
}

// A side is the communicator as the application's transport, mailbox owner and
// observer: methods that a test should not see.
type side Communicator

// Send implements protocol.Transport.
func (s *side) Send(ev protocol.Event) error {
	s.mu.Lock()
	if m, ok := ev.(*protocol.Message); ok {
		if fits, err := s.admit(m); !fits {
			s.mu.Unlock()
			if err != nil {
				go s.life.Terminate(err) // not here: the Conn's lock is held
			}
			return err
		}
	}
	s.queue(ev)
	s.mu.Unlock()
	if st, ok := ev.(protocol.Stepper); ok && st.Step() >= protocol.StepAnswer {
		s.box.Close(func() { (*Communicator)(s).end(nil) })
	}
	return nil
}

// queue keeps a copy of an event for Receive. s.mu is held.
func (s *side) queue(ev protocol.Event) {
	s.sent = append(s.sent, clone(ev))
	if st, ok := ev.(protocol.Stepper); ok && st.Step() >= protocol.StepAnswer {
		s.release() // to be told that it is too late
	}
	(*Communicator)(s).notify()
}

// Flush implements protocol.Transport.
func (s *side) Flush() error { return nil }

// Post implements protocol.Transport.
func (s *side) Post(ev protocol.Event) error { return s.box.Post(ev) }

// HandleEvent implements mailbox.Owner.
func (s *side) HandleEvent(ev protocol.Event) { _ = s.life.Deliver(ev) } // Observe has the error

// TurnOver implements mailbox.Owner.
func (s *side) TurnOver() {}

// Runners implements mailbox.Owner.
func (s *side) Runners() *mailbox.Runners { return &s.runners }

// Observe implements protocol.Observer.
func (s *side) Observe(o protocol.Observation) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch o.Kind {
	case protocol.Failed:
		s.failures = append(s.failures, o.Err)
	case protocol.Closed:
		s.cause = o.Err
	}
}

// A Cloner is an outgoing event that knows how to copy itself, as Send promises.
type Cloner interface{ Clone() protocol.Event }

func clone(ev protocol.Event) protocol.Event {
	switch ev := ev.(type) {
	case *protocol.Message:
		return &protocol.Message{Binary: ev.Binary, Overflow: ev.Overflow, Data: slices.Clone(ev.Data), Key: ev.Key}
	case *protocol.Close:
		return &protocol.Close{Code: cmp.Or(ev.Code, protocol.CloseNormal), Reason: ev.Reason}
	case *protocol.Accept:
		return &protocol.Accept{Subprotocol: ev.Subprotocol, Head: cloneHead(ev.Head)}
	case Cloner:
		return ev.Clone()
	}
	return cloneHTTP(ev)
}
