package server

import (
	"errors"
	"io"
	"net/http"
	"os"

	"github.com/portico-go/portico/internal/engine"
	"github.com/portico-go/portico/protocol"
)

// serveCodec serves a connection that speaks one of Config.Protocols.
func (p *port) serveCodec(c *conn, proto protocol.Protocol) {
	handshake, codec := proto.New(p.limits.protocolLimits())
	req, err := p.readHandshake(c, handshake)
	if err != nil {
		if !errors.Is(err, io.EOF) {
			engine.Refuse(c, codec, err, p.timeouts.Close)
		}
		return
	}
	req.Client, req.Server = addressOf(c.client), addressOf(c.local)
	req.Peer, req.TLS = c.peer, c.state
	req.RootPath = p.srv.cfg.RootPath
	p.run(c, req, codec)
}

// readHandshake reads up to the request. io.EOF says that the client went away.
func (p *port) readHandshake(c *conn, h protocol.Handshake) (*protocol.Request, error) {
	if err := c.within(p.timeouts.Terminal); err != nil {
		return nil, err
	}
	c.setTyping(true)
	defer c.setTyping(false)
	for {
		req, n, err := h.Decode(c.prefix)
		c.prefix = c.prefix[n:]
		if req != nil || err != nil {
			return req, err
		}
		switch err := c.more(p.limits.Header); {
		case err == nil:
		case p.srv.draining.Load():
			return nil, protocol.ErrShutdown
		case errors.Is(err, os.ErrDeadlineExceeded):
			return nil, &protocol.Reject{ // the client's fault, as opposed to an application that takes too long
				Status: http.StatusRequestTimeout,
				Reason: "the handshake took too long",
				Err:    protocol.ErrHandshakeTimeout,
			}
		case errors.Is(err, io.ErrShortBuffer):
			return nil, protocol.Rejectf(431, "the handshake is too long")
		default:
			return nil, io.EOF
		}
	}
}

// run runs a connection whose handshake was read, until it is over.
func (p *port) run(c *conn, req *protocol.Request, codec protocol.Codec) {
	leftover := c.prefix
	c.prefix = nil
	if c.within(0) != nil {
		return // the socket is gone
	}
	p.engine.Serve(p.srv.base, engine.Incoming{
		Conn:     c,
		Watch:    c.watch,
		Leftover: leftover,
		Request:  req,
		Codec:    codec,
	}, p.srv.app)
}
