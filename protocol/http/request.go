package http

import (
	"errors"
	"net"
	"net/netip"
	"strings"
	"unsafe"

	"github.com/valyala/fasthttp"

	"github.com/portico-go/portico/protocol"
)

// NewRequest describes a request of fasthttp for a scope. Nothing in it aliases
// fasthttp's buffers. Protocol is "http" and Scheme "http" or "https"; a server
// changes them for an upgrade and fills in RootPath.
//
// A request that RFC 9112 has refused is a *protocol.Reject (400, 501, 505), and
// the Request that comes with it is filled as far as it could be: a header section
// that is malformed, has bare line feeds, no Host in HTTP/1.1, a bad Host, or both
// Content-Length and Transfer-Encoding; a target that is neither a path nor a URL.
func NewRequest(ctx *fasthttp.RequestCtx) (*protocol.Request, error) {
	req := new(protocol.Request)
	err := ViewRequest(req, ctx)
	req.Own()
	return req, err
}

// ViewRequest fills req, which must be zero, in as NewRequest does, but copies nothing:
// what it says aliases fasthttp's buffers, and is valid as long as the RequestCtx is the
// caller's. It is for whoever copies what is to stay, as websocket.Upgrader.Upgrade does.
func ViewRequest(req *protocol.Request, ctx *fasthttp.RequestCtx) error {
	h := &ctx.Request.Header
	if err := describe(req, ctx); err != nil {
		return err
	}
	return fillTarget(req, view(h.RequestURI()), view(h.RawHeaders()))
}

// view returns b as a string, of which nobody may change the bytes while it is used.
func view(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) } //nolint:gosec // see ViewRequest

// Addressed is a net.Conn that knows the addresses of its ends, not valid for what is
// no TCP connection, so that they are not worked out for each request.
type Addressed interface {
	AddrPorts() (client, server netip.AddrPort)
}

// describe fills in what is no text of the client's.
func describe(req *protocol.Request, ctx *fasthttp.RequestCtx) error {
	h := &ctx.Request.Header
	req.Protocol = "http"
	req.Method = internMethod(h.Method())
	if a, ok := ctx.Conn().(Addressed); ok {
		req.Client, req.Server = a.AddrPorts()
	} else {
		req.Client, req.Server = addrPort(ctx.RemoteAddr()), addrPort(ctx.LocalAddr())
	}
	req.Scheme = "http"
	if ctx.IsTLS() {
		req.Scheme = "https"
		req.TLS = ctx.TLSConnectionState()
	}
	return fillVersion(req, h.Protocol())
}

// fillVersion takes HTTP/1.x; a minor version that is not known is treated as the
// highest that is (RFC 9110, section 2.5).
func fillVersion(req *protocol.Request, version []byte) error {
	switch v := string(version); {
	case v == "HTTP/1.1":
		req.Version = "1.1"
	case v == "HTTP/1.0":
		req.Version = "1.0"
	case strings.HasPrefix(v, "HTTP/1."):
		req.Version = "1.1"
	default:
		return refuseAndClose(505, "this server speaks HTTP/1.1")
	}
	return nil
}

func fillTarget(req *protocol.Request, target, block string) error {
	authority := ""
	switch {
	case req.Method == "CONNECT":
		return refuseAndClose(501, "this server is no proxy")
	case target == "*":
		if req.Method != "OPTIONS" { // RFC 9112, section 3.2.4
			return badRequest("only OPTIONS can ask about the server as a whole")
		}
	case target == "":
		return badRequest("the request target is empty")
	default:
		var err error
		if authority, req.Target, err = splitAbsolute(target); err != nil {
			return err
		}
	}
	if authority != "" {
		block = replaceHost(block, authority)
	}
	var f framing
	headers, err := protocol.ParseHeadersFunc(block, f.see)
	if _, refused := errors.AsType[*protocol.Reject](err); refused {
		return err
	} else if err != nil {
		return badRequest(strings.TrimPrefix(err.Error(), "protocol: "))
	}
	req.Headers = headers
	return f.check(req.Version)
}

// framing is what a header section says of where a request goes and ends.
type framing struct{ hosts, lengths, encodings int }

// see looks at one field. The length of a name tells most others apart at once.
func (f *framing) see(name, value string) error {
	switch len(name) {
	case len("Host"):
		if !strings.EqualFold(name, "Host") {
			return nil
		}
		if f.hosts++; !validHost(value) {
			return badRequest("the Host header is malformed")
		}
	case len("Content-Length"):
		if strings.EqualFold(name, "Content-Length") {
			f.lengths++
		}
	case len("Transfer-Encoding"):
		if !strings.EqualFold(name, "Transfer-Encoding") {
			return nil
		}
		if f.encodings++; f.encodings > 1 || !strings.EqualFold(value, "chunked") {
			return refuseAndClose(501, "the only transfer encoding is chunked")
		}
	}
	return nil
}

// check refuses what makes two servers see different requests (RFC 9112, sections
// 3.2 and 6.3).
func (f *framing) check(version string) error {
	switch {
	case f.hosts > 1:
		return badRequest("there are several Host headers")
	case f.hosts == 0 && version == "1.1":
		return badRequest("the Host header is missing")
	case f.lengths > 1:
		return badRequest("there are several Content-Length headers")
	case f.lengths > 0 && f.encodings > 0:
		return badRequest("a request has a Content-Length or a Transfer-Encoding, not both")
	case f.encodings > 0 && version == "1.0":
		return badRequest("HTTP/1.0 has no Transfer-Encoding")
	}
	return nil
}

// internMethod returns a method without an allocation for those that are common.
func internMethod(m []byte) string {
	for _, known := range [...]string{"GET", "POST", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS", "CONNECT", "TRACE"} {
		if string(m) == known {
			return known
		}
	}
	return string(m)
}

// addrPort returns the address of a TCP connection; the zero value of another's.
func addrPort(addr net.Addr) netip.AddrPort {
	a, ok := addr.(interface{ AddrPort() netip.AddrPort })
	if !ok {
		return netip.AddrPort{}
	}
	ap := a.AddrPort()
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
}
