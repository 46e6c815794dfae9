package http

import (
	"bufio"
	"context"
	"net"

	"github.com/valyala/fasthttp"

	"github.com/portico-go/portico/protocol"
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
	o.x.site.finish(&ctx.Response)
}

// Close ends a request that is not served after all.
func (o *Opened) Close() error { return o.x.Close() }

// Answer answers a request without fasthttp's loop, if its handler is a buffered one:
// otherwise it is Left, and to be served by fasthttp on the same c, from the same head on,
// with opened. The answer is written to c, which is the connection to all that ask for it.
//
// req is a Common one of ViewHead, whose caller has filled in what Config.Context and
// Config.Prepare are for elsewhere; neither is called. What it aliases may be used again
// when Answer returns, and so may req.
func (f *Front) Answer(parent context.Context, c net.Conn, req *protocol.Request) (outcome Outcome, opened *Opened) {
	r, ok := f.simples.Get().(*simple)
	if !ok {
		r = &simple{out: bufio.NewWriter(nil)}
	}
	defer f.put(r)
	resp := &r.response
	resp.Header.SetNoDefaultContentType(true)
	resp.SkipBody = req.Method == "HEAD"
	req.Own()
	f.site.complete(req)
	x := &exchange{site: &f.site, conn: c, sink: responseSink{resp}}
	if x.begin(parent, req, nil) {
		p, s := x.policy()
		if s != nil || p.native {
			return Left, &Opened{x}
		}
		x.serveBuffered(p)
	} else {
		x.answerRefused(resp)
	}
	f.site.finish(resp)
	r.out.Reset(c)
	if resp.Write(r.out) != nil || r.out.Flush() != nil || resp.ConnectionClose() {
		return Closing, nil
	}
	return Answered, nil
}

// A simple is what Answer needs for a request.
type simple struct {
	response fasthttp.Response
	out      *bufio.Writer
}

func (f *Front) put(r *simple) {
	r.response.Reset()
	r.out.Reset(nil)
	f.simples.Put(r)
}
