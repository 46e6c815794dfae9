package middleware

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/portico-go/portico/protocol"
)

// AllowMissingOrigin among the patterns of AllowedOrigins lets clients pass that
// send no Origin header: programs that are no browsers.
const AllowMissingOrigin = "(no origin)"

// AllowedOrigins returns a middleware that refuses with 403 WebSocket handshakes
// and HTTP requests with an unsafe method (all but GET, HEAD and OPTIONS) unless
// their Origin matches a pattern:
//
//   - any origin, and none
//     example.com                 that host, with any scheme and port
//     .example.com                that host and its subdomains
//     example.com:8000            that host and port, with any scheme
//     https://example.com[:port]  that scheme, host and port (443 for https, 80 for http)
//     https://.example.com        the same with the subdomains
//     AllowMissingOrigin          requests without an Origin header
//
// Without patterns it refuses them all. SameOrigin needs no list and is what most
// sites want; this is for pages that are served from elsewhere. Protocols that do
// not begin with an HTTP request pass. A pattern of another form, such as
// "*.example.com", is a fault that protocol.Check reports, and matches nothing.
// Reasons of refusals are where SameOrigin's are.
func AllowedOrigins(patterns ...string) protocol.Middleware {
	missing := slices.Contains(patterns, AllowMissingOrigin)
	all := slices.Contains(patterns, "*")
	named := slices.DeleteFunc(slices.Clone(patterns), func(p string) bool { return p == AllowMissingOrigin })
	parsed, err := parseHostPatterns(named)
	return Transform{
		Name:  "AllowedOrigins",
		Check: err,
		Scope: func(_ context.Context, scope *protocol.Scope) (*protocol.Scope, error) {
			if all || !needsOrigin(scope) {
				return scope, nil
			}
			if err := checkOrigin(scope, parsed, missing); err != nil {
				return nil, refuseOrigin(err)
			}
			return scope, nil
		},
	}.Middleware()
}

func checkOrigin(scope *protocol.Scope, allowed []hostPattern, missing bool) error {
	origin, n := only(scope.Headers(), "Origin")
	switch {
	case n > 1:
		return errors.New("middleware: the request has more than one Origin header")
	case n == 0 && missing:
		return nil
	case n == 0:
		return errMissingOrigin
	}
	scheme, host, port, ok := splitOrigin(origin)
	if ok && matchAny(allowed, scheme, host, port) {
		return nil
	}
	return fmt.Errorf("middleware: the origin %.100q matches none of the allowed ones", origin)
}
