package auth

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/portico-go/portico/middleware"
	"github.com/portico-go/portico/middleware/session"
	"github.com/portico-go/portico/protocol"
)

// A ChatOption changes what ChatUsername accepts.
type ChatOption func(*chatAuth)

// WithSessions lets chat clients prove who they are with a session's cookie
// ("/cookie sessionid=…"): ChatUsername then has a Stack with these sessions around
// it. It is not needed inside of a Stack.
func WithSessions(sessions *session.Sessions) ChatOption {
	return func(c *chatAuth) { c.sessions = sessions }
}

// WithTokens lets chat clients prove who they are with a token ("/token T").
func WithTokens(verify Verifier) ChatOption { return func(c *chatAuth) { c.verify = verify } }

// WithGuests lets clients in that offer a name and no proof, as a Guest: names of
// letters, digits, "_", "-" and ".", at most 32, that the backend does not know. The
// backend must be a NameFinder.
func WithGuests() ChatOption { return func(c *chatAuth) { c.guests = true } }

// InsecureClearText accepts passwords, tokens and cookies from other machines over
// connections without TLS, where whoever carries them can read them.
func InsecureClearText() ChatOption { return func(c *chatAuth) { c.clearText = true } }

// ChatUsername makes the name of a chat client a user of the backend, and provides
// the user for From. It looks at the handshake lines, which chat's scopes have as
// headers: Nick, Pass, Authorization and Cookie. It works alone, with WithSessions,
// and inside of a Stack; there Login and Logout work too, and hold for the
// connection. Scopes of other protocols, whose messages are no lines, pass
// through, with the user they have.
//
// The client must prove its name, with the password, a token or a session of that
// user. Refused with 401 are: a wrong password, a token or cookie that is no good,
// two proofs of different users, a proof of another user than the name says, and a
// name without proof, unless WithGuests lets it in. A client without name and
// proof is Anonymous.
//
// Passwords, tokens and cookies in clear text are refused with 403 unless they come
// over TLS, a unix socket, or from the same machine; see InsecureClearText. The
// application inside does not see Pass and Authorization in its scope;
// Conn.Request still has them.
func ChatUsername(backend Backend, options ...ChatOption) protocol.Middleware {
	c := &chatAuth{backend: backend}
	for _, option := range options {
		option(c)
	}
	c.finder, _ = backend.(NameFinder)
	err := c.check()
	own := middleware.Transform{
		Name:     "auth.ChatUsername",
		Provides: []protocol.AnyKey{UserKey},
		Check:    err,
		Scope: func(ctx context.Context, scope *protocol.Scope) (*protocol.Scope, error) {
			if err != nil {
				return nil, err
			}
			return c.enter(ctx, scope)
		},
	}.Middleware()
	if c.sessions != nil {
		return protocol.Chain(Stack(backend, c.sessions), own)
	}
	return own
}

// chatAuth is what ChatUsername was told.
type chatAuth struct {
	backend   Backend
	finder    NameFinder
	sessions  *session.Sessions
	verify    Verifier
	guests    bool
	clearText bool
}

func (c *chatAuth) check() error {
	switch {
	case c.backend == nil:
		return errors.New("auth: ChatUsername needs a backend")
	case c.guests && c.finder == nil:
		return errors.New("auth: WithGuests needs a backend with the method ByName, to keep the names of its users from guests")
	}
	return nil
}

func (c *chatAuth) enter(ctx context.Context, scope *protocol.Scope) (*protocol.Scope, error) {
	if scope.Framing() != protocol.FramingLine {
		return scope, nil
	}
	user, err := c.user(ctx, scope, From(scope))
	if err != nil {
		return nil, err
	}
	return withoutSecrets(WithUser(scope, user))
}

// user returns who the client is. known is what an outer middleware made of the
// client's cookie or token.
func (c *chatAuth) user(ctx context.Context, scope *protocol.Scope, known User) (User, error) {
	nick := scope.Header("Nick")
	pass, hasPass := scope.Headers().Lookup("Pass")
	token, hasToken := FromBearer(scope)
	s := session.From(scope)
	hasCookie := s != nil && s.Offered()
	if !hasPass && !hasToken && !hasCookie {
		return c.withoutProof(ctx, nick, known)
	}
	if !c.clearText && !confidential(scope) {
		return nil, protocol.Rejectf(http.StatusForbidden, "passwords, tokens and cookies need TLS")
	}
	var found proofs
	if known.IsAuthenticated() {
		found.add(known)
	} else if hasCookie {
		return nil, unauthorized("the session is not logged in")
	}
	if hasToken && c.verify != nil {
		if err := found.prove(c.verify(ctx, token)); err != nil {
			return nil, err
		}
	}
	if hasPass {
		if nick == "" {
			return nil, unauthorized("a password needs a name")
		}
		if err := found.prove(c.backend.Authenticate(ctx, nick, pass)); err != nil {
			return nil, err
		}
	}
	user, err := found.user()
	if err != nil {
		return nil, err
	}
	if nick != "" && !strings.EqualFold(nick, user.Name()) {
		return nil, unauthorized("the name is another user's than the proof")
	}
	return user, nil
}

// withoutProof returns who a client without password, token and cookie is.
func (c *chatAuth) withoutProof(ctx context.Context, nick string, known User) (User, error) {
	switch {
	case known.IsAuthenticated(): // by a means of an outer middleware's own
		if nick != "" && !strings.EqualFold(nick, known.Name()) {
			return nil, unauthorized("the name is another user's than the proof")
		}
		return known, nil
	case nick == "":
		return known, nil
	case !c.guests:
		return nil, unauthorized("the name needs a proof: a password, a token or a session")
	case !guestName(nick):
		return nil, protocol.Rejectf(http.StatusBadRequest, "a guest's name has 1 to 32 letters, digits, '_', '-' or '.'")
	}
	_, err := c.finder.ByName(ctx, nick)
	switch {
	case errors.Is(err, ErrNoUser):
		return Guest(nick), nil
	case err != nil:
		return nil, err
	}
	return nil, unauthorized("the name is a user's: it needs a proof")
}

func guestName(s string) bool {
	for i := range len(s) {
		b := s[i]
		if !('a' <= b && b <= 'z' || 'A' <= b && b <= 'Z' || '0' <= b && b <= '9' || strings.IndexByte("_-.", b) >= 0) {
			return false
		}
	}
	return s != "" && len(s) <= 32
}

// confidential reports whether nobody on the way can read what the client sends:
// TLS, a unix socket, which has no address, or this machine.
func confidential(scope *protocol.Scope) bool {
	client := scope.Client()
	return scope.TLS() != nil || !client.IsValid() || client.Addr().Unmap().IsLoopback()
}

// withoutSecrets derives a scope without the lines that nobody needs any more.
func withoutSecrets(scope *protocol.Scope) (*protocol.Scope, error) {
	var kept protocol.Fields
	for name, value := range scope.Headers().All() {
		if !strings.EqualFold(name, "Pass") && !strings.EqualFold(name, "Authorization") {
			kept.Add(name, value)
		}
	}
	headers, err := protocol.NewHeaders(kept)
	if err != nil {
		return nil, err
	}
	return scope.WithRequest(func(r *protocol.Request) { r.Headers = headers }), nil
}
