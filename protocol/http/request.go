package http

import (
	"errors"
	"net"
	"net/netip"
	"strings"

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
	return req, fillRequest(req, ctx)
}

func fillRequest(req *protocol.Request, ctx *fasthttp.RequestCtx) error {
	h := &ctx.Request.Header
	req.Protocol = "http"
	req.Method = internMethod(h.Method())
	req.Client = addrPort(ctx.RemoteAddr())
	req.Server = addrPort(ctx.LocalAddr())
	req.Scheme = "http"
	if ctx.IsTLS() {
		req.Scheme = "https"
		req.TLS = ctx.TLSConnectionState()
	}
	if err := fillVersion(req, h.Protocol()); err != nil {
		return err
	}
	// One allocation holds the target and the header section.
	target, block := h.RequestURI(), h.RawHeaders()
	var b strings.Builder
	b.Grow(len(target) + len(block))
	b.Write(target)
	b.Write(block)
	both := b.String()
	return fillTarget(req, both[:len(target)], both[len(target):])
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
	headers, err := parseHeaders(block)
	if err != nil {
		return badRequest(strings.TrimPrefix(err.Error(), "protocol: "))
	}
	if err := checkFraming(headers, req.Version); err != nil {
		return err
	}
	req.Headers = headers
	return nil
}

// parseHeaders is protocol.ParseHeaders without bare line feeds: HTTP requests
// come through proxies, which do not agree on what such a line feed is.
func parseHeaders(block string) (protocol.Headers, error) {
	for rest := block; ; {
		i := strings.IndexByte(rest, '\n')
		if i < 0 {
			return protocol.ParseHeaders(block)
		}
		if i == 0 || rest[i-1] != '\r' {
			return protocol.Headers{}, errors.New("a header line ends in a bare line feed")
		}
		rest = rest[i+1:]
	}
}

// checkFraming refuses what makes two servers see different requests (RFC 9112,
// sections 3.2 and 6.3).
func checkFraming(headers protocol.Headers, version string) error {
	hosts, length, encoding := 0, false, false
	for name, value := range headers.All() {
		switch len(name) {
		case len("Host"):
			if strings.EqualFold(name, "Host") {
				if hosts++; !validHost(value) {
					return badRequest("the Host header is malformed")
				}
			}
		case len("Content-Length"):
			if strings.EqualFold(name, "Content-Length") {
				if length {
					return badRequest("there are several Content-Length headers")
				}
				length = true
			}
		case len("Transfer-Encoding"):
			if strings.EqualFold(name, "Transfer-Encoding") {
				if encoding || !strings.EqualFold(value, "chunked") {
					return refuseAndClose(501, "the only transfer encoding is chunked")
				}
				encoding = true
			}
		}
	}
	switch {
	case hosts > 1:
		return badRequest("there are several Host headers")
	case hosts == 0 && version == "1.1":
		return badRequest("the Host header is missing")
	case length && encoding:
		return badRequest("a request has a Content-Length or a Transfer-Encoding, not both")
	case encoding && version == "1.0":
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
