package server

import (
	"errors"
	"io"
	"os"

	"github.com/portico-go/portico/internal/engine"
	"github.com/portico-go/portico/protocol"
)

// serveCodec serves a connection that speaks one of Config.Protocols. It reports
// whether the engine has it now.
func (p *port) serveCodec(c *conn, proto protocol.Protocol) (handedOver bool) {
	handshake, codec := proto.New(p.limits.protocolLimits())
	req, err := p.readHandshake(c, handshake)
	if err != nil {
		if !errors.Is(err, io.EOF) {
			engine.Refuse(c, codec, err, p.timeouts.Close)
		}
		return false
	}
	c.complete(req)
	return p.run(c, req, codec)
}

// complete says what a handshake does not.
func (c *conn) complete(req *protocol.Request) {
	req.Client, req.Server = c.client, c.server
	req.Peer, req.TLS = c.peer, c.state
	req.RootPath = c.at.srv.cfg.RootPath
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
		case p.srv.draining.Load(), errors.Is(err, os.ErrDeadlineExceeded):
			return nil, p.lateHandshake()
		case errors.Is(err, io.ErrShortBuffer):
			return nil, errLongHandshake()
		default:
			return nil, io.EOF
		}
	}
}

// run hands a connection whose handshake was read over to the engine, and returns
// when it is connected. It reports whether the engine has it.
func (p *port) run(c *conn, req *protocol.Request, codec protocol.Codec) (handedOver bool) {
	in := engine.Incoming{
		Conn:     c,
		Watch:    c.watch,
		Leftover: c.prefix,
		Request:  req,
		Codec:    codec,
	}
	if c.state == nil {
		in.Socket = c.socket
	}
	c.prefix = nil
	if c.within(0) != nil {
		return false // the socket is gone
	}
	p.srv.handOver(c)
	p.engine.Serve(p.srv.base, in, p.srv.app)
	p.drop(req)
	return true
}
