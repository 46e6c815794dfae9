package http

import (
	"fmt"

	"github.com/valyala/fasthttp"

	"github.com/portico-go/portico/protocol"
)

// Send implements protocol.Transport.
func (x *exchange) Send(ev protocol.Event) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.streams() {
		return x.stream.send(ev)
	}
	return x.store(ev)
}

// streams reports whether the handler streams. While Open runs that is what was
// declared so far, as long as nothing was sent. x.mu is held.
func (x *exchange) streams() bool {
	if x.stream == nil && !x.opened && !x.started && x.scope != nil && PolicyOf(x.scope).Stream {
		x.stream = newStream(x)
	}
	return x.stream != nil
}

// store puts what a buffered handler sends into the answer. x.mu is held.
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
	x.sink.start(head, x.started)
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
	x.mu.Lock()
	defer x.mu.Unlock()
	switch {
	case x.over:
		return protocol.ErrClosed
	case x.streams():
		return nil // parts leave as they come
	}
	return ErrBuffered
}

// Post implements protocol.Transport.
func (x *exchange) Post(ev protocol.Event) error {
	x.mu.Lock()
	if x.over {
		x.mu.Unlock()
		return protocol.ErrClosed
	}
	if !x.streams() {
		x.mu.Unlock()
		return ErrBuffered
	}
	s := x.stream
	x.mu.Unlock()
	return s.box.Post(ev)
}

// fasthttp returns the RequestCtx of a request that fasthttp serves, as long as it
// is the application's turn, else nil.
func (x *exchange) fasthttp() *fasthttp.RequestCtx {
	x.mu.Lock()
	defer x.mu.Unlock()
	if s, ok := x.sink.(fasthttpSink); ok && x.stream == nil {
		x.started = true // what the handler leaves in the response, a refusal replaces
		return s.ctx
	}
	return nil
}
