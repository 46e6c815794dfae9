package http

import (
	"context"
	"sync"

	"github.com/valyala/fasthttp"

	"github.com/portico-go/portico/protocol"
)

// A Front serves an Application in a fasthttp.Server. It is safe for concurrent
// use.
type Front struct {
	site    site
	simples sync.Pool // for Answer
}

// NewFront returns a Front for app.
func NewFront(app protocol.Application, cfg Config) *Front {
	return &Front{site: site{app: app, cfg: cfg.withDefaults()}}
}

// RequestHandler returns app as a handler for any fasthttp.Server, for plain HTTP.
// See Front.Configure for what the server should be set to.
func RequestHandler(app protocol.Application, cfg Config) fasthttp.RequestHandler {
	return NewFront(app, cfg).ServeFastHTTP
}

// pendingKey is where Expect leaves an exchange for ServeFastHTTP.
type pendingKey struct{}

// Expect decides about a request that waits for "100 Continue" before it sends its
// body (RFC 9110, section 10.1.1): the application opens first, and if it refuses,
// or the body is longer than the route takes, that is the answer and nothing more is
// read. It is a fasthttp.Server's ExpectHandler; Configure sets it.
func (f *Front) Expect(ctx *fasthttp.RequestCtx) int {
	x := f.open(ctx)
	if x == nil {
		return ctx.Response.StatusCode()
	}
	p, _ := x.policy()
	if length := int64(ctx.Request.Header.ContentLength()); p.BodyLimit > 0 && length > p.BodyLimit {
		err := tooLarge(p.BodyLimit)
		x.life.Terminate(err)
		x.refuse(ctx, err)
		return ctx.Response.StatusCode()
	}
	ctx.SetUserValue(pendingKey{}, x)
	return fasthttp.StatusContinue
}

// Close implements io.Closer, for fasthttp: it forgets a request that Expect let
// through if its body does not come.
func (x *exchange) Close() error {
	if !x.serving {
		x.life.Cancel(protocol.ErrReset)
		x.drop(protocol.ErrReset)
	}
	return nil
}

// ServeFastHTTP serves one request. A buffered handler has had its Disconnect when
// it returns; then its answer is in fasthttp's response. A streaming one's has a
// head by then.
func (f *Front) ServeFastHTTP(ctx *fasthttp.RequestCtx) {
	x, ok := ctx.UserValue(pendingKey{}).(*exchange)
	if !ok {
		x = f.open(ctx)
	}
	if x != nil {
		x.serveFastHTTP(ctx)
	}
	f.site.finish(&ctx.Response)
}

// finish has the connection closed behind an answer that is the last.
func (s *site) finish(resp *fasthttp.Response) {
	if s.draining() {
		resp.SetConnectionClose()
	}
}

// complete fills in what the Config says of all requests.
func (s *site) complete(req *protocol.Request) {
	if s.cfg.Scheme != "" {
		req.Scheme = s.cfg.Scheme
	}
	req.RootPath = s.cfg.RootPath
}

// open opens the application for a request, or has refused it and returns nil.
func (f *Front) open(ctx *fasthttp.RequestCtx) *exchange {
	cfg := &f.site.cfg
	x := &exchange{site: &f.site, conn: ctx.Conn(), sink: fasthttpSink{ctx}}
	req := f.site.requests.get()
	err := ViewRequest(req, ctx)
	req.Own()
	f.site.complete(req)
	if err == nil && cfg.Prepare != nil {
		err = cfg.Prepare(ctx, req)
	}
	parent := context.Background()
	if cfg.Context != nil {
		parent = cfg.Context(ctx)
	}
	opened := x.begin(parent, req, err)
	f.site.requests.put(req)
	if opened {
		return x
	}
	x.body.initFastHTTP(ctx, x)
	x.answerRefused(&ctx.Response)
	x.settleBody(ctx)
	return nil
}

// refuse ends an exchange that was opened, but is not to be served.
func (x *exchange) refuse(ctx *fasthttp.RequestCtx, cause error) {
	x.drop(cause)
	x.answerRefused(&ctx.Response)
	x.settleBody(ctx)
}

// answerRefused answers a request that was refused before it was served.
func (x *exchange) answerRefused(resp *fasthttp.Response) {
	if s := x.settled(); s != nil {
		head, body, whole := s.await()
		if !whole { // the application failed in the middle of an answer
			h, b := refusal(&protocol.Reject{Status: 500})
			head, body = &h, b
		}
		sink := responseSink{resp}
		sink.start(head, false)
		sink.write(body)
	}
}

// serveFastHTTP serves an open request.
func (x *exchange) serveFastHTTP(ctx *fasthttp.RequestCtx) {
	x.serving = true
	x.body.initFastHTTP(ctx, x)
	p, s := x.policy()
	if s != nil {
		s.serve(ctx, p)
		return
	}
	x.serveBuffered(p)
	x.settleBody(ctx)
}

// hasConn reports whether a connection lies beneath ctx: a RequestCtx that was made
// by hand has none, and only pretends.
func hasConn(ctx *fasthttp.RequestCtx) bool { return ctx.ConnRequestNum() > 0 }

// settleBody closes the connection, once the answer is written, if what is left of
// the request's body would be taken for the next request.
func (x *exchange) settleBody(ctx *fasthttp.RequestCtx) {
	if x.body.rest == nil {
		return
	}
	if !x.body.rest.skip() {
		x.linger(ctx)
	}
	x.body.rest.stop()
}
