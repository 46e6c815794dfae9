package http

import (
	"bufio"
	"bytes"
	"net"

	"github.com/valyala/fasthttp"
)

// An Outcome is what became of a request that Answer was given.
type Outcome uint8

// The outcomes of Answer.
const (
	// Left says that fasthttp has to serve the request: nothing was written.
	Left Outcome = iota
	// Answered says that the answer was written, and the connection goes on.
	Answered
	// Closing says that the connection is to be closed now.
	Closing
)

// An Opened is a request for which the application was opened before it turned out that
// fasthttp has to serve it.
type Opened struct{ x *exchange }

// ServeFastHTTP serves the request as Front.ServeFastHTTP does.
func (o *Opened) ServeFastHTTP(ctx *fasthttp.RequestCtx) {
	o.x.sink = fasthttpSink{ctx}
	o.x.serveFastHTTP(ctx)
	o.x.site.finish(ctx)
}

// Close ends a request that is not served after all.
func (o *Opened) Close() error { return o.x.Close() }

// Answer answers a request without fasthttp's loop, if that takes no more than its head:
// a GET or HEAD of HTTP/1.1 that keeps the connection, for a buffered handler. head is
// one that is complete, and not kept. The answer is written to c, which is the
// connection to all that ask for it. What is not answered is to be served by fasthttp
// on the same c, from the same head on; with opened, unless that is nil.
//
// What is wrong with a request is left to fasthttp, so that there is one place for it.
func (f *Front) Answer(c net.Conn, head []byte) (outcome Outcome, opened *Opened) {
	r, ok := f.simples.Get().(*simple)
	if !ok {
		r = &simple{in: bufio.NewReaderSize(nil, len(head)), out: bufio.NewWriter(nil)}
	}
	defer f.put(r)
	if !r.read(c, head) {
		return Left, nil
	}
	ctx := &r.ctx
	if x := f.open(ctx); x != nil {
		p, s := x.policy()
		if s != nil || p.native {
			return Left, &Opened{x}
		}
		x.body.setWhole(nil)
		x.serveBuffered(p)
	}
	f.site.finish(ctx)
	ctx.Response.SkipBody = ctx.IsHead()
	r.out.Reset(c)
	if ctx.Response.Write(r.out) != nil || r.out.Flush() != nil || ctx.Response.ConnectionClose() {
		return Closing, nil
	}
	return Answered, nil
}

// A simple is what Answer needs for a request.
type simple struct {
	ctx  fasthttp.RequestCtx
	uri  fasthttp.URI
	head bytes.Reader
	in   *bufio.Reader
	out  *bufio.Writer
}

// read reads a head as fasthttp's server does. It reports whether the request is simple.
func (r *simple) read(c net.Conn, head []byte) bool {
	if r.in.Size() < len(head) {
		r.in = bufio.NewReaderSize(nil, 2*len(head))
	}
	r.head.Reset(head)
	r.in.Reset(&r.head)
	r.ctx.Init2(c, nil, false)
	r.ctx.Response.Header.SetNoDefaultContentType(true)
	h := &r.ctx.Request.Header
	return h.Read(r.in) == nil && r.in.Buffered() == 0 &&
		(h.IsGet() || h.IsHead()) && h.IsHTTP11() && !h.ConnectionClose() &&
		h.ContentLength() == noLength && len(h.Peek(fasthttp.HeaderUpgrade)) == 0 && !r.ctx.Request.MayContinue() &&
		r.uri.Parse(h.Host(), h.RequestURI()) == nil
}

// noLength is what fasthttp says of a request without a Content-Length.
const noLength = -2

func (f *Front) put(r *simple) {
	r.ctx.Request.Reset()
	r.ctx.Response.Reset()
	r.ctx.ResetUserValues()
	r.in.Reset(nil)
	r.out.Reset(nil)
	f.simples.Put(r)
}
