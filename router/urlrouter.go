package router

import (
	"context"
	"errors"

	"github.com/portico-go/portico/protocol"
)

// A URLRouter leads connections to applications by their paths, whatever their
// protocol. It is immutable and safe for concurrent use. The zero value has no
// routes.
type URLRouter struct {
	routes  []*route            // in the order given
	tree    node                // the patterns for every host
	hosts   map[string]*node    // the patterns for one host
	regexps []*route            // tried after the trees, in the order given
	methods []string            // what the bits of a methodSet stand for
	names   map[string][]*route // the routes to each name, mounts first
}

var _ protocol.Described = (*URLRouter)(nil)

// NewURLRouter returns a router for routes, whose order matters only where the
// package comment says so. Its error joins all faults that were found: patterns
// that cannot be read, nil applications, names given twice, and routes that would
// match the same requests.
func NewURLRouter(routes ...Route) (*URLRouter, error) {
	b := builder{r: &URLRouter{names: make(map[string][]*route)}}
	var errs []error
	for _, r := range routes {
		if err := b.add(r); err != nil {
			errs = append(errs, err)
		}
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	return b.r, nil
}

// MustURLRouter is NewURLRouter for routes that are written in the program: it
// panics if they have a fault.
func MustURLRouter(routes ...Route) *URLRouter {
	r, err := NewURLRouter(routes...)
	if err != nil {
		panic(err)
	}
	return r
}

// Open opens the application of the most specific route that matches what mounts
// have left of the path. If that application has no route itself, what it wrote
// into the connection's record is taken back and the next route is tried.
//
// Without a route, Open returns an error for which protocol.IsNoRoute is true:
// 404, or if the path has routes for other methods, 405 with Allow, and for
// OPTIONS 204 with Allow.
func (r *URLRouter) Open(ctx context.Context, scope *protocol.Scope, conn *protocol.Conn) (protocol.Handler, error) {
	var miss error
	var room [4]protocol.Param // most paths have no more captures, and the inner scope copies them
	for skip := 0; ; skip++ {
		m := r.lookup(scope, skip, room[:0])
		if m.route == nil {
			return nil, r.missed(scope, miss, m.others)
		}
		mark := scope.SetRoute(m.route.shown())
		inner := scope
		if m.consumed > 0 || len(m.params) > 0 {
			inner = scope.Descend(m.consumed, m.params)
		}
		handler, err := m.route.app.Open(ctx, inner, conn)
		if err == nil || !protocol.IsNoRoute(err) || conn.State() != protocol.StateConnecting {
			return handler, err
		}
		scope.Rollback(ctx, mark, err)
		miss = joinMisses(scope.Method(), miss, err)
	}
}

// missed returns the error of a router whose routes have all been tried. miss is
// what those that matched returned.
func (r *URLRouter) missed(scope *protocol.Scope, miss error, others methodSet) error {
	if others != 0 {
		var allowed []string
		for i, method := range r.methods {
			if others&(1<<i) != 0 {
				allowed = append(allowed, method)
			}
		}
		miss = joinMisses(scope.Method(), miss, wrongMethod(scope.Method(), allowed))
	}
	if miss == nil {
		return protocol.NoRoute()
	}
	return miss
}

// Describe lists the routes' applications, labelled with their patterns.
func (r *URLRouter) Describe() protocol.Description {
	d := protocol.Description{Name: "URLRouter"}
	for _, rt := range r.routes {
		d.Inner = append(d.Inner, protocol.Inner{Label: rt.text, App: rt.app})
	}
	return d
}
