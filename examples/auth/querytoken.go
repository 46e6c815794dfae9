package main

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"maps"
	"sync"
	"time"

	"github.com/portico-go/portico/auth"
	"github.com/portico-go/portico/protocol"
)

// queryToken takes a token from the query, ws://…/ws/chat/?token=…, and looks it up
// in a store: it makes the token's user the connection's. Pages can send no headers
// with a WebSocket, but this.
func queryToken(tokens *tokenStore) protocol.Application {
	return auth.Token(tokens.verify, auth.FromQuery("token"))(whoami())
}

// A tokenStore issues tokens and knows whose they are. Addresses end up in logs and
// histories, so the tokens are good for a short time only.
//
// It keeps hashes: whoever reads the store has no token, and how long a look-up
// takes says nothing about a token, because nobody can choose the hash of a guess.
type tokenStore struct {
	users auth.Backend
	life  time.Duration // of a token

	mu     sync.Mutex
	grants map[[sha256.Size]byte]grant
}

// A grant is what a token is good for.
type grant struct {
	user  string // the ID
	until time.Time
}

func newTokenStore(users auth.Backend, life time.Duration) *tokenStore {
	return &tokenStore{users: users, life: life, grants: make(map[[sha256.Size]byte]grant)}
}

// issue returns a new token of a user's.
func (s *tokenStore) issue(user auth.User) (token string) {
	token = rand.Text()
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	maps.DeleteFunc(s.grants, func(_ [sha256.Size]byte, g grant) bool { return !now.Before(g.until) })
	s.grants[sha256.Sum256([]byte(token))] = grant{user.ID(), now.Add(s.life)}
	return token
}

// verify is an auth.Verifier. A user who is gone is auth.ErrNoUser.
func (s *tokenStore) verify(ctx context.Context, token string) (auth.User, error) {
	s.mu.Lock()
	g, ok := s.grants[sha256.Sum256([]byte(token))]
	s.mu.Unlock()
	if !ok || !time.Now().Before(g.until) {
		return nil, auth.ErrCredentials
	}
	return s.users.Get(ctx, g.user)
}
