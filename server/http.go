package server

import (
	"context"
	"net"
	"time"

	"github.com/valyala/fasthttp"
	"go.uber.org/zap"

	"github.com/portico-go/portico/protocol"
	"github.com/portico-go/portico/protocol/http"
	"github.com/portico-go/portico/protocol/websocket"
)

// serveHTTP sets p up for HTTP: for requests if they are wanted, and for the
// handshakes of WebSockets.
func (p *port) serveHTTP(requests bool) {
	p.http = &fasthttp.Server{
		Handler:               p.handle,
		ReadBufferSize:        p.limits.Header,
		Concurrency:           1 << 30, // connections are limited elsewhere
		NoDefaultServerHeader: true,
		NoDefaultContentType:  true,
		Logger:                httpLogger{p.srv.log.Named("fasthttp").Sugar()},
		ConnState:             connState,
	}
	front := http.NewFront(plain{p.srv.app, p.upgrader != nil}, http.Config{
		Settings:     p.srv.settings,
		Context:      func(*fasthttp.RequestCtx) context.Context { return p.srv.base },
		Prepare:      prepare,
		Draining:     p.srv.draining.Load,
		Tracker:      tracker{},
		RootPath:     p.srv.cfg.RootPath,
		MaxBody:      p.limits.Body,
		MaxQueue:     p.limits.Queue,
		StallTimeout: p.timeouts.Stall,
	})
	front.Configure(p.http)
	if requests {
		p.front = front
	}
}

// connState tells a connection whether it is between two requests.
func connState(c net.Conn, state fasthttp.ConnState) {
	h := httpConnOf(c)
	switch state {
	case fasthttp.StateActive:
		h.active()
	case fasthttp.StateIdle:
		h.answered()
	case fasthttp.StateHijacked:
		h.hijacked = true
	}
}

// prepare completes what fasthttp knows of a request.
func prepare(ctx *fasthttp.RequestCtx, req *protocol.Request) error {
	req.Peer = httpConnOf(ctx.Conn()).peer
	return nil
}

// serveHTTPConn serves the requests of a connection. It reports whether the
// connection became a WebSocket, which goes on by itself.
func (p *port) serveHTTPConn(c *conn) (upgraded bool) {
	c.watch.Notify(c.HungUp)
	if c.within(0) != nil {
		return false // it is closed already
	}
	h := newHTTPConn(c)
	var served net.Conn = h
	if c.state != nil {
		served = tlsConn{h}
	}
	err := c.SetWriteDeadline(time.Time{}) // that of the first bytes: a 408 comes when it is over
	if err == nil {
		err = p.http.ServeConn(served)
	}
	if err != nil {
		p.lostHTTP(c, err)
	}
	if !h.hijacked {
		return false
	}
	if !h.upgraded {
		h.open.Wait() // a handler has it
	}
	return h.upgraded
}

// lostHTTP says why a connection was closed.
func (p *port) lostHTTP(c *conn, err error) {
	p.srv.log.Debug("an HTTP connection ended", zap.Stringer("client", c.client), zap.Error(err))
}

// handle serves one request.
func (p *port) handle(ctx *fasthttp.RequestCtx) {
	h := httpConnOf(ctx.Conn())
	h.inHead = false
	defer func() { h.whole = !ctx.Response.IsBodyStream() && !ctx.Hijacked() }()
	if p.upgrader != nil && len(ctx.Request.Header.Peek(fasthttp.HeaderUpgrade)) > 0 && p.upgrade(ctx) {
		return
	}
	if p.front == nil {
		refuse(ctx, &protocol.Reject{
			Status: fasthttp.StatusUpgradeRequired,
			Reason: "only WebSocket is served here",
			Header: protocol.Fields{{Name: "Upgrade", Value: "websocket"}},
		})
		return
	}
	if opened := h.opened; opened != nil {
		h.opened = nil
		opened.ServeFastHTTP(ctx)
		return
	}
	p.front.ServeFastHTTP(ctx)
}

// upgrade answers a request that asks for a WebSocket; it reports whether it did.
func (p *port) upgrade(ctx *fasthttp.RequestCtx) bool {
	req := p.newRequest()
	err := http.ViewRequest(req, ctx)
	if err == nil && !websocket.IsUpgrade(req.Headers) {
		p.drop(req)
		return false
	}
	var codec *websocket.Codec
	if err == nil {
		codec, err = p.upgrader.Upgrade(req)
	}
	if err != nil {
		p.drop(req)
		refuse(ctx, err)
		return true
	}
	h := httpConnOf(ctx.Conn())
	req.Peer = h.peer
	if h.exact { // nothing more was read
		h.become(req, codec)
		ctx.SetConnectionClose() // for fasthttp it is
		return true
	}
	req.RootPath = p.srv.cfg.RootPath
	h.upgraded = true
	ctx.HijackSetNoResponse(true)
	ctx.Hijack(func(buffered net.Conn) {
		h.conn.prefix = h.drain(buffered)
		go p.serveWebSocket(h.conn, req, codec) // fasthttp gets back what it lent
	})
	return true
}

// newRequest returns an empty request, for drop to take back.
func (p *port) newRequest() *protocol.Request {
	if req, ok := p.requests.Get().(*protocol.Request); ok {
		return req
	}
	return new(protocol.Request)
}

// drop recycles a request that no connection was made of, or of which one has what it
// needs.
func (p *port) drop(req *protocol.Request) {
	*req = protocol.Request{}
	p.requests.Put(req)
}

// serveWebSocket runs a connection that fasthttp gave away.
func (p *port) serveWebSocket(c *conn, req *protocol.Request, codec protocol.Codec) {
	if !p.run(c, req, codec) {
		c.close()
	}
}

// refuse answers a request that never reached the application, and ends the
// connection: what comes behind it may not be HTTP.
func refuse(ctx *fasthttp.RequestCtx, err error) {
	r, _ := protocol.RejectOf(err)
	for _, f := range r.Header {
		ctx.Response.Header.Add(f.Name, f.Value)
	}
	body := r.Body
	if body == nil {
		ctx.Response.Header.SetContentType("text/plain; charset=utf-8")
		body = []byte(r.Text() + "\n")
	}
	ctx.Response.SetStatusCode(r.StatusOrDefault())
	ctx.Response.SetBody(body)
	ctx.SetConnectionClose()
}

// A tracker tells connections of their requests.
type tracker struct{}

var _ http.Tracker = tracker{}

// Begin implements http.Tracker.
func (tracker) Begin(c net.Conn, l *protocol.Lifecycle) { httpConnOf(c).begin(l) }

// End implements http.Tracker.
func (tracker) End(c net.Conn, l *protocol.Lifecycle) { httpConnOf(c).end(l) }
