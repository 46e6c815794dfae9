package http

import (
	nethttp "net/http"

	"github.com/portico-go/portico/protocol"
)

// A Request is the incoming event of an HTTP request: its body. By default there
// is one with the whole body. Behind StreamBody there are several, and More is
// true in all but the last, whose Body may be empty.
type Request struct {
	// Body is valid until Handle returns.
	Body []byte
	// More says that another Request follows.
	More bool
}

// A Response is a whole answer. Sent, it is copied.
type Response struct {
	// Head is the status, where 0 is 200, and the header fields. Response hooks
	// change it in place, so it must not be shared by several answers.
	// Content-Length and Transfer-Encoding are set by the server; what an
	// application says of them is ignored, but for the length of an answer to HEAD.
	Head protocol.Head
	// Body is the content. It is left out of an answer to HEAD and of those that
	// have none (204 and 304).
	Body []byte
}

// A ResponseStart begins an answer whose body follows in ResponseBody events. A
// buffered handler's parts are collected; a streaming one's leave as they come,
// chunked, or with the Content-Length given in Head.
type ResponseStart struct {
	// Head is as in Response.
	Head protocol.Head
}

// A ResponseBody is a part of an answer that was begun with ResponseStart. Sent,
// it is copied.
type ResponseBody struct {
	// Body may be empty.
	Body []byte
	// More says that another part follows. The one without it ends the answer.
	More bool
}

// EventType implements protocol.Event.
func (*Request) EventType() string { return "http.request" }

// EventType implements protocol.Event.
func (*Response) EventType() string { return "http.response" }

// EventType implements protocol.Event.
func (*ResponseStart) EventType() string { return "http.response.start" }

// EventType implements protocol.Event.
func (*ResponseBody) EventType() string { return "http.response.body" }

// Step implements protocol.Stepper.
func (*Response) Step() protocol.Step { return protocol.StepAnswer }

// Step implements protocol.Stepper.
func (*ResponseStart) Step() protocol.Step { return protocol.StepAccept }

// Step implements protocol.Stepper.
func (b *ResponseBody) Step() protocol.Step {
	if b.More {
		return protocol.StepData
	}
	return protocol.StepEnd
}

// Answer implements protocol.Answer.
func (r *Response) Answer() *protocol.Head { return withStatus(&r.Head) }

// Answer implements protocol.Answer.
func (r *ResponseStart) Answer() *protocol.Head { return withStatus(&r.Head) }

// withStatus makes the status plain to response hooks.
func withStatus(head *protocol.Head) *protocol.Head {
	if head.Status == 0 {
		head.Status = nethttp.StatusOK
	}
	return head
}
