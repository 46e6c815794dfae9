package http

import (
	"context"
	"errors"
	"fmt"
	"io"
	nethttp "net/http"
	"slices"
	"sync"
	"time"

	"github.com/portico-go/portico/internal/mailbox"
	"github.com/portico-go/portico/protocol"
)

// errCut ends an answer that must not be taken for the whole: the connection is
// closed without the end of the body.
var errCut = errors.New("http: the handler failed in the middle of its answer")

// A stream is what a streaming handler has and a buffered one has not: a mailbox,
// and a queue of parts between it and the goroutine that writes, which is the
// server's own.
type stream struct {
	x       *exchange
	box     mailbox.Box
	runners mailbox.Runners
	whole   bool // the handler has had all of the request; only turns touch it

	writeDeadline func(time.Time) error // set before anything is written; nil for none

	wake chan struct{} // tells the writer that something changed

	mu     sync.Mutex
	head   *protocol.Head // nil until the answer is begun
	buf    []byte         // parts that the writer has not taken
	spare  []byte         // what the writer gave back
	queued int            // bytes in buf and in the writer's hands
	ended  bool           // no more will come
	cut    error          // why the end is none to be written
	gone   bool           // the writer is, or all is over: nothing is kept

	writing bool          // the writer waits for the network
	room    chan struct{} // if somebody waits in Drain: closed when there is room
}

// newStream returns a stream whose mailbox is in the caller's turn.
func newStream(x *exchange) *stream {
	s := &stream{x: x, wake: make(chan struct{}, 1)}
	s.box.Init(s)
	return s
}

// HandleEvent implements mailbox.Owner: what was posted.
func (s *stream) HandleEvent(ev protocol.Event) {
	switch ev.(type) {
	case delivered:
		s.whole = true
	case mailbox.Shutdown:
	default:
		_ = s.x.life.Deliver(ev) // it has answered its error
		return
	}
	if s.whole && s.x.site.draining() {
		s.x.life.Terminate(protocol.ErrShutdown)
	}
}

// delivered is the event that the handler has had all of the request.
type delivered struct{}

// EventType implements protocol.Event.
func (delivered) EventType() string { return "delivered" }

// TurnOver implements mailbox.Owner. There is nothing to do: parts leave as they come.
func (s *stream) TurnOver() {}

// Runners implements mailbox.Owner.
func (s *stream) Runners() *mailbox.Runners { return &s.runners }

// run delivers the request, on a goroutine of the stream's own. What was posted
// meanwhile comes after its first event.
func (s *stream) run(p Policy) {
	first := true
	_ = s.x.deliver(p, func(ev protocol.Event) (err error) { // the error was answered
		if first {
			first = false
			err = s.x.life.Deliver(ev)
			s.box.Release()
			return err
		}
		if closed := s.box.Do(func() { err = s.x.life.Deliver(ev) }); closed != nil {
			return closed
		}
		return err
	})
	if first {
		s.box.Release()
	}
	_ = s.box.Post(delivered{}) // or all is over
}

// send queues what a streaming handler sends.
func (s *stream) send(ev protocol.Event) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.gone {
		return protocol.ErrClosed
	}
	defer s.tell()
	switch ev := ev.(type) {
	case *Response:
		return s.sendWhole(&ev.Head, ev.Body)
	case *protocol.Reject:
		head, body := refusal(ev)
		return s.sendWhole(&head, body)
	case *ResponseStart:
		return s.begin(&ev.Head)
	case *ResponseBody:
		err := s.add(ev.Body)
		s.ended = s.ended || !ev.More
		return err
	case *protocol.Close:
		s.ended = true
		if !meansEnd(ev) && s.cut == nil {
			s.cut = errCut
		}
		return nil
	}
	return notAnswer(ev)
}

func (s *stream) begin(head *protocol.Head) error {
	if err := checkStatus(head.Status); err != nil {
		return err // the Conn sends a 500 in its place
	}
	s.head = &protocol.Head{Status: head.Status, Header: slices.Clone(head.Header)}
	return nil
}

func (s *stream) sendWhole(head *protocol.Head, body []byte) error {
	if err := s.begin(head); err != nil {
		return err
	}
	if !bodyless(head.Status) {
		s.buf = append(s.buf, body...)
	}
	s.ended = true
	return nil
}

// add queues a part. One that is larger than the queue is taken if it is empty.
func (s *stream) add(p []byte) error {
	switch {
	case s.cut != nil:
		return s.cut
	case bodyless(s.head.Status):
		return nil
	case s.queued > 0 && s.queued+len(p) > s.x.site.cfg.MaxQueue:
		s.ended, s.cut = true, protocol.ErrSlow
		if s.writing {
			s.interruptWrite()
		}
		return protocol.ErrSlow
	}
	s.buf = append(s.buf, p...)
	s.queued += len(p)
	return nil
}

// tell wakes the writer.
func (s *stream) tell() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// await waits for the answer to begin. whole says that it has ended too, with body
// as all of it. A nil head says that there is nothing to answer: the client is gone.
func (s *stream) await() (head *protocol.Head, body []byte, whole bool) {
	ctx := s.x.life.Context()
	done := ctx.Done()
	for {
		s.mu.Lock()
		head, ended, cut := s.head, s.ended, s.cut
		if head != nil && ended && cut == nil {
			body, s.buf = s.buf, nil
		}
		s.mu.Unlock()
		switch {
		case head != nil:
			return head, body, ended && cut == nil
		case ended: // a Send failed before it queued anything
			h, b := refusal(&protocol.Reject{Status: nethttp.StatusInternalServerError})
			return &h, b, true
		}
		select {
		case <-s.wake:
		case <-done:
			if !s.cancelled(ctx) {
				return nil, nil, false
			}
			done = nil
		}
	}
}

// cancelled sees to the end of an answer whose context was cancelled. It reports
// whether there is still somebody to answer.
func (s *stream) cancelled(ctx context.Context) bool {
	cause := context.Cause(ctx)
	if errors.Is(cause, protocol.ErrReset) {
		return false
	}
	if errors.Is(cause, context.Canceled) { // the parent's; the server is about to end
		cause = protocol.ErrShutdown
	}
	s.x.life.Terminate(cause)
	return true
}

// next waits for parts and takes all that are there. io.EOF is the proper end of
// the answer. Give back what it returned with took.
func (s *stream) next() ([]byte, error) {
	ctx := s.x.life.Context()
	for {
		part, ended, cut := s.take()
		switch {
		case cut != nil && (len(part) == 0 || errors.Is(cut, protocol.ErrSlow)):
			return nil, cut
		case len(part) > 0:
			return part, nil
		case ended:
			return nil, io.EOF
		}
		select {
		case <-s.wake:
		case <-ctx.Done():
			if !s.cancelled(ctx) {
				return nil, context.Cause(ctx)
			}
		}
	}
}

// WriteTo implements io.WriterTo: it writes parts as they come, each flushed at
// once, until the answer has ended.
func (s *stream) WriteTo(w io.Writer) (n int64, err error) {
	for {
		part, err := s.next()
		if errors.Is(err, io.EOF) {
			return n, nil
		}
		if err != nil {
			return n, err
		}
		m, err := s.write(w, part)
		n += int64(m)
		if err != nil {
			return n, s.writeError(err)
		}
		s.took(part)
	}
}

// take takes all parts that wait.
func (s *stream) take() (part []byte, ended bool, cut error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	part = s.buf
	s.buf, s.spare = s.spare, nil
	return part, s.ended, s.cut
}

// took gives back what was written.
func (s *stream) took(part []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.queued -= len(part); s.roomy() && s.room != nil {
		close(s.room)
		s.room = nil
	}
	if cap(part) <= keptBuffer {
		s.spare = part[:0]
	}
}

// roomy reports whether Drain need not wait. s.mu is held.
func (s *stream) roomy() bool { return s.queued <= s.x.site.cfg.MaxQueue/2 }

func (s *stream) write(w io.Writer, part []byte) (int, error) {
	if err := s.extendWrite(time.Now().Add(s.x.site.cfg.StallTimeout)); err != nil {
		return 0, err
	}
	s.setWriting(true)
	defer s.setWriting(false)
	n, err := w.Write(part)
	if f, ok := w.(interface{ Flush() error }); ok && err == nil {
		err = f.Flush()
	}
	return n, err
}

func (s *stream) setWriting(on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.writing = on
}

// writeError says why a write failed.
func (s *stream) writeError(err error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if errors.Is(s.cut, protocol.ErrSlow) {
		return s.cut
	}
	return fmt.Errorf("http: the client took no more of the answer (%w): %w", err, protocol.ErrReset)
}

// finish ends the exchange, when the writer is done: the handler gets its
// Disconnect in order with what was posted. It does not wait for that.
func (s *stream) finish(cause error) {
	if errors.Is(cause, errCut) {
		cause = nil // the handler's error, which is known already
	}
	if cause != nil {
		s.x.life.Cancel(cause) // first: who meets ErrClosed finds the cause
	}
	s.leave()
	if cause != nil {
		s.x.life.Terminate(cause)
	} else if s.x.life.Conn().State() < protocol.StateClosing { // HEAD has no body to wait for
		s.x.life.Terminate(&protocol.CloseError{Code: protocol.CloseNormal})
	}
	if rest := s.x.body.rest; rest != nil {
		rest.stop()
	}
	_ = s.extendWrite(time.Time{}) // fasthttp sets its own for the next answer
	s.box.Close(func() { s.x.end(cause) })
}

// leave says that nobody writes any more.
func (s *stream) leave() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.gone = true
	if s.room != nil {
		close(s.room)
		s.room = nil
	}
}

// EndStream has a streamed answer end because the server shuts down, which Config.Draining
// must report by then. What goes on by events would not end by itself: when its handler
// has had the whole request, and what was posted before, it is ended with
// protocol.ErrShutdown, which is a 503 if nothing was answered. An upload, an answer that is
// written before the handler returns, and buffered handlers may finish. EndStream does not
// block.
func EndStream(conn *protocol.Conn) {
	if x, ok := conn.Transport().(*exchange); ok {
		if s := x.mode.Load(); s != nil && s != buffered {
			_ = s.box.Post(mailbox.Shutdown{}) // or it is over
		}
	}
}

// Drain waits until the client has taken so much of a streamed answer that there
// is room for more: less than half of Config.MaxQueue is waiting. A handler that
// sends a lot calls it before each part instead of meeting protocol.ErrSlow. It
// returns the cause of ctx if that is cancelled, protocol.ErrClosed when the answer
// is over, and ErrBuffered if the handler does not stream. Over transports that
// have no such queue it does not wait.
func Drain(ctx context.Context, conn *protocol.Conn) error {
	if x, ok := conn.Transport().(*exchange); ok {
		return x.drain(ctx)
	}
	return nil
}

func (x *exchange) drain(ctx context.Context) error {
	if s := x.mode.Load(); s != nil && s != buffered {
		return s.drain(ctx)
	}
	if x.life.Conn().State() >= protocol.StateClosing {
		return protocol.ErrClosed
	}
	return ErrBuffered
}

func (s *stream) drain(ctx context.Context) error {
	for {
		s.mu.Lock()
		if s.gone || s.roomy() {
			defer s.mu.Unlock()
			if s.gone {
				return protocol.ErrClosed
			}
			return nil
		}
		if s.room == nil {
			s.room = make(chan struct{})
		}
		room := s.room
		s.mu.Unlock()
		select {
		case <-room:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}
