package router

import "github.com/portico-go/portico/protocol"

// Leads reports whether a URLRouter in app has a route for scope, without opening
// anything: middleware is looked through and does not run. An application in which
// scope meets no URLRouter leads nowhere in particular, which is false.
func Leads(app protocol.Application, scope *protocol.Scope) bool {
	for {
		switch a := app.(type) {
		case *URLRouter:
			return a.leads(scope)
		case ProtocolTypeRouter:
			app = a[scope.Protocol()]
			continue
		}
		described, ok := app.(protocol.Described)
		if !ok {
			return false
		}
		inner := described.Describe().Inner
		if len(inner) != 1 || inner[0].Label != "" {
			return false
		}
		app = inner[0].App
	}
}

// leads reports whether r has a route for scope. A mount counts if what is mounted
// has one, or is no router.
func (r *URLRouter) leads(scope *protocol.Scope) bool {
	for skip := 0; ; skip++ {
		m := r.lookup(scope, skip, nil)
		switch {
		case m.route == nil:
			return false
		case !m.route.mounts, !routes(m.route.app), Leads(m.route.app, scope.Descend(m.consumed, nil)):
			return true
		}
	}
}

// routes reports whether there is a URLRouter in app, perhaps behind middleware.
func routes(app protocol.Application) (found bool) {
	_ = protocol.Walk(app, func(n protocol.Node) error { // visit never fails
		_, is := n.App.(*URLRouter)
		found = found || is
		return nil
	})
	return found
}
