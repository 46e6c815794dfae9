package middleware

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/portico-go/portico/protocol"
)

// ProxyHeadersConfig says which proxies are believed what. The zero value believes
// nobody anything.
type ProxyHeadersConfig struct {
	// TrustedProxies are the proxies in front of the server: addresses, networks
	// such as "10.0.0.0/8", or "unix" for whoever connects to a unix socket.
	TrustedProxies []string
	// Forwarded reads the Forwarded header (RFC 7239), and no X-Forwarded header
	// any more.
	Forwarded bool
	// Host takes the Host from X-Forwarded-Host and X-Forwarded-Port, or from
	// Forwarded. Set it only if every trusted proxy sets or deletes these headers:
	// many pass on what a client made up. Put AllowedHosts inside.
	Host bool
	// Prefix names the header with the path prefix that the proxy took away, such
	// as X-Forwarded-Prefix; "" is none. Its value, percent-encoded, becomes the
	// beginning of the scope's root path, and the header is removed. What is said of
	// Host holds for it, too.
	Prefix string
}

// ProxyHeaders returns a middleware that gives scopes the client's address, the
// scheme and if wanted the host and root path that trusted proxies report. They are
// read if the peer of the connection is a trusted proxy, and else left alone. The list
// of addresses is walked from its end, which the nearest proxy wrote, to the first
// address that is no trusted proxy: that is the client, and what stands before it
// it may have made up. Its port is 0 if it is not reported.
//
// A malformed Forwarded header or prefix is refused with 400. Protocols that do not
// begin with an HTTP request pass, as no proxy writes their headers. Put it around
// all others. Conn.Request still has what came over the wire.
func ProxyHeaders(c ProxyHeadersConfig) protocol.Middleware {
	peers, fault := parsePeers(c.TrustedProxies)
	if c.Prefix != "" && !protocol.IsToken(c.Prefix) {
		fault = errors.Join(fault, fmt.Errorf("middleware: ProxyHeaders' Prefix %q is no header name", c.Prefix))
	}
	return Transform{
		Name:  "ProxyHeaders",
		Check: fault,
		Scope: func(_ context.Context, scope *protocol.Scope) (*protocol.Scope, error) {
			if !peers.sent(scope, scope.Client()) {
				return scope, nil
			}
			scope, err := c.apply(&peers, scope)
			if err != nil {
				return nil, &protocol.Reject{Status: http.StatusBadRequest, Err: err}
			}
			return scope, nil
		},
	}.Middleware()
}

func (c *ProxyHeadersConfig) apply(peers *trustedPeers, scope *protocol.Scope) (*protocol.Scope, error) {
	h := scope.Headers()
	read := xForwarded
	if c.Forwarded {
		read = parseForwarded
	}
	hops, ok := read(h)
	if !ok {
		return nil, errors.New("middleware: the Forwarded header of a trusted proxy is malformed")
	}
	f := peers.walk(scope.Client(), hops)
	scheme := forwardedScheme(scope.Scheme(), f.proto)
	host := ""
	if c.Host {
		host = forwardedHost(scope.Host(), f.host, scheme)
	}
	prefix, n := only(h, c.Prefix)
	if n > 1 {
		return nil, fmt.Errorf("middleware: a trusted proxy sent %s %d times", c.Prefix, n)
	}
	var err error
	if prefix = strings.TrimSuffix(prefix, "/"); prefix != "" {
		if scope, err = scope.WithRootPath(prefix); err != nil {
			return nil, err
		}
	}
	if host != "" || prefix != "" {
		if h, err = rewriteHeaders(h, host, c.Prefix); err != nil {
			return nil, err
		}
	}
	return scope.WithRequest(func(r *protocol.Request) {
		r.Client, r.Scheme, r.Headers = f.client, scheme, h
	}), nil
}

// forwardedScheme returns the scheme that the client used, in the form that the
// protocol has it: wss for a WebSocket whose proto is https.
func forwardedScheme(own, proto string) string {
	base := "http"
	if strings.HasPrefix(own, "ws") {
		base = "ws"
	}
	switch strings.ToLower(proto) {
	case "http", "ws":
		return base
	case "https", "wss":
		return base + "s"
	}
	return own
}

// forwardedHost returns the Host that the client sent, or "" if nothing valid is
// reported. A port alone completes the Host that came. The scheme's default port is
// left out.
func forwardedHost(own, reported, scheme string) string {
	if port, ok := strings.CutPrefix(reported, ":"); ok {
		reported = withPort(own, port)
	}
	_, port, ok := splitAuthority(reported)
	if !ok {
		return ""
	}
	if port != "" && port == defaultPort(scheme) {
		reported = strings.TrimSuffix(reported, ":"+port)
	}
	return reported
}

// rewriteHeaders returns the headers with another Host, if one is given, and
// without those called drop.
func rewriteHeaders(h protocol.Headers, host, drop string) (protocol.Headers, error) {
	var fields protocol.Fields
	if host != "" {
		fields.Add("Host", host)
	}
	for name, value := range h.All() {
		if host != "" && strings.EqualFold(name, "Host") || strings.EqualFold(name, drop) {
			continue
		}
		fields.Add(name, value)
	}
	return protocol.NewHeaders(fields)
}
