package middleware

import (
	"context"

	"github.com/portico-go/portico/protocol"
)

// CookiesKey is what Cookie provides: its presence says that the chain counts on
// the client's cookies. It is for the checks at the start: auth.Stack, which provides it
// too, binds nothing to it.
var CookiesKey = protocol.NewKey[struct{}]("cookies")

// Cookie marks the place in a chain from which on cookies are relied upon:
// session middleware requires it. It reads nothing: Scope.Cookie and
// Scope.Cookies scan the Cookie headers when somebody asks (RFC 6265, section
// 4.2), on HTTP, on a WebSocket's handshake, and on the /cookie lines of chat.
// SetCookie and DeleteCookie work without it.
func Cookie() protocol.Middleware {
	return Transform{
		Name:     "cookie",
		Provides: []protocol.AnyKey{CookiesKey},
		Scope: func(_ context.Context, scope *protocol.Scope) (*protocol.Scope, error) {
			return scope.With(CookiesKey.Of(struct{}{})), nil
		},
	}.Middleware()
}
