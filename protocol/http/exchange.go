package http

import (
	"context"
	"errors"
	"net"
	"slices"
	"sync"
	"sync/atomic"

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

// A site is what all requests of a Front or a Handler share.
type site struct {
	app     protocol.Application
	cfg     Config
	buffers buffers

	requests requests
}

// draining reports whether the server shuts down.
func (s *site) draining() bool { return s.cfg.Draining != nil && s.cfg.Draining() }

// requests are filled in before a connection keeps what it needs of them.
type requests struct{ pool sync.Pool }

// get returns an empty Request.
func (p *requests) get() *protocol.Request {
	if r, ok := p.pool.Get().(*protocol.Request); ok {
		return r
	}
	return new(protocol.Request)
}

func (p *requests) put(r *protocol.Request) {
	*r = protocol.Request{}
	p.pool.Put(r)
}

// An exchange is one request with its answer: the Transport of its Conn. Besides
// the string in its request it is all that the protocol allocates for it.
type exchange struct {
	site *site
	life protocol.Lifecycle
	room protocol.Room

	scope *protocol.Scope // the first one, from Open on
	event Request
	body  body
	conn  net.Conn // fasthttp's; nil behind Handler

	mode atomic.Pointer[stream] // nil until it is settled

	// The answer of a buffered handler. It is written by Send, and when Send is not
	// called any more, at the end.
	sink     sink // nil when the exchange is over
	started  bool // it has a head
	complete bool // it is whole

	serving bool        // beyond Expect
	native  atomic.Bool // the handler has fasthttp's own response
}

// buffered is the mode of handlers that do not stream.
var buffered = new(stream)

// Open implements protocol.Application: it keeps the scope, through which the
// policies are read.
func (x *exchange) Open(ctx context.Context, scope *protocol.Scope, conn *protocol.Conn) (protocol.Handler, error) {
	x.scope = scope
	return x.site.app.Open(ctx, scope, conn)
}

// begin makes the lifecycle and opens the application; filled is the error of filling
// req in, which is not kept. It reports whether there is a handler; otherwise the answer
// is a refusal, and all is over.
func (x *exchange) begin(parent context.Context, req *protocol.Request, filled error) bool {
	err := x.life.Init(parent, req, x, x.site.cfg.Settings)
	noTarget := req.Target == ""
	if x.site.cfg.Tracker != nil {
		x.site.cfg.Tracker.Begin(x.conn, &x.life)
	}
	if filled != nil {
		err = filled
	} else if err == nil && noTarget { // OPTIONS *, about the server as a whole
		err = &protocol.Reject{Status: 204}
	}
	if err != nil {
		x.life.Terminate(err)
	} else if err = x.life.Open(x); err == nil {
		return true
	}
	x.drop(err)
	return false
}

// drop ends an exchange that is not served.
func (x *exchange) drop(cause error) {
	s := x.settled()
	if s == nil {
		x.end(cause)
		return
	}
	s.box.Close(func() { x.end(cause) })
	s.box.Release()
}

// policy settles how the request is served, when Open has returned. The stream is
// nil for a buffered handler.
func (x *exchange) policy() (Policy, *stream) {
	p := PolicyOf(x.scope)
	if p.BodyLimit == 0 && !p.StreamBody {
		p.BodyLimit = x.site.cfg.MaxBody
	}
	s := x.settle(p)
	if s != nil { // the handler may outlast fasthttp's buffers
		x.body.whole = slices.Clone(x.body.whole)
	}
	return p, s
}

// serveBuffered runs a buffered handler on the caller's goroutine.
func (x *exchange) serveBuffered(p Policy) {
	err := x.deliver(p, x.life.Deliver)
	if state := x.life.Conn().State(); err == nil && state < protocol.StateClosing {
		if err = errNoAnswer; state == protocol.StateAccepted {
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
	if p.StreamBody {
		return x.deliverParts(p.BodyLimit, deliver)
	}
	if x.body.rest == nil { // nothing is to be read
		return x.deliverWhole(new([]byte), p.BodyLimit, deliver)
	}
	buf := x.site.buffers.get()
	defer x.site.buffers.put(buf)
	return x.deliverWhole(buf, p.BodyLimit, deliver)
}

// deliverWhole reads the body, into buf unless somebody has read it before, and
// hands it over.
func (x *exchange) deliverWhole(buf *[]byte, limit int64, deliver func(protocol.Event) error) error {
	whole, err := x.body.readAll((*buf)[:0], limit)
	*buf = whole
	if err != nil {
		x.fail(err)
		return err
	}
	x.event.Body = whole
	defer func() { x.event.Body = nil }()
	return deliver(&x.event)
}

// deliverParts delivers the body part by part; the next is read when the handler
// has returned.
func (x *exchange) deliverParts(limit int64, deliver func(protocol.Event) error) error {
	if x.body.rest == nil {
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
		n, err := x.body.rest.nextWithin(buf, limit)
		if err != nil {
			x.fail(err)
			return err
		}
		if err := deliver(&Request{Body: buf[:n], More: !x.body.done()}); err != nil {
			return err
		}
		if x.body.done() {
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
	if o := x.site.cfg.Settings.Observer; o != nil {
		o.Observe(protocol.Observation{Kind: protocol.Failed, Conn: x.life.Conn(), Err: err})
	}
}

// end ends the lifecycle and lets go of the answer.
func (x *exchange) end(cause error) {
	x.life.End(cause) // from here on the Conn lets no Send through
	if s := x.mode.Load(); s != buffered {
		s.leave()
	} else if !x.complete {
		_ = x.store(&protocol.Reject{Status: 500}) // never fails
	}
	x.sink = nil
	if x.site.cfg.Tracker != nil {
		x.site.cfg.Tracker.End(x.conn, &x.life)
	}
}

// Room implements protocol.RoomyTransport.
func (x *exchange) Room() *protocol.Room { return &x.room }

var _ protocol.RoomyTransport = (*exchange)(nil)
