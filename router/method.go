package router

import (
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/portico-go/portico/protocol"
)

// A methodSet is a set of the methods that a router's patterns name: bit i stands
// for the i-th of them.
type methodSet uint64

// maxMethods is how many methods the patterns of one router may name.
const maxMethods = 64

// A place holds the routes that end at one place of the tree, by their methods.
type place struct {
	any      *route // for every method
	methods  []methodRoute
	declared methodSet
}

type methodRoute struct {
	method string
	route  *route
}

// pick returns the route for a method, or nil. Protocols without methods have
// the empty one, and reach the routes that name none.
func (p *place) pick(method string) *route {
	if len(p.methods) == 0 || method == "" {
		return p.any
	}
	if r := p.named(method); r != nil {
		return r
	}
	if method == http.MethodHead {
		if r := p.named(http.MethodGet); r != nil {
			return r
		}
	}
	return p.any
}

func (p *place) named(method string) *route {
	for i := range p.methods {
		if p.methods[i].method == method {
			return p.methods[i].route
		}
	}
	return nil
}

// set puts a route in the place and returns the one that is there already, if any.
func (p *place) set(r *route, bit methodSet) (taken *route) {
	if method := r.pattern.method; method != "" {
		if taken = p.named(method); taken == nil {
			p.methods = append(p.methods, methodRoute{method, r})
			p.declared |= bit
		}
		return taken
	}
	if taken = p.any; taken == nil {
		p.any = r
	}
	return taken
}

// wrongMethod returns the error for a path whose routes are for other methods,
// which are allowed: 405, or for OPTIONS the automatic 204. An outer router may
// go on after both.
func wrongMethod(method string, allowed []string) error {
	if slices.Contains(allowed, http.MethodGet) {
		allowed = append(allowed, http.MethodHead)
	}
	allowed = append(allowed, http.MethodOptions)
	slices.Sort(allowed)
	r := protocol.Reject{Status: http.StatusMethodNotAllowed}
	if method == http.MethodOptions {
		// RFC 9110, section 9.3.7; a 204 has no body (section 15.3.5).
		r.Status, r.Body = http.StatusNoContent, []byte{}
	}
	r.Header.Set("Allow", strings.Join(slices.Compact(allowed), ", "))
	return protocol.NoRouteWith(r)
}

// allowedBy returns the methods that a refusal by wrongMethod names.
func allowedBy(err error) []string {
	r, ok := errors.AsType[*protocol.Reject](err)
	if !ok || r.Status != http.StatusMethodNotAllowed && r.Status != http.StatusNoContent {
		return nil
	}
	if allow := r.Header.Get("Allow"); allow != "" {
		return strings.Split(allow, ", ")
	}
	return nil
}

// joinMisses returns the better answer of two errors without a route, of which
// the first may be nil: a 405 beats a 404, and two of them allow what either does.
func joinMisses(method string, a, b error) error {
	if a == nil {
		return b
	}
	if allowed := allowedBy(a); allowed != nil {
		if more := allowedBy(b); more != nil {
			return wrongMethod(method, append(allowed, more...))
		}
		return a
	}
	if r, _ := protocol.RejectOf(a); r.Status == http.StatusNotFound {
		return b
	}
	return a
}
