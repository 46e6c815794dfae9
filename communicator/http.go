package communicator

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/portico-go/portico/protocol"
	"github.com/portico-go/portico/protocol/http"
)

// An HTTPRequest drives one HTTP request.
type HTTPRequest struct {
	*Communicator

	// Body is the request's body, which Do and Start send as one event.
	Body []byte
}

// A Response is the application's answer to an HTTPRequest.
type Response struct {
	Status int
	Header protocol.Fields
	Body   []byte
}

// HTTP returns a communicator for a request to target, "/path?query".
func HTTP(t testing.TB, app protocol.Application, method, target string, options ...Option) *HTTPRequest {
	t.Helper()
	req := &protocol.Request{Protocol: "http", Version: "1.1", Method: method, Scheme: "http", Target: target}
	return &HTTPRequest{Communicator: build(t, app, req, protocol.Fields{{Name: "Host", Value: "127.0.0.1:8000"}}, options)}
}

// WithBody sets the body and returns the request.
func (r *HTTPRequest) WithBody(body string) *HTTPRequest {
	r.Body = []byte(body)
	return r
}

// Start opens the request and delivers the body, without waiting for the answer.
func (r *HTTPRequest) Start() { r.Open(&http.Request{Body: r.Body}) }

// Do opens the request, delivers the body, and waits for the whole answer. A
// refusal is an answer too.
func (r *HTTPRequest) Do() (*Response, error) {
	r.Start()
	return r.Response()
}

// Response waits for the whole answer of a request that was started.
func (r *HTTPRequest) Response() (*Response, error) {
	answer, complete, err := r.head()
	if answer == nil || complete {
		return answer, err
	}
	var body bytes.Buffer
	for {
		part, more, err := r.ReceivePart()
		if part == nil && err != nil {
			return nil, err
		}
		body.Write(part)
		if !more {
			answer.Body = body.Bytes()
			return answer, err
		}
	}
}

// ReceiveStart waits for the beginning of a streamed answer.
func (r *HTTPRequest) ReceiveStart() (*Response, error) {
	answer, _, err := r.head()
	return answer, err
}

// ReceivePart waits for the next part of a streamed answer, and says whether more
// follow.
func (r *HTTPRequest) ReceivePart() (part []byte, more bool, err error) {
	ev, err := r.Receive()
	switch ev := ev.(type) {
	case nil:
		return nil, false, err
	case *http.ResponseBody:
		return append([]byte{}, ev.Body...), ev.More, err
	default:
		return nil, false, errors.Join(unexpected("http.response.body", ev), err)
	}
}

// head waits for the head of the answer, and says whether that is all of it.
func (r *HTTPRequest) head() (answer *Response, complete bool, err error) {
	ev, err := r.Receive()
	switch ev := ev.(type) {
	case nil:
		return nil, true, err
	case *http.Response:
		return &Response{ev.Head.Status, ev.Head.Header, ev.Body}, true, err
	case *http.ResponseStart:
		return &Response{Status: ev.Head.Status, Header: ev.Head.Header}, false, err
	case *protocol.Reject:
		body := ev.Body
		if body == nil {
			body = []byte(ev.Text())
		}
		return &Response{ev.StatusOrDefault(), ev.Header, body}, true, err
	default:
		return nil, true, errors.Join(unexpected("http.response", ev), err)
	}
}

// Cookies returns the values of the Set-Cookie headers as a Cookie header for the
// next request.
func (r *Response) Cookies() string {
	var cookies []string
	for _, f := range r.Header {
		if strings.EqualFold(f.Name, "Set-Cookie") {
			pair, _, _ := strings.Cut(f.Value, ";")
			cookies = append(cookies, pair)
		}
	}
	return strings.Join(cookies, "; ")
}

// cloneHTTP copies what an application may use again after Send.
func cloneHTTP(ev protocol.Event) protocol.Event {
	switch ev := ev.(type) {
	case *http.Response:
		return &http.Response{Head: cloneHead(ev.Head), Body: slices.Clone(ev.Body)}
	case *http.ResponseStart:
		return &http.ResponseStart{Head: cloneHead(ev.Head)}
	case *http.ResponseBody:
		return &http.ResponseBody{Body: slices.Clone(ev.Body), More: ev.More}
	}
	return ev
}

func cloneHead(h protocol.Head) protocol.Head {
	return protocol.Head{Status: h.Status, Header: slices.Clone(h.Header)}
}
