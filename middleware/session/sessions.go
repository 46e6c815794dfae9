package session

import (
	"context"
	"errors"

	"github.com/portico-go/portico/middleware"
	"github.com/portico-go/portico/protocol"
)

// Sessions give each connection its session. Make them with New or NewSigned. One
// value serves any number of chains, all of which then share their sessions. It is
// immutable and safe for concurrent use.
type Sessions struct {
	config Config
	keeper keeper
	fault  error // of the configuration; no session works with one
}

// Key is the key of the session that Sessions.Middleware provides.
var Key = protocol.NewKey[*Session]("session")

// From returns the scope's session, or nil where no session middleware is around.
func From(scope *protocol.Scope) *Session {
	s, _ := Key.From(scope)
	return s
}

// New returns sessions that a store keeps. A fault in config is reported when the
// server starts (see Fault).
func New(store Store, config Config) *Sessions {
	s := &Sessions{config: config.withDefaults()}
	if s.fault = s.config.check(); store == nil {
		s.fault = errors.Join(s.fault, errors.New("session: New needs a store; NewMemoryStore returns one"))
	} else {
		s.keeper = newStored(store)
	}
	return s
}

// Fault returns what is wrong with the configuration, or nil. A server reports it
// before it listens; with a fault each use of a session fails with it.
func (m *Sessions) Fault() error { return m.fault }

// Middleware returns the middleware that provides the session: it reads nothing
// until somebody uses the session, and saves what was changed. It requires
// middleware.Cookie outside of it. Where a session is in the scope already it
// leaves that one alone, so that chains can be nested.
func (m *Sessions) Middleware() protocol.Middleware {
	return middleware.Around{
		Name:     "session",
		Provides: []protocol.AnyKey{Key},
		Requires: []protocol.AnyKey{middleware.CookiesKey},
		Open:     m.open,
		Check:    m.fault,
	}.Middleware()
}

func (m *Sessions) open(ctx context.Context, scope *protocol.Scope, conn *protocol.Conn, inner protocol.Application) (protocol.Handler, error) {
	if From(scope) != nil {
		return inner.Open(ctx, scope, conn)
	}
	s := m.Begin(scope)
	handler, err := inner.Open(ctx, scope.With(Key.Of(s)), conn)
	return s.Around(handler), err
}

// Begin returns the session of a connection, for a middleware that is several in
// one, as auth.Stack is: it binds the session to Key in a scope derived from the
// one given, opens the inner application with that, and returns what Around makes
// of its handler. Call it once per connection. Nothing is read yet.
func (m *Sessions) Begin(scope *protocol.Scope) *Session {
	s := new(Session)
	m.BeginIn(s, scope)
	return s
}

// BeginIn is Begin for a Session that is part of a larger value. s must be zero and
// is used for this connection only.
func (m *Sessions) BeginIn(s *Session, scope *protocol.Scope) {
	s.of, s.scope = m, scope
	s.mark(noCookies, scope.Method() == "")
	s.value, s.sent = scope.Cookie(m.config.Cookie)
	s.watch.Store(true)
	if m.config.SaveEveryRequest && s.sent {
		_ = scope.OnResponse(s.respond) // on an answered request nothing is to be saved
	}
}
