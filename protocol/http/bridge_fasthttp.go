package http

import (
	"context"
	"errors"
	"io"
	"net"
	"slices"

	"github.com/valyala/fasthttp"

	"github.com/portico-go/portico/protocol"
)

// FastHTTP returns an Application that answers with a handler of fasthttp. Served
// by fasthttp, the handler gets the server's own RequestCtx and nothing is copied:
// hijacking, SetBodyStreamWriter and TimeoutError work as ever, and a body behind
// StreamBody is there as RequestBodyStream. Response hooks see and change the
// status and headers that the handler set, before they are sent. Over another
// transport the handler gets a RequestCtx made from the scope and the body.
func FastHTTP(h fasthttp.RequestHandler) protocol.Application { return &fasthttpApp{h} }

type fasthttpApp struct{ h fasthttp.RequestHandler }

// Open implements protocol.Application.
func (a *fasthttpApp) Open(_ context.Context, scope *protocol.Scope, conn *protocol.Conn) (protocol.Handler, error) {
	record(scope, func(p *Policy) { p.native = true })
	return &fasthttpHandler{h: a.h, scope: scope, conn: conn}, nil
}

// Describe implements protocol.Described.
func (a *fasthttpApp) Describe() protocol.Description { return protocol.Description{Name: "FastHTTP"} }

type fasthttpHandler struct {
	h     fasthttp.RequestHandler
	scope *protocol.Scope
	conn  *protocol.Conn
	body  []byte // the parts so far
}

// Handle implements protocol.Handler.
func (f *fasthttpHandler) Handle(ctx context.Context, ev protocol.Event) error {
	req, ok := ev.(*Request)
	if !ok {
		return nil
	}
	if x, ok := f.conn.Transport().(*exchange); ok {
		if fctx := x.fasthttp(); fctx != nil {
			return f.serve(fctx, req)
		}
	}
	if req.More {
		f.body = append(f.body, req.Body...)
		return nil
	}
	return f.emulate(ctx, append(f.body, req.Body...))
}

// serve runs the handler on the server's RequestCtx.
func (f *fasthttpHandler) serve(ctx *fasthttp.RequestCtx, req *Request) error {
	if ctx.Request.IsBodyStream() && len(req.Body) > 0 {
		ctx.Request.SetBodyRaw(req.Body) // it was read from the stream
	}
	f.h(ctx)
	resp := &ctx.Response
	if late := ctx.LastTimeoutErrorResponse(); late != nil {
		resp = late
	}
	return f.conn.Send(&nativeAnswer{head: headOf(resp), resp: resp})
}

// emulate runs the handler on a RequestCtx made for it.
func (f *fasthttpHandler) emulate(ctx context.Context, body []byte) error {
	var req fasthttp.Request
	req.Header.SetMethod(f.scope.Method())
	req.SetRequestURI(f.scope.RawPath() + query(f.scope))
	for name, value := range f.scope.Headers().All() {
		req.Header.Add(name, value)
	}
	req.SetBody(body)
	var fctx fasthttp.RequestCtx
	fctx.Init(&req, net.TCPAddrFromAddrPort(f.scope.Client()), nil)
	f.h(&fctx)
	resp := &fctx.Response
	if late := fctx.LastTimeoutErrorResponse(); late != nil {
		resp = late
	}
	if !resp.IsBodyStream() {
		return f.conn.Send(&Response{Head: headOf(resp), Body: resp.Body()})
	}
	defer func() { _ = resp.CloseBodyStream() }() // the parts are what counts
	if err := f.conn.Send(&ResponseStart{Head: headOf(resp)}); err != nil {
		return err
	}
	return sendStream(ctx, f.conn, resp.BodyStream())
}

func query(scope *protocol.Scope) string {
	if scope.RawQuery() == "" {
		return ""
	}
	return "?" + scope.RawQuery()
}

// sendStream sends what r has as the parts of an answer.
func sendStream(ctx context.Context, conn *protocol.Conn, r io.Reader) error {
	buf := make([]byte, bodyChunk)
	for {
		n, err := r.Read(buf)
		if err != nil && err != io.EOF {
			return err
		}
		if drained := Drain(ctx, conn); drained != nil && !errors.Is(drained, ErrBuffered) {
			return drained
		}
		if sent := conn.Send(&ResponseBody{Body: buf[:n], More: err == nil}); sent != nil || err != nil {
			return sent
		}
	}
}

// A nativeAnswer is an answer that lies in fasthttp's response already.
type nativeAnswer struct {
	head protocol.Head
	resp *fasthttp.Response
	sent protocol.Fields // the fields before hooks saw them
}

// EventType implements protocol.Event.
func (*nativeAnswer) EventType() string { return "http.response" }

// Step implements protocol.Stepper.
func (*nativeAnswer) Step() protocol.Step { return protocol.StepAnswer }

// Answer implements protocol.Answer.
func (n *nativeAnswer) Answer() *protocol.Head {
	n.sent = slices.Clone(n.head.Header)
	return &n.head
}

// apply puts what hooks changed back into the response.
func (n *nativeAnswer) apply() {
	n.resp.SetStatusCode(n.head.Status)
	if slices.Equal(n.sent, n.head.Header) {
		return
	}
	h := &n.resp.Header
	for _, f := range n.sent {
		h.Del(f.Name)
	}
	setFields(h, n.head.Header)
}

// headOf returns the status and the fields of a response of fasthttp.
func headOf(resp *fasthttp.Response) protocol.Head {
	head := protocol.Head{Status: resp.StatusCode()}
	for name, value := range resp.Header.All() {
		if string(name) == "Content-Length" && !resp.SkipBody {
			continue // it is set when the answer is written
		}
		head.Header.Add(string(name), string(value))
	}
	return head
}
