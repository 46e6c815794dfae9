package http

import (
	"context"
	"errors"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/portico-go/portico/protocol"
)

// ErrBuffered is returned when something needs a streaming handler and the
// connection's is a buffered one: Conn.Flush, Conn.Post, Drain.
var ErrBuffered = errors.New("http: the handler is buffered: its answer leaves when it returns, and nothing can be posted to it; " +
	"declare a handler that sends as it goes with http.Stream(scope) in Open")

// errIncomplete are the logged errors of buffered handlers that did not answer.
var (
	errNoAnswer = errors.New("http: the handler returned without an answer: a buffered handler sends an *http.Response, " +
		"or an *http.ResponseStart and its parts, before Handle returns; one that answers later declares http.Stream(scope) in Open")
	errHalfAnswer = errors.New("http: the handler returned in the middle of its answer: the last *http.ResponseBody, with More false, is missing; " +
		"a handler that sends the rest later declares http.Stream(scope) in Open")
)

// An exchange is one request with its answer: the Transport of its Conn.
type exchange struct {
	cfg     *Config
	app     protocol.Application
	buffers *buffers

	req   protocol.Request
	event Request
	body  body
	life  *protocol.Lifecycle
	conn  net.Conn // fasthttp's; nil behind Handler

	writeDeadline func(time.Time) error // of a streamed answer; nil for none

	mu       sync.Mutex
	sink     sink            // nil when the exchange is over
	scope    *protocol.Scope // the first one, from Open on
	opened   bool            // Open has returned: the mode is settled
	started  bool            // the answer has a head
	complete bool            // the answer is whole
	serving  bool            // beyond Expect
	over     bool
	stream   *stream // nil for a buffered handler
}

// Open implements protocol.Application: it keeps the scope, through which the
// policies are read.
func (x *exchange) Open(ctx context.Context, scope *protocol.Scope, conn *protocol.Conn) (protocol.Handler, error) {
	x.mu.Lock()
	x.scope = scope
	x.mu.Unlock()
	return x.app.Open(ctx, scope, conn)
}

// begin makes the lifecycle and opens the application; filled is the error of
// filling in the request. It reports whether there is a handler; otherwise the
// answer is a refusal, and all is over.
func (x *exchange) begin(parent context.Context, filled error) bool {
	life, err := protocol.NewLifecycle(parent, &x.req, x, x.cfg.Settings)
	x.life = life
	if x.cfg.Tracker != nil {
		x.cfg.Tracker.Begin(x.conn, life)
	}
	if filled != nil {
		err = filled
	} else if err == nil && x.req.Target == "" { // OPTIONS *, about the server as a whole
		err = &protocol.Reject{Status: 204}
	}
	if err != nil {
		life.Terminate(err)
	} else if err = life.Open(x); err == nil {
		return true
	}
	x.drop(err)
	return false
}

// drop ends an exchange that is not served.
func (x *exchange) drop(cause error) {
	x.mu.Lock()
	s := x.stream
	x.mu.Unlock()
	if s == nil {
		x.end(cause)
		return
	}
	s.box.Close(func() { x.end(cause) })
	s.box.Release()
}

// policy settles how the request is served, when Open has returned.
func (x *exchange) policy() Policy {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.opened = true
	p := PolicyOf(x.scope)
	if p.BodyLimit == 0 && !p.StreamBody {
		p.BodyLimit = x.cfg.MaxBody
	}
	if p.Stream && !p.native && !x.started && x.stream == nil {
		x.stream = newStream(x)
	}
	if x.stream != nil { // the handler may outlast fasthttp's buffers
		x.body.whole = slices.Clone(x.body.whole)
	}
	return p
}

// serveBuffered runs a buffered handler on the caller's goroutine.
func (x *exchange) serveBuffered(p Policy) {
	err := x.deliver(p, x.life.Deliver)
	x.mu.Lock()
	started, complete := x.started, x.complete
	x.mu.Unlock()
	if err == nil && !complete {
		if err = errNoAnswer; started {
			err = errHalfAnswer
		}
		x.observe(err)
		x.life.Terminate(err)
	}
	x.end(err)
}

// deliver reads the body as the policy wants it and hands it over.
func (x *exchange) deliver(p Policy, deliver func(protocol.Event) error) error {
	if p.native && p.StreamBody {
		return deliver(&x.event) // the handler reads it itself
	}
	if !p.StreamBody {
		buf := x.buffers.get()
		defer x.buffers.put(buf)
		whole, err := x.body.readAll((*buf)[:0], p.BodyLimit)
		if x.body.r != nil {
			*buf = whole
		}
		if err != nil {
			x.fail(err)
			return err
		}
		x.event.Body = whole
		defer func() { x.event.Body = nil }()
		return deliver(&x.event)
	}
	return x.deliverParts(p.BodyLimit, deliver)
}

// deliverParts delivers the body part by part; the next is read when the handler
// has returned.
func (x *exchange) deliverParts(limit int64, deliver func(protocol.Event) error) error {
	if x.body.r == nil {
		x.event.Body = x.body.whole
		if limit > 0 && int64(len(x.event.Body)) > limit {
			err := tooLarge(limit)
			x.life.Terminate(err)
			return err
		}
		return deliver(&x.event)
	}
	buf := make([]byte, bodyChunk)
	for {
		n, err := x.body.nextWithin(buf, limit)
		if err != nil {
			x.fail(err)
			return err
		}
		if err := deliver(&Request{Body: buf[:n], More: !x.body.done.Load()}); err != nil {
			return err
		}
		if x.body.done.Load() {
			return nil
		}
	}
}

// fail ends the request because of its client.
func (x *exchange) fail(err error) {
	if errors.Is(err, protocol.ErrReset) {
		x.life.Cancel(err)
	}
	x.life.Terminate(err)
}

// observe reports a failure that the application did not return.
func (x *exchange) observe(err error) {
	if o := x.cfg.Settings.Observer; o != nil {
		o.Observe(protocol.Observation{Kind: protocol.Failed, Conn: x.life.Conn(), Err: err})
	}
}

// end ends the lifecycle and lets go of the answer.
func (x *exchange) end(cause error) {
	x.mu.Lock()
	x.over = true
	x.mu.Unlock()
	x.life.End(cause) // from here on the Conn lets no Send through
	x.mu.Lock()
	if x.stream == nil && !x.complete {
		_ = x.store(&protocol.Reject{Status: 500}) // never fails
	}
	x.sink = nil
	x.mu.Unlock()
	if x.cfg.Tracker != nil {
		x.cfg.Tracker.End(x.conn, x.life)
	}
}

var _ protocol.Transport = (*exchange)(nil)
