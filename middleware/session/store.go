package session

import (
	"context"
	"time"
)

// A Store keeps sessions on the server. Its methods are those of the stores of
// github.com/alexedwards/scs, all of which work here. They are called
// concurrently, and may block. A store that also implements CtxStore gets the
// contexts of its callers.
//
// The tokens that a store sees are hashes of the ones in the cookies, 43
// characters of unpadded base64url, so that a stolen store opens no session.
type Store interface {
	// Find returns what was committed under token. found is false, without an
	// error, if there is nothing or it has expired. The caller does not change b.
	Find(token string) (b []byte, found bool, err error)
	// Commit stores b under token until expiry, in place of what was there. The
	// caller does not change b afterwards.
	Commit(token string, b []byte, expiry time.Time) error
	// Delete removes token. That nothing is there is no error.
	Delete(token string) error
}

// A CtxStore is a Store whose operations can be cancelled. New looks once whether
// its store is one, and then uses these methods only.
type CtxStore interface {
	Store
	// FindCtx is Find with a context.
	FindCtx(ctx context.Context, token string) (b []byte, found bool, err error)
	// CommitCtx is Commit with a context.
	CommitCtx(ctx context.Context, token string, b []byte, expiry time.Time) error
	// DeleteCtx is Delete with a context.
	DeleteCtx(ctx context.Context, token string) error
}

// A Replacer is a Store that can commit in one step what it still has, so that a
// session that is deleted at the very moment in which it is saved stays deleted.
// MemoryStore is one; a database does it with an UPDATE. New looks once whether
// its store is one.
type Replacer interface {
	// Replace is CommitCtx if there is something under token that has not expired.
	// Otherwise it does nothing and found is false.
	Replace(ctx context.Context, token string, b []byte, expiry time.Time) (found bool, err error)
}

// withoutCtx makes a Store a CtxStore that ignores contexts.
type withoutCtx struct{ Store }

func asCtxStore(s Store) CtxStore {
	if c, ok := s.(CtxStore); ok {
		return c
	}
	return withoutCtx{s}
}

// FindCtx implements CtxStore.
func (s withoutCtx) FindCtx(_ context.Context, token string) ([]byte, bool, error) {
	return s.Find(token)
}

// CommitCtx implements CtxStore.
func (s withoutCtx) CommitCtx(_ context.Context, token string, b []byte, expiry time.Time) error {
	return s.Commit(token, b, expiry)
}

// DeleteCtx implements CtxStore.
func (s withoutCtx) DeleteCtx(_ context.Context, token string) error { return s.Delete(token) }
