package http

import (
	"context"

	"github.com/valyala/fasthttp"

	"github.com/portico-go/portico/protocol"
)

// A Front serves an Application in a fasthttp.Server. It is safe for concurrent
// use.
type Front struct {
	app     protocol.Application
	cfg     Config
	buffers buffers
}

// NewFront returns a Front for app.
func NewFront(app protocol.Application, cfg Config) *Front {
	return &Front{app: app, cfg: cfg.withDefaults()}
}

// RequestHandler returns app as a handler for any fasthttp.Server, for plain HTTP.
// See Front.Configure for what the server should be set to.
func RequestHandler(app protocol.Application, cfg Config) fasthttp.RequestHandler {
	return NewFront(app, cfg).ServeFastHTTP
}

// ServeFastHTTP serves one request. A buffered handler has had its Disconnect when
// it returns; then its answer is in fasthttp's response. A streaming one's has a
// head by then.
func (f *Front) ServeFastHTTP(ctx *fasthttp.RequestCtx) {
	x := f.open(ctx)
	if x != nil {
		x.serveFastHTTP(ctx)
	}
}

// open opens the application for a request, or has refused it and returns nil.
func (f *Front) open(ctx *fasthttp.RequestCtx) *exchange {
	x := &exchange{cfg: &f.cfg, app: f.app, buffers: &f.buffers, conn: ctx.Conn()}
	x.sink = fasthttpSink{&ctx.Response}
	err := fillRequest(&x.req, ctx)
	if f.cfg.Scheme != "" {
		x.req.Scheme = f.cfg.Scheme
	}
	x.req.RootPath = f.cfg.RootPath
	if err == nil && f.cfg.Prepare != nil {
		err = f.cfg.Prepare(ctx, &x.req)
	}
	parent := context.Background()
	if f.cfg.Context != nil {
		parent = f.cfg.Context(ctx)
	}
	if x.begin(parent, err) {
		return x
	}
	x.body = fasthttpBody(ctx, f.cfg.StallTimeout)
	x.settleBody(ctx)
	return nil
}

// serveFastHTTP serves an open request.
func (x *exchange) serveFastHTTP(ctx *fasthttp.RequestCtx) {
	x.body = fasthttpBody(ctx, x.cfg.StallTimeout)
	x.serveBuffered(x.policy())
	x.settleBody(ctx)
}

// settleBody closes the connection, once the answer is written, if what is left of
// the request's body would be taken for the next request.
func (x *exchange) settleBody(ctx *fasthttp.RequestCtx) {
	if !x.body.skip() {
		ctx.SetConnectionClose()
	}
}
