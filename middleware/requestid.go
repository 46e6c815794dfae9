package middleware

import (
	"context"
	"fmt"

	"github.com/portico-go/portico/protocol"
)

// RequestIDKey has the id that RequestID gave to a request or connection.
var RequestIDKey = protocol.NewKey[string]("request id")

// RequestIDConfig says whose ids count. The zero value takes none from outside.
type RequestIDConfig struct {
	// Header is the name of the header, in requests of trusted proxies and in
	// answers. Default X-Request-ID.
	Header string
	// TrustedProxies are the peers whose ids are taken: addresses, networks such as
	// "10.0.0.0/8", or "unix" for whoever connects to a unix socket. It is the peer
	// of the connection that counts, whatever ProxyHeaders found out.
	TrustedProxies []string
}

// RequestID returns a middleware that provides RequestIDKey: the id that a trusted
// proxy sent, if it is 1 to 128 visible ASCII characters, else Conn.ID. The answer
// has it in the same header; protocols without headers leave that out, and their
// clients' headers are never taken for a proxy's.
func RequestID(c RequestIDConfig) protocol.Middleware {
	if c.Header == "" {
		c.Header = "X-Request-ID"
	}
	peers, fault := parsePeers(c.TrustedProxies)
	if fault == nil && !protocol.IsToken(c.Header) {
		fault = fmt.Errorf("middleware: RequestID's Header %q is no header name", c.Header)
	}
	return Around{
		Name:     "RequestID",
		Provides: []protocol.AnyKey{RequestIDKey},
		Check:    fault,
		Open: func(ctx context.Context, scope *protocol.Scope, conn *protocol.Conn, inner protocol.Application) (protocol.Handler, error) {
			id := conn.ID()
			if peers.sent(scope, conn.Client()) {
				if sent, n := only(scope.Headers(), c.Header); n == 1 && isRequestID(sent) {
					id = sent
				}
			}
			if isHTTP(scope) {
				err := scope.OnResponse(func(_ context.Context, head *protocol.Head) error {
					head.Header.Set(c.Header, id)
					return nil
				})
				if err != nil {
					return nil, err
				}
			}
			return inner.Open(ctx, scope.With(RequestIDKey.Of(id)), conn)
		},
	}.Middleware()
}

func isRequestID(s string) bool {
	const longest = 128
	for i := range len(s) {
		if s[i] <= ' ' || s[i] >= 0x7f {
			return false
		}
	}
	return s != "" && len(s) <= longest
}
