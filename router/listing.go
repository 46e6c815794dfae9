package router

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/portico-go/portico/protocol"
)

// A RouteInfo describes one way through an application's routers, from the
// outermost to an application that is none.
type RouteInfo struct {
	// Protocol is the protocol that leads here; empty is any.
	Protocol string
	// Method is the method that leads here; empty is any.
	Method string
	// Host is the host that leads here; empty is any.
	Host string
	// Pattern is what Scope.Route returns behind the route: the pattern or regular
	// expression with the mounts' before it. Of a ChannelNameRouter it is the
	// channel. Without a router of the two kinds it is empty.
	Pattern string
	// Name is the name that the protocol's URLRouter reverses; empty is none.
	Name string
	// Middleware names what is around the application, outermost first. A
	// middleware that is no protocol.Described hides all that is behind it.
	Middleware []string
	// Application names what the route leads to.
	Application string
}

// A Table lists routes.
type Table []RouteInfo

// Routes lists the routes that app leads to: protocols and channels in the order
// of their names, paths in the order in which they were given to NewURLRouter.
func Routes(app protocol.Application) Table {
	var t Table
	t.visit(app, RouteInfo{}, "")
	return t
}

// visit appends the routes behind app, which info leads to. space is what the
// names of mounts put before those of the routes.
func (t *Table) visit(app protocol.Application, info RouteInfo, space string) {
	if r, ok := app.(*URLRouter); ok {
		for _, rt := range r.routes {
			inside := space
			if rt.mounts && rt.name != "" {
				inside += rt.name + ":"
			}
			t.visit(rt.app, info.through(rt, space), inside)
		}
		return
	}
	d := protocol.Description{Name: fmt.Sprintf("%T", app)}
	if described, ok := app.(protocol.Described); ok {
		d = described.Describe()
	}
	switch app.(type) {
	case ProtocolTypeRouter:
		for _, inner := range d.Inner {
			info.Protocol = inner.Label
			t.visit(inner.App, info, space)
		}
		return
	case ChannelNameRouter:
		for _, inner := range d.Inner {
			info.Pattern = inner.Label
			t.visit(inner.App, info, space)
		}
		return
	}
	if len(d.Inner) == 0 {
		info.Application = d.Name
		*t = append(*t, info)
		return
	}
	info.Middleware = append(slices.Clip(info.Middleware), d.Name)
	for _, inner := range d.Inner {
		t.visit(inner.App, info, space)
	}
}

// through returns what leads to the application of a route.
func (i RouteInfo) through(r *route, space string) RouteInfo {
	if i.Pattern == "" {
		i.Pattern = r.shown()
	} else {
		i.Pattern = strings.TrimSuffix(i.Pattern, "/") + r.shown()
	}
	if p := r.pattern; p != nil {
		i.Method, i.Host = cmp.Or(p.method, i.Method), cmp.Or(p.host, i.Host)
	}
	if i.Name = r.name; r.name != "" {
		i.Name = space + r.name
	}
	return i
}

// String returns the table with a line for each route, aligned for people.
func (t Table) String() string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	write := func(columns ...string) {
		for i, c := range columns {
			columns[i] = cmp.Or(c, "-")
		}
		_, _ = fmt.Fprintln(w, strings.Join(columns, "\t")) // a Builder takes everything
	}
	write("PROTOCOL", "METHOD", "HOST", "PATTERN", "NAME", "MIDDLEWARE", "APPLICATION")
	for _, r := range t {
		write(r.Protocol, r.Method, r.Host, r.Pattern, r.Name, strings.Join(r.Middleware, ", "), r.Application)
	}
	_ = w.Flush()
	return b.String()
}
