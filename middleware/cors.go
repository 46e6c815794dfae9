package middleware

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/portico-go/portico/protocol"
)

// CORSConfig says which pages of other origins may read what HTTP requests answer.
// The zero value says none.
type CORSConfig struct {
	// Origins are patterns as AllowedOrigins takes them. "*" is every origin.
	Origins []string
	// Methods are the methods that such pages may use besides GET, HEAD and POST.
	Methods []string
	// Headers are the request headers that such pages may set besides those that
	// need no permission, such as Content-Type for JSON.
	Headers []string
	// Expose are the response headers that such pages may read besides those that
	// need no permission.
	Expose []string
	// Credentials lets such pages send the user's cookies. Together with the origin
	// "*" it is a fault, as it would give every page the user's session.
	Credentials bool
	// MaxAge is how long a browser may remember the permission. 0 leaves it to the
	// browser, which is 5 seconds.
	MaxAge time.Duration
}

// CORS returns a middleware that tells browsers which pages of other origins may
// read the answers to HTTP requests (the CORS protocol of the Fetch standard), and
// that answers their preflight requests itself, with 204.
//
// It permits and never refuses: a request of another origin is handled all the same,
// and the page does not see the answer. What must not be done for other origins is
// SameOrigin's work, which has to trust the origins that are permitted here. Put
// CORS around it. Browsers do not apply CORS to WebSockets: they and all other
// protocols pass.
func CORS(c CORSConfig) protocol.Middleware {
	origins, fault := parseHostPatterns(c.Origins)
	all := slices.Contains(c.Origins, "*")
	if all && c.Credentials {
		fault = errors.Join(fault, errors.New(`middleware: CORS with Credentials must not have the origin "*": name the origins`))
		origins = nil
	}
	for _, token := range slices.Concat(c.Methods, c.Headers, c.Expose) {
		if !protocol.IsToken(token) || token == "*" {
			fault = errors.Join(fault, fmt.Errorf("middleware: CORS has %q among its methods and headers, which is no name of one", token))
		}
	}
	p := &corsPolicy{
		origins:     origins,
		all:         all && !c.Credentials,
		credentials: c.Credentials,
		expose:      strings.Join(c.Expose, ", "),
		preflight: protocol.Fields{
			{Name: "Access-Control-Allow-Methods", Value: strings.Join(append([]string{"GET", "HEAD", "POST"}, c.Methods...), ", ")},
		},
	}
	if len(c.Headers) > 0 {
		p.preflight.Add("Access-Control-Allow-Headers", strings.Join(c.Headers, ", "))
	}
	if c.MaxAge > 0 {
		p.preflight.Add("Access-Control-Max-Age", strconv.Itoa(int(c.MaxAge/time.Second)))
	}
	return Transform{Name: "CORS", Check: fault, Scope: p.apply}.Middleware()
}

type corsPolicy struct {
	origins     []hostPattern
	all         bool // every origin, told so
	credentials bool
	expose      string
	preflight   protocol.Fields
}

func (p *corsPolicy) apply(_ context.Context, scope *protocol.Scope) (*protocol.Scope, error) {
	if scope.Protocol() != "http" {
		return scope, nil
	}
	origin, n := only(scope.Headers(), "Origin")
	allowed := n == 1 && p.allows(origin)
	if n > 0 && scope.Method() == http.MethodOptions && scope.Header("Access-Control-Request-Method") != "" {
		return nil, p.answerPreflight(origin, allowed)
	}
	err := scope.OnResponse(func(_ context.Context, head *protocol.Head) error {
		p.permit(&head.Header, origin, allowed)
		if allowed && p.expose != "" {
			head.Header.Set("Access-Control-Expose-Headers", p.expose)
		}
		return nil
	})
	return scope, err
}

func (p *corsPolicy) allows(origin string) bool {
	if p.all {
		return true
	}
	scheme, host, port, ok := splitOrigin(origin)
	return ok && matchAny(p.origins, scheme, host, port)
}

// permit says which origin may read the answer, and to caches that another origin
// may get another answer.
func (p *corsPolicy) permit(h *protocol.Fields, origin string, allowed bool) {
	if p.all {
		h.Set("Access-Control-Allow-Origin", "*")
		return
	}
	h.Add("Vary", "Origin")
	if !allowed {
		return
	}
	h.Set("Access-Control-Allow-Origin", origin)
	if p.credentials {
		h.Set("Access-Control-Allow-Credentials", "true")
	}
}

func (p *corsPolicy) answerPreflight(origin string, allowed bool) error {
	var h protocol.Fields
	p.permit(&h, origin, allowed)
	h.Add("Vary", "Access-Control-Request-Method, Access-Control-Request-Headers")
	if allowed {
		h = append(h, p.preflight...)
	}
	return &protocol.Reject{Status: http.StatusNoContent, Header: h, Body: []byte{}}
}
