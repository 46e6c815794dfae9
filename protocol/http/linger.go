package http

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"time"

	"github.com/valyala/fasthttp"
)

// How long, and for how many bytes, a connection is kept open for a client that
// still sends a body which nobody wants.
const (
	lingerTime  = time.Second
	lingerBytes = 1 << 20
)

// linger answers a request whose body was not read, and closes the connection in a
// way that lets the client see the answer: a connection that is closed while bytes
// of the client's are unread is reset, and the reset may overtake the answer (RFC
// 9112, section 9.6). fasthttp would do that, so it is done without it.
func (x *exchange) linger(ctx *fasthttp.RequestCtx) {
	ctx.SetConnectionClose()
	if !hasConn(ctx) || ctx.Response.IsBodyStream() || ctx.Hijacked() || ctx.LastTimeoutErrorResponse() != nil {
		return
	}
	ctx.Response.SkipBody = ctx.IsHead()
	var answer bytes.Buffer
	w := bufio.NewWriter(&answer)
	if ctx.Response.Write(w) != nil || w.Flush() != nil {
		return // fasthttp will find out for itself
	}
	stall := x.site.cfg.StallTimeout
	ctx.HijackSetNoResponse(true)
	ctx.Hijack(func(c net.Conn) {
		defer func() { _ = c.Close() }()
		_ = c.SetWriteDeadline(time.Now().Add(stall))
		if _, err := c.Write(answer.Bytes()); err != nil {
			return
		}
		closeWrite(c)
		_ = c.SetReadDeadline(time.Now().Add(lingerTime))
		_, _ = io.CopyN(io.Discard, c, lingerBytes) // until the client closes, or time is up
	})
}

// closeWrite says that no more will come.
func closeWrite(c net.Conn) {
	if u, ok := c.(interface{ UnsafeConn() net.Conn }); ok {
		c = u.UnsafeConn()
	}
	if half, ok := c.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite() // the connection is closed soon anyway
	}
}
