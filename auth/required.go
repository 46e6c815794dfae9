package auth

import (
	"context"
	"net/http"

	"github.com/portico-go/portico/middleware"
	"github.com/portico-go/portico/protocol"
)

// Required returns a middleware that lets in who is logged in, and refuses everybody
// else with 403, on every protocol: before a WebSocket's upgrade, with "/err 403" on
// chat. A Guest is not logged in. It stands inside of what finds out who that is, a
// Stack or a Token for example; where there is none the server does not start.
//
// It asks once, when the connection opens: who logs out later stays connected.
func Required() protocol.Middleware {
	return middleware.Transform{
		Name:     "auth.Required",
		Requires: []protocol.AnyKey{UserKey},
		Scope: func(_ context.Context, scope *protocol.Scope) (*protocol.Scope, error) {
			if !From(scope).IsAuthenticated() {
				return nil, protocol.Rejectf(http.StatusForbidden, "log in first")
			}
			return scope, nil
		},
	}.Middleware()
}
