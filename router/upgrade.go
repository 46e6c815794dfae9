package router

import (
	"net/http"

	"github.com/portico-go/portico/protocol"
)

// servesUpgraded reports whether what a GET asks for is served over WebSocket.
func (r ProtocolTypeRouter) servesUpgraded(scope *protocol.Scope) bool {
	return scope.Method() == http.MethodGet && r["websocket"] != nil && leads(r["websocket"], scope)
}

// upgradeRequired returns the refusal of a request that lacks the upgrade (RFC
// 9110, section 15.5.22).
func upgradeRequired() error {
	return protocol.NoRouteWith(protocol.Reject{
		Status: http.StatusUpgradeRequired,
		Reason: "only WebSocket is served here",
		Header: protocol.Fields{{Name: "Upgrade", Value: "websocket"}},
	})
}

// isNotFound reports whether err is the 404 of routers that have no route.
func isNotFound(err error) bool {
	r, _ := protocol.RejectOf(err)
	return protocol.IsNoRoute(err) && r.Status == http.StatusNotFound
}

// leads reports whether a URLRouter in app has a route for the scope. It opens
// nothing, so applications that do not describe themselves are none.
func leads(app protocol.Application, scope *protocol.Scope) bool {
	for _, r := range routersIn(app) {
		for skip := 0; ; skip++ {
			m := r.lookup(scope, skip, nil)
			if m.route == nil {
				break
			}
			if !m.route.mounts || len(routersIn(m.route.app)) == 0 || leads(m.route.app, scope.Descend(m.consumed, nil)) {
				return true
			}
		}
	}
	return false
}
