package auth

import (
	"github.com/portico-go/portico/protocol"
)

// A User is who a connection belongs to. Its methods are called often and
// concurrently, so they should return what is known already.
type User interface {
	// ID identifies the user to its backend and never changes. "" for users that no
	// backend knows.
	ID() string
	// Name is what people call the user. It is unique in its backend.
	Name() string
	// IsAuthenticated reports whether the user proved to be who it is.
	IsAuthenticated() bool
}

// A SessionHasher is a User whose sessions end when something about it changes,
// such as its password: a session holds the hash of the moment of the login, and
// is flushed when the user has another one. The hash must tell nothing about what
// it is made of, an HMAC for example.
type SessionHasher interface {
	SessionHash() string
}

// Anonymous is the user of a connection that belongs to nobody known.
var Anonymous User = anonymous{}

type anonymous struct{}

// ID implements User.
func (anonymous) ID() string { return "" }

// Name implements User.
func (anonymous) Name() string { return "" }

// IsAuthenticated implements User.
func (anonymous) IsAuthenticated() bool { return false }

// Guest is a user with a name and no proof. Nobody else is told apart from it by
// the name, so give it no rights.
type Guest string

// ID implements User. It is empty.
func (Guest) ID() string { return "" }

// Name implements User.
func (g Guest) Name() string { return string(g) }

// IsAuthenticated implements User. It is false.
func (Guest) IsAuthenticated() bool { return false }

// UserKey is the key that this package's middlewares provide. Require it in a
// middleware of your own that calls From.
var UserKey protocol.AnyKey = identityKey

// From returns the scope's user as it is now: Login and Logout change it for all
// scopes of the connection, but for those outside of a Token, ChatUsername or
// WithUser, which derives a user of its own. It is Anonymous, never nil, where nobody is logged in,
// or where no middleware of this package is around.
func From(scope *protocol.Scope) User {
	if id := identityOf(scope); id != nil {
		return id.current()
	}
	return Anonymous
}

// WithUser derives a scope whose user is another one, nil being Anonymous, for
// middleware of your own that finds out who a connection belongs to. The scope that
// it is given keeps its user. List UserKey among what the middleware provides.
func WithUser(scope *protocol.Scope, user User) *protocol.Scope {
	id := &identity{user: user}
	if outer := identityOf(scope); outer != nil {
		id.site = outer.site // Login and Logout work as they do outside
	}
	return scope.With(identityKey.Of(id))
}
