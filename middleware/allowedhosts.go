package middleware

import (
	"context"
	"fmt"
	"net/http"
	"net/netip"
	"strings"

	"github.com/portico-go/portico/protocol"
)

// AllowedHosts returns a middleware that serves only the hosts that are listed, so
// that a page of an attacker, whose name was made to resolve to this server, cannot
// speak with it (DNS rebinding), and no link is built from a forged Host:
//
//	example.com        the host, with any port
//	.example.com       the host and its subdomains
//	example.com:8000   the host with that port
//	[::1]              an IPv6 address, with any port
//	*                  any host
//
// Without a list only the names of the server's own address are served: localhost,
// 127.0.0.0/8 and [::1] if the connection came in on a loopback address or a unix
// socket, and else the address itself.
//
// A missing, doubled or malformed Host is refused with 400, a host that is not
// listed with 421 (RFC 9110, section 15.5.20). Protocols that do not begin with an
// HTTP request have no Host and pass.
func AllowedHosts(hosts ...string) protocol.Middleware {
	patterns, err := parseHostPatterns(hosts)
	for _, p := range patterns {
		if p.scheme != "" && err == nil {
			err = fmt.Errorf("middleware: AllowedHosts takes hosts, not origins: leave out %s://", p.scheme)
		}
	}
	return Transform{
		Name:  "AllowedHosts",
		Check: err,
		Scope: func(_ context.Context, scope *protocol.Scope) (*protocol.Scope, error) {
			if !isHTTP(scope) {
				return scope, nil
			}
			host, port, err := requestedHost(scope)
			switch {
			case err != nil:
				return nil, err
			case len(hosts) == 0 && isOwnAddress(scope, host):
				return scope, nil
			case matchAny(patterns, scope.Scheme(), host, port):
				return scope, nil
			}
			return nil, refuseHost(scope, len(hosts) == 0)
		},
	}.Middleware()
}

// requestedHost returns the parts of the Host header; the port is the scheme's
// default if there is none.
func requestedHost(scope *protocol.Scope) (host, port string, err error) {
	value, n := only(scope.Headers(), "Host")
	if n != 1 {
		return "", "", protocol.Rejectf(http.StatusBadRequest, "a request needs one Host header, not %d", n)
	}
	host, port, ok := splitAuthority(value)
	if !ok {
		return "", "", protocol.Rejectf(http.StatusBadRequest, "malformed Host header")
	}
	if port == "" {
		port = defaultPort(scope.Scheme())
	}
	return host, port, nil
}

// isOwnAddress reports whether host names the address that the connection was
// accepted on. No browser takes an address, or localhost, for an attacker's page.
func isOwnAddress(scope *protocol.Scope, host string) bool {
	own := scope.Server().Addr().Unmap()
	loopback := !own.IsValid() || own.IsLoopback()
	if strings.EqualFold(host, "localhost") {
		return loopback
	}
	addr, err := netip.ParseAddr(host)
	if err != nil {
		return false
	}
	return loopback && addr.IsLoopback() || addr.Unmap() == own.WithZone("")
}

func refuseHost(scope *protocol.Scope, unlisted bool) error {
	err := fmt.Errorf("middleware: the host %.100q is not among those that AllowedHosts was given", scope.Host())
	if unlisted {
		err = fmt.Errorf("middleware: the host %.100q is no name of the server's own address: give AllowedHosts the hosts to serve", scope.Host())
	}
	return &protocol.Reject{Status: http.StatusMisdirectedRequest, Reason: "host not served here", Err: err}
}
