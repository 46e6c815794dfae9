package router

import (
	"errors"
	"fmt"
	"regexp"

	"github.com/portico-go/portico/protocol"
)

// A Route leads from a pattern to an application. Path, Mount, Regexp and
// MountRegexp make routes; NewURLRouter checks them.
type Route struct {
	text       string // the pattern or expression
	isRegexp   bool
	mounts     bool
	app        protocol.Application
	name       string
	defaults   []protocol.Param
	middleware []protocol.Middleware
	converters []*Converter
}

// A RouteOption changes one route.
type RouteOption func(*Route)

// Path returns a route for the paths that pattern matches from end to end. The
// package comment describes patterns. The root path stays as it is.
func Path(pattern string, app protocol.Application, opts ...RouteOption) Route {
	return newRoute(Route{text: pattern, app: app}, opts)
}

// Mount returns a route for prefix and all that is beneath it. The prefix is a
// pattern without {rest...}; a slash at its end means nothing. What matched
// becomes part of the root path, and app, most often another URLRouter, sees the
// rest. If app has no route (see protocol.IsNoRoute) this router goes on.
func Mount(prefix string, app protocol.Application, opts ...RouteOption) Route {
	return newRoute(Route{text: prefix, mounts: true, app: app}, opts)
}

// Regexp returns a route for the paths in which a regular expression finds a
// match. It sees the decoded path without its leading slash, and is anchored only
// where it says so with ^ and $. Its named groups become captures; if it has
// none, its unnamed groups become captures with empty names. Groups that took no
// part in the match are left out.
//
// An escaped slash cannot be told from another one here. Prefer Path, which is
// faster and can tell.
func Regexp(expr string, app protocol.Application, opts ...RouteOption) Route {
	return newRoute(Route{text: expr, isRegexp: true, app: app}, opts)
}

// MountRegexp is Regexp for a prefix: the path up to the end of the match becomes
// part of the root path, and app sees the rest, as with Mount. A match that ends
// in the middle of a segment is none.
func MountRegexp(expr string, app protocol.Application, opts ...RouteOption) Route {
	return newRoute(Route{text: expr, isRegexp: true, mounts: true, app: app}, opts)
}

func newRoute(r Route, opts []RouteOption) Route {
	for _, opt := range opts {
		opt(&r)
	}
	return r
}

// Name names a route for URLRouter.Reverse. The names of the routes behind a
// mount with a name are prefixed with it and a colon: "blog:article".
func Name(name string) RouteOption {
	return func(r *Route) { r.name = name }
}

// Default gives scopes a capture that is not in the path. It replaces a capture
// of the same name. The option may be repeated.
func Default(name, value string) RouteOption {
	return func(r *Route) { r.defaults = append(r.defaults, protocol.Param{Name: name, Value: value}) }
}

// With puts middleware around the route's application only; the first is the
// outermost.
func With(mws ...protocol.Middleware) RouteOption {
	return func(r *Route) { r.middleware = append(r.middleware, mws...) }
}

// Convert gives the route's pattern converters of your own.
func Convert(converters ...*Converter) RouteOption {
	return func(r *Route) { r.converters = append(r.converters, converters...) }
}

// A route is a Route that was checked.
type route struct {
	text     string
	pattern  *pattern       // nil for a regular expression
	regexp   *regexp.Regexp // nil for a pattern
	mounts   bool
	app      protocol.Application // with the route's middleware
	name     string
	defaults []protocol.Param
}

// compile checks a Route.
func (r Route) compile() (*route, error) {
	c := &route{text: r.text, mounts: r.mounts, app: r.app, name: r.name, defaults: r.defaults}
	if c.app == nil {
		return nil, errors.New("its application is nil")
	}
	for _, mw := range r.middleware {
		if mw == nil {
			return nil, errors.New("one of its middlewares is nil")
		}
	}
	if c.app = protocol.Chain(r.middleware...)(c.app); c.app == nil {
		return nil, errors.New("one of its middlewares returned a nil application")
	}
	for _, own := range r.converters {
		if err := own.check(); err != nil {
			return nil, err
		}
	}
	var err error
	if r.isRegexp {
		if c.regexp, err = regexp.Compile(r.text); err != nil {
			return nil, fmt.Errorf("%w (the syntax is that of Go's package regexp)", err)
		}
		return c, nil
	}
	if c.pattern, err = parsePattern(r.text, r.converters); err != nil {
		return nil, err
	}
	if c.mounts {
		err = c.pattern.asPrefix()
	}
	return c, err
}

// shown returns the pattern as scopes and metrics name it: without method and host.
func (r *route) shown() string {
	if r.pattern != nil {
		return r.pattern.path
	}
	return r.text
}

// params appends the captures of a match of the pattern to room.
func (r *route) params(room []protocol.Param, values []string) []protocol.Param {
	for i, v := range values {
		room = append(room, protocol.Param{Name: r.pattern.names[i], Value: v})
	}
	return r.withDefaults(room)
}

// withDefaults puts the route's own captures over those of the path.
func (r *route) withDefaults(params []protocol.Param) []protocol.Param {
next:
	for _, d := range r.defaults {
		for i := range params {
			if params[i].Name == d.Name {
				params[i].Value = d.Value
				continue next
			}
		}
		params = append(params, d)
	}
	return params
}
