package auth

import (
	"context"
	"strings"

	"github.com/portico-go/portico/middleware"
	"github.com/portico-go/portico/protocol"
)

// A Verifier returns the user that a token belongs to, or ErrCredentials if it is
// no good, or ErrNoUser. Any other error means that it does not work. It is called
// concurrently and may block. Compare secrets in constant time, or look up their
// hash.
type Verifier func(ctx context.Context, token string) (User, error)

// A Source finds a token in a scope.
type Source func(scope *protocol.Scope) (token string, ok bool)

// FromBearer is the Source of the header "Authorization: Bearer …" (RFC 6750,
// section 2.1), and of chat's /token line, which is shown as that header.
func FromBearer(scope *protocol.Scope) (token string, ok bool) {
	scheme, token, ok := strings.Cut(scope.Header("Authorization"), " ")
	if !ok || !strings.EqualFold(scheme, "Bearer") {
		return "", false
	}
	return strings.TrimLeft(token, " "), true
}

// FromQuery returns the Source of a query parameter, such as "token". Addresses
// end up in logs and histories, so such tokens should be good once, or for a
// short time.
func FromQuery(parameter string) Source {
	return func(scope *protocol.Scope) (string, bool) { return scope.LookupQuery(parameter) }
}

// subprotocolPrefix begins the entry of Sec-WebSocket-Protocol with a token.
const subprotocolPrefix = "bearer."

// FromSubprotocol is the Source for browsers, whose WebSockets can send no
// headers but a list of subprotocols: the entry "bearer.TOKEN" is the token. A
// token of other characters than those of a subprotocol, such as "=", is sent in
// base64url. Offer a real subprotocol with it,
//
//	new WebSocket(url, ["chat", "bearer." + token])
//
// because browsers give up if the server chooses none. Token takes the entry out
// of Scope.Subprotocols, so that no consumer sends it back.
func FromSubprotocol(scope *protocol.Scope) (token string, ok bool) {
	for _, p := range scope.Subprotocols() {
		if token, ok := strings.CutPrefix(p, subprotocolPrefix); ok {
			return token, true
		}
	}
	return "", false
}

// Token finds a token in one of the sources, has it verified, and provides its user
// for From. Without sources it looks at FromBearer and FromSubprotocol.
//
// No token is no error: the user is the one that outer middleware found, or
// Anonymous. A token that is no good is refused with 401, and so are two
// credentials of different users, of two sources or of a token and a session
// outside of it.
func Token(verify Verifier, sources ...Source) protocol.Middleware {
	if len(sources) == 0 {
		sources = []Source{FromBearer, FromSubprotocol}
	}
	return middleware.Transform{
		Name:     "auth.Token",
		Provides: []protocol.AnyKey{UserKey},
		Scope: func(ctx context.Context, scope *protocol.Scope) (*protocol.Scope, error) {
			return enterWithToken(ctx, scope, verify, sources)
		},
	}.Middleware()
}

func enterWithToken(ctx context.Context, scope *protocol.Scope, verify Verifier, sources []Source) (*protocol.Scope, error) {
	tokens := make([]string, 0, 4)
	for _, source := range sources {
		if token, ok := source(scope); ok {
			tokens = append(tokens, token)
		}
	}
	if len(tokens) == 0 {
		return scope, nil
	}
	var found proofs
	if known := From(scope); known.IsAuthenticated() {
		found.add(known)
	}
	for i, token := range tokens {
		if i > 0 && token == tokens[i-1] {
			continue
		}
		if err := found.prove(verify(ctx, token)); err != nil {
			return nil, err
		}
	}
	user, err := found.user()
	if err != nil {
		return nil, err
	}
	return withoutTokenSubprotocol(WithUser(scope, user)), nil
}

// withoutTokenSubprotocol derives a scope in which the token is no subprotocol.
func withoutTokenSubprotocol(scope *protocol.Scope) *protocol.Scope {
	if _, ok := FromSubprotocol(scope); !ok {
		return scope
	}
	var kept []string
	for _, p := range scope.Subprotocols() {
		if !strings.HasPrefix(p, subprotocolPrefix) {
			kept = append(kept, p)
		}
	}
	return scope.WithRequest(func(r *protocol.Request) { r.Subprotocols = kept })
}
