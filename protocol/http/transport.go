package http

import (
	"fmt"

	"github.com/valyala/fasthttp"

	"github.com/portico-go/portico/protocol"
)

// Send implements protocol.Transport.
func (x *exchange) Send(ev protocol.Event) error {
	if s := x.settled(); s != nil {
		return s.send(ev)
	}
	return x.store(ev)
}

// declared returns what was declared so far.
func (x *exchange) declared() Policy {
	if x.scope == nil {
		return Policy{}
	}
	return PolicyOf(x.scope)
}

// settle settles that the request is served as p says, unless that is settled
// already. It returns nil for a buffered handler.
func (x *exchange) settle(p Policy) *stream {
	s := buffered
	if p.Stream && !p.native {
		s = newStream(x)
	}
	if !x.mode.CompareAndSwap(nil, s) {
		s = x.mode.Load()
	}
	if s == buffered {
		return nil
	}
	return s
}

// settled is settle by what was declared so far.
func (x *exchange) settled() *stream {
	switch s := x.mode.Load(); s {
	case nil:
		return x.settle(x.declared())
	case buffered:
		return nil
	default:
		return s
	}
}

// streams returns the stream of a handler that has declared one, else nil: it may
// still do so.
func (x *exchange) streams() *stream {
	if x.mode.Load() == nil && !x.declared().Stream {
		return nil
	}
	return x.settled()
}

// store puts what a buffered handler sends into the answer. The Conn's lock guards
// the answer until the end.
func (x *exchange) store(ev protocol.Event) error {
	switch ev := ev.(type) {
	case *Response:
		if err := checkStatus(ev.Head.Status); err != nil {
			return err
		}
		x.answer(&ev.Head, ev.Body)
		x.complete = true
	case *nativeAnswer:
		ev.apply()
		x.started, x.complete = true, true
	case *protocol.Reject:
		head, body := refusal(ev)
		x.answer(&head, body)
		x.complete = true
	case *ResponseStart:
		if err := checkStatus(ev.Head.Status); err != nil {
			return err
		}
		x.answer(&ev.Head, nil)
	case *ResponseBody:
		x.sink.write(ev.Body)
		x.complete = !ev.More
	case *protocol.Close:
		// Half an answer was collected and no more will come: unless the handler
		// wanted it so, nobody must take it for the whole.
		if !meansEnd(ev) {
			return x.store(&protocol.Reject{Status: 500})
		}
		x.complete = true
	default:
		return notAnswer(ev)
	}
	return nil
}

func notAnswer(ev protocol.Event) error {
	return fmt.Errorf("http: %s is no answer to an HTTP request: send an *http.Response, or an *http.ResponseStart and *http.ResponseBody", ev.EventType())
}

func (x *exchange) answer(head *protocol.Head, body []byte) {
	x.sink.start(head, x.started || x.native.Load())
	if len(body) > 0 && !bodyless(head.Status) {
		x.sink.write(body)
	}
	x.started = true
}

// meansEnd reports whether a close ends an answer properly.
func meansEnd(c *protocol.Close) bool {
	return c.Code == 0 || c.Code == protocol.CloseNormal || c.Code == protocol.CloseGoingAway
}

// Flush implements protocol.Transport.
func (x *exchange) Flush() error {
	if x.streams() == nil {
		return ErrBuffered
	}
	return nil // parts leave as they come
}

// Post implements protocol.Transport.
func (x *exchange) Post(ev protocol.Event) error {
	s := x.streams()
	if s == nil {
		return ErrBuffered
	}
	return s.box.Post(ev)
}

// fasthttp returns the RequestCtx of a request that fasthttp serves, as long as it
// is the application's turn, else nil.
func (x *exchange) fasthttp() *fasthttp.RequestCtx {
	if s, ok := x.sink.(fasthttpSink); ok && x.mode.Load() == buffered {
		x.native.Store(true) // what the handler leaves in the response, a refusal replaces
		return s.ctx
	}
	return nil
}
