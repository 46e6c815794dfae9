package auth

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"

	"github.com/portico-go/portico/middleware"
	"github.com/portico-go/portico/middleware/session"
	"github.com/portico-go/portico/protocol"
)

// A Config is what there is to say about logging in. Middleware and Stack without
// a Config serve for one backend and no hooks.
type Config struct {
	// Backends know the users. At least one is needed. With several, Login cannot
	// tell which one a user is of: use LoginWith.
	Backends []Backend
	// OnLogin is called when a user was logged in, before Login returns. nil is none.
	OnLogin func(ctx context.Context, scope *protocol.Scope, user User)
	// OnLogout is called when a user was logged out, before Logout returns; not for
	// one that was not logged in. nil is none.
	OnLogout func(ctx context.Context, scope *protocol.Scope, user User)
}

// Middleware finds out who is logged in, before the application opens, and provides
// the user for From. It requires session middleware outside of it. A request
// without a session cookie costs it nothing.
//
// The user is Anonymous when the session has none, or one that its backend does not
// know, or one of a backend that is not here any more. If the user's SessionHash is
// not the session's, the session is flushed. A backend or store that fails refuses
// the connection with 500.
func Middleware(backends ...Backend) protocol.Middleware {
	return Config{Backends: backends}.Middleware()
}

// Middleware is the function Middleware with hooks.
func (c Config) Middleware() protocol.Middleware {
	b, err := newBackends(c)
	return middleware.Transform{
		Name:     "auth",
		Provides: []protocol.AnyKey{UserKey},
		Requires: []protocol.AnyKey{session.Key},
		Check:    err,
		Scope: func(ctx context.Context, scope *protocol.Scope) (*protocol.Scope, error) {
			if err != nil {
				return nil, err
			}
			s := session.From(scope)
			if s == nil {
				return nil, errors.New("auth: there is no session in the scope: put session middleware outside of auth.Middleware, or use auth.Stack")
			}
			id, scope := withIdentity(scope)
			return scope, b.enter(ctx, id, s)
		},
	}.Middleware()
}

// Stack is cookie, session and auth middleware in one: it works as
// middleware.Cookie around sessions.Middleware around Middleware(backend), and
// derives one scope instead of three.
func Stack(backend Backend, sessions *session.Sessions) protocol.Middleware {
	return Config{Backends: []Backend{backend}}.Stack(sessions)
}

// Stack is the function Stack with hooks, and for several backends.
func (c Config) Stack(sessions *session.Sessions) protocol.Middleware {
	b, err := newBackends(c)
	if sessions == nil {
		err = errors.Join(err, errors.New("auth: Stack needs sessions; session.New returns some"))
	} else {
		err = errors.Join(err, sessions.Fault())
	}
	return middleware.Around{
		Name:     "auth.Stack",
		Provides: []protocol.AnyKey{middleware.CookiesKey, session.Key, UserKey},
		Check:    err,
		Open: func(ctx context.Context, scope *protocol.Scope, conn *protocol.Conn, inner protocol.Application) (protocol.Handler, error) {
			if err != nil {
				return nil, err
			}
			return b.open(ctx, scope, conn, inner, sessions)
		},
	}.Middleware()
}

func (b *backends) open(ctx context.Context, scope *protocol.Scope, conn *protocol.Conn, inner protocol.Application, sessions *session.Sessions) (protocol.Handler, error) {
	if s := session.From(scope); s != nil { // a stack inside of another one
		id, scope := withIdentity(scope)
		if err := b.enter(ctx, id, s); err != nil {
			return nil, err
		}
		return inner.Open(ctx, scope, conn)
	}
	both := new(struct { // in one piece
		session  session.Session
		identity identity
	})
	s, id := &both.session, identityOf(scope)
	if id == nil {
		id = &both.identity
	}
	sessions.BeginIn(s, scope)
	scope = scope.With(session.Key.Of(s), identityKey.Of(id))
	if err := b.enter(ctx, id, s); err != nil {
		return nil, err
	}
	handler, err := inner.Open(ctx, scope, conn)
	return s.Around(handler), err
}

// The keys of the session that say who is logged in.
const (
	sessionUser    = "auth.user"
	sessionBackend = "auth.backend"
	sessionHash    = "auth.hash"
)

// enter makes the identity the session's user, unless something outside has found
// out already who it is.
func (b *backends) enter(ctx context.Context, id *identity, s *session.Session) error {
	if id.site == nil {
		id.site = b
	}
	if !s.Offered() || id.current().IsAuthenticated() {
		return nil
	}
	user, err := b.resolve(ctx, s)
	if err != nil {
		return err
	}
	id.set(user)
	return nil
}

// resolve returns the session's user.
func (b *backends) resolve(ctx context.Context, s *session.Session) (User, error) {
	var values [3][]byte
	keys := [...]string{sessionUser, sessionBackend, sessionHash}
	err := s.Strings(ctx, keys[:], values[:])
	id, name, hash := values[0], values[1], values[2]
	if err != nil || id == nil {
		return Anonymous, err
	}
	backend := b.named(name)
	if backend == nil {
		return Anonymous, nil
	}
	user, err := backend.Get(ctx, string(id))
	switch {
	case errors.Is(err, ErrNoUser):
		return Anonymous, nil
	case err != nil:
		return nil, fmt.Errorf("auth: backend %s did not return the session's user: %w", name, err)
	}
	if subtle.ConstantTimeCompare(hash, []byte(hashOf(user))) != 1 {
		return Anonymous, s.Flush(ctx)
	}
	return user, nil
}

func hashOf(u User) string {
	if h, ok := u.(SessionHasher); ok {
		return h.SessionHash()
	}
	return ""
}
