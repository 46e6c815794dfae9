package http

import (
	"fmt"
	nethttp "net/http"
	"strings"

	"github.com/valyala/fasthttp"

	"github.com/portico-go/portico/protocol"
)

// A sink takes the answer of one request.
type sink interface {
	// start stores a head. again says that it replaces an answer that was begun.
	start(head *protocol.Head, again bool)
	// write appends to the body. It copies p.
	write(p []byte)
}

// checkStatus refuses what is no final status.
func checkStatus(status int) error {
	if status < 200 || status > 999 {
		return fmt.Errorf("http: %d is not the status of an answer: use 200 to 599", status)
	}
	return nil
}

// bodyless reports whether answers with a status have no body (RFC 9110, section
// 6.4.1).
func bodyless(status int) bool {
	return status == nethttp.StatusNoContent || status == nethttp.StatusNotModified
}

// A refusal is a *protocol.Reject as an answer: its headers, and its body or else
// its reason as plain text, which no browser may take for anything else.
func refusal(r *protocol.Reject) (head protocol.Head, body []byte) {
	head = protocol.Head{Status: r.StatusOrDefault(), Header: r.Header}
	if checkStatus(head.Status) != nil {
		head.Status = nethttp.StatusInternalServerError
	}
	if r.Body != nil || bodyless(head.Status) {
		return head, r.Body
	}
	head.Header = make(protocol.Fields, 0, len(r.Header)+2)
	for _, f := range r.Header {
		if !strings.EqualFold(f.Name, "Content-Type") && !strings.EqualFold(f.Name, "X-Content-Type-Options") {
			head.Header = append(head.Header, f)
		}
	}
	head.Header.Add("Content-Type", "text/plain; charset=utf-8")
	head.Header.Add("X-Content-Type-Options", "nosniff")
	return head, []byte(r.Text() + "\n")
}

// A fasthttpSink puts the answer to a request of fasthttp into its response.
type fasthttpSink struct{ ctx *fasthttp.RequestCtx }

func (s fasthttpSink) start(head *protocol.Head, again bool) {
	responseSink{&s.ctx.Response}.start(head, again)
}

func (s fasthttpSink) write(p []byte) { s.ctx.Response.AppendBody(p) }

// A responseSink puts the answer into a response of fasthttp.
type responseSink struct{ response *fasthttp.Response }

func (s responseSink) start(head *protocol.Head, again bool) {
	resp := s.response
	if again {
		resp.ResetBody()
		resp.Header.Reset()
	}
	resp.SetStatusCode(head.Status)
	setFields(&resp.Header, head.Header)
}

func (s responseSink) write(p []byte) { s.response.AppendBody(p) }

// setFields sets header fields, but for those that say how the message is framed:
// fasthttp does that. A Content-Length is kept for an answer without a body, as to
// HEAD, which 204 is not (RFC 9110, section 8.6).
func setFields(h *fasthttp.ResponseHeader, fields protocol.Fields) {
	closing := h.ConnectionClose()
	for _, f := range fields {
		switch {
		case is(f.Name, "Content-Type"):
			h.SetContentType(f.Value)
		case is(f.Name, "Connection") && strings.EqualFold(f.Value, "close"):
			closing = true
		case is(f.Name, "Trailer"), is(f.Name, "Transfer-Encoding"):
		case is(f.Name, "Content-Length") && h.StatusCode() == nethttp.StatusNoContent:
		default:
			h.Add(f.Name, f.Value)
		}
	}
	if closing {
		h.SetConnectionClose() // last: another Connection field would take it back
	}
}

// is reports whether two header names are the same.
func is(name, other string) bool { return len(name) == len(other) && strings.EqualFold(name, other) }
