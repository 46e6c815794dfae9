package auth

import (
	"context"
	"errors"
	"fmt"

	"github.com/portico-go/portico/middleware/session"
	"github.com/portico-go/portico/protocol"
)

// Login makes user the one that the connection and its session belong to: From
// returns it at once, and later requests with the session's cookie find it. A nil
// user is the scope's own, if that is authenticated by other means than a session.
//
// The session gets a new token, so that whoever had planted the old one has
// nothing; if another user was logged in, or the same with another SessionHash,
// its values are removed as well. That needs a new cookie: once the connection is
// accepted or answered, Login returns session.ErrHeadersSent and nothing has
// changed. On a protocol without cookies, such as chat, the login holds for the
// connection alone.
//
// A scope without session, or without Middleware or Stack, is an error that names
// what is missing.
func Login(ctx context.Context, scope *protocol.Scope, user User) error {
	return LoginWith(ctx, scope, nil, user)
}

// LoginWith is Login for several backends: it says which one the user is of.
func LoginWith(ctx context.Context, scope *protocol.Scope, backend Backend, user User) error {
	s, id, err := place(scope, "Login")
	if err != nil {
		return err
	}
	if user == nil {
		user = id.current()
	}
	if !user.IsAuthenticated() || user.ID() == "" {
		return errors.New("auth: Login needs a user with an ID: pass the one that Backend.Authenticate returned")
	}
	name, err := id.site.nameOf(backend)
	if err != nil {
		return err
	}
	if err := begin(ctx, s, name, user); err != nil {
		return fmt.Errorf("auth: Login did not change the session: %w", err)
	}
	id.set(user)
	if id.site.OnLogin != nil {
		id.site.OnLogin(ctx, scope, user)
	}
	return nil
}

// begin writes the login into a session with a new token.
func begin(ctx context.Context, s *session.Session, backend string, user User) error {
	had, ok, err := session.Get[string](ctx, s, sessionUser)
	if err != nil {
		return err
	}
	hadBackend, _, err := session.Get[string](ctx, s, sessionBackend)
	if err != nil {
		return err
	}
	hadHash, _, err := session.Get[string](ctx, s, sessionHash)
	if err != nil {
		return err
	}
	if err := s.CycleToken(ctx); err != nil {
		return err
	}
	if ok && (had != user.ID() || hadBackend != backend || hadHash != hashOf(user)) {
		if err := s.Clear(ctx); err != nil {
			return err
		}
	}
	if err := s.Put(ctx, sessionUser, user.ID()); err != nil {
		return err
	}
	if err := s.Put(ctx, sessionBackend, backend); err != nil {
		return err
	}
	return s.Put(ctx, sessionHash, hashOf(user))
}

// Logout flushes the session, values of others than this package included, and
// makes the user Anonymous at once. If nobody was logged in OnLogout is not
// called. Errors are as for Login; a session in a Store can be logged out also
// after the connection was accepted.
func Logout(ctx context.Context, scope *protocol.Scope) error {
	s, id, err := place(scope, "Logout")
	if err != nil {
		return err
	}
	if err := s.Flush(ctx); err != nil {
		return fmt.Errorf("auth: Logout did not flush the session: %w", err)
	}
	user := id.current()
	id.set(Anonymous)
	if user.IsAuthenticated() && id.site.OnLogout != nil {
		id.site.OnLogout(ctx, scope, user)
	}
	return nil
}

// place returns where a login is written down.
func place(scope *protocol.Scope, what string) (*session.Session, *identity, error) {
	s, id := session.From(scope), identityOf(scope)
	if s == nil {
		return nil, nil, fmt.Errorf("auth: %s found no session in the scope: put session middleware, or auth.Stack, around the application", what)
	}
	if id == nil || id.site == nil {
		return nil, nil, fmt.Errorf("auth: %s found no user in the scope: put auth.Middleware, or auth.Stack, around the application", what)
	}
	return s, id, nil
}
