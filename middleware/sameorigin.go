package middleware

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/portico-go/portico/protocol"
)

// SameOriginConfig says which pages of other origins SameOrigin lets pass. The
// zero value lets none pass.
type SameOriginConfig struct {
	// TrustedOrigins are patterns of other origins, as AllowedOrigins takes them;
	// "*" is a fault here. A custom scheme of an app, such as
	// "capacitor://localhost", has to be listed in full.
	TrustedOrigins []string
	// RequireOrigin refuses clients that send neither Sec-Fetch-Site nor Origin.
	// Browsers of today always send one of them with what is checked, so this keeps
	// out other clients, not attacks.
	RequireOrigin bool
	// Allow, if set, is asked about what would be refused otherwise. It may block,
	// and is called concurrently.
	Allow func(ctx context.Context, scope *protocol.Scope) bool
}

// SameOrigin returns a middleware that refuses with 403 what a page of another
// origin makes a browser send along with the user's cookies: HTTP requests with an
// unsafe method (all but GET, HEAD and OPTIONS; logins and logouts too), and
// WebSocket handshakes, which browsers let any page do. It follows the rules of
// net/http's CrossOriginProtection: Sec-Fetch-Site decides if there is one, else
// the Origin header has to match the Host header. Beyond them, an http origin is
// not the same as an https one, and a header that comes twice is refused.
//
// A request with neither header is from no browser and passes. Protocols that do
// not begin with an HTTP request pass, too. Put AllowedHosts around it: a Host of
// the attacker's own would match its Origin. Reasons are in the Err of the
// *protocol.Reject, which the server's Observer gets and AccessLog writes.
func SameOrigin(c SameOriginConfig) protocol.Middleware {
	trusted, err := parseHostPatterns(c.TrustedOrigins)
	for _, p := range trusted {
		if p.any {
			err = errors.Join(err, errors.New(`middleware: "*" in TrustedOrigins would turn SameOrigin off: name the origins, or leave SameOrigin out`))
			trusted = nil
			break
		}
	}
	return Transform{
		Name:  "SameOrigin",
		Check: err,
		Scope: func(ctx context.Context, scope *protocol.Scope) (*protocol.Scope, error) {
			err := checkSameOrigin(scope, trusted, c.RequireOrigin)
			if err == nil || c.Allow != nil && c.Allow(ctx, scope) {
				return scope, nil
			}
			return nil, refuseOrigin(err)
		},
	}.Middleware()
}

func checkSameOrigin(scope *protocol.Scope, trusted []hostPattern, require bool) error {
	if !needsOrigin(scope) {
		return nil
	}
	origin, origins := only(scope.Headers(), "Origin")
	site, sites := only(scope.Headers(), "Sec-Fetch-Site")
	switch {
	case origins > 1 || sites > 1:
		return errors.New("middleware: the request has more than one Origin or Sec-Fetch-Site header")
	case sites == 1 && (site == "same-origin" || site == "none"):
		return nil
	case origins == 0 && sites == 0:
		if require {
			return errMissingOrigin
		}
		return nil
	}
	scheme, host, port, ok := splitOrigin(origin)
	if ok && (sites == 0 && isHostOf(scope, scheme, host, port) || matchAny(trusted, scheme, host, port)) {
		return nil
	}
	if sites == 1 {
		return fmt.Errorf("middleware: Sec-Fetch-Site is %.20q and the origin %.100q is not in TrustedOrigins", site, origin)
	}
	return fmt.Errorf("middleware: the origin %.100q is neither that of the host %.100q nor in TrustedOrigins", origin, scope.Host())
}

var errMissingOrigin = errors.New("middleware: the request has no Origin header, which only clients that are no browsers leave out")

// needsOrigin reports whether a page of another origin must not be able to make a
// browser do this: all that changes something, and all that is not plain HTTP, as
// a WebSocket handshake is a GET that changes something.
func needsOrigin(scope *protocol.Scope) bool {
	if scope.Protocol() != "http" {
		return isHTTP(scope)
	}
	switch scope.Method() {
	case http.MethodGet, http.MethodHead, http.MethodOptions:
		return false
	}
	return true
}

// isHostOf reports whether an origin is that of the Host header. The Host says
// nothing of the scheme. Behind a proxy that ends TLS unannounced the scope's is
// http in spite of an https page, so only the other way round is refused.
func isHostOf(scope *protocol.Scope, scheme, host, port string) bool {
	if !strings.EqualFold(scheme, "http") && !strings.EqualFold(scheme, "https") {
		return false
	}
	if isSecure(scope.Scheme()) && !isSecure(scheme) {
		return false
	}
	ownHost, ownPort, ok := splitAuthority(scope.Host())
	if ownPort == "" {
		ownPort = defaultPort(scheme)
	}
	return ok && strings.EqualFold(host, ownHost) && port == ownPort
}

func refuseOrigin(err error) error {
	return &protocol.Reject{Status: http.StatusForbidden, Reason: "origin not allowed", Err: err}
}
