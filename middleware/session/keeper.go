package session

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"time"
)

// A keeper is where sessions are between requests. It knows them by the value of
// their cookie.
type keeper interface {
	// find returns the block that a cookie's value, which comes from a client,
	// stands for, if it has not expired. errForged and errExpired say why it is none.
	find(ctx context.Context, value string) (block []byte, found bool, err error)
	// commit keeps a block under the value, or under a new one if value is "", and
	// returns the value that the cookie must have from now on. ErrDeleted says that
	// there is no such value any more.
	commit(ctx context.Context, value string, block []byte, expiry time.Time) (string, error)
	// remove makes the value stand for nothing, if the keeper can.
	remove(ctx context.Context, value string) error
	// inCookie reports that each change of a session changes its cookie.
	inCookie() bool
}

var (
	errForged  = errors.New("session: the cookie has a bad signature")
	errExpired = errors.New("session: the session in the cookie has expired")
)

// stored keeps sessions in a Store. The cookie has a token of 256 random bits, the
// store its hash.
type stored struct {
	store    CtxStore
	replacer Replacer     // nil if the store is none
	memory   *MemoryStore // nil if the store is none
}

func newStored(store Store) stored {
	k := stored{store: asCtxStore(store)}
	k.replacer, _ = store.(Replacer)
	k.memory, _ = store.(*MemoryStore)
	return k
}

const (
	tokenBytes = 32
	tokenChars = 43 // of unpadded base64url
)

func newToken() string {
	var b [tokenBytes]byte
	_, _ = rand.Read(b[:]) // never fails: it ends the program rather
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// storeKey returns the name under which the store has a token's session, or false
// for what cannot be a token of ours. Tokens are random, so a plain hash is enough.
func storeKey(token string) (string, bool) {
	key, ok := hashToken(token)
	if !ok {
		return "", false
	}
	return string(key[:]), true
}

func hashToken(token string) (key [tokenChars]byte, ok bool) {
	if len(token) != tokenChars {
		return key, false
	}
	copy(key[:], token)
	sum := sha256.Sum256(key[:])
	base64.RawURLEncoding.Encode(key[:], sum[:])
	return key, true
}

func (k stored) find(ctx context.Context, value string) ([]byte, bool, error) {
	hash, ok := hashToken(value)
	if !ok {
		return nil, false, nil
	}
	if k.memory != nil {
		block, found := k.memory.find(hash[:])
		return block, found, nil
	}
	key := string(hash[:])
	block, found, err := k.store.FindCtx(ctx, key)
	if err != nil {
		return nil, false, fmt.Errorf("session: the store did not find: %w", err)
	}
	return block, found, nil
}

func (k stored) commit(ctx context.Context, value string, block []byte, expiry time.Time) (string, error) {
	isNew := value == ""
	if isNew {
		value = newToken()
	}
	key, _ := storeKey(value)
	found, err := k.write(ctx, key, block, expiry, isNew)
	switch {
	case err != nil:
		return "", fmt.Errorf("session: the store did not commit: %w", err)
	case !found:
		return "", ErrDeleted
	}
	return value, nil
}

func (k stored) write(ctx context.Context, key string, block []byte, expiry time.Time, isNew bool) (found bool, err error) {
	if k.replacer != nil && !isNew {
		return k.replacer.Replace(ctx, key, block, expiry)
	}
	return true, k.store.CommitCtx(ctx, key, block, expiry)
}

func (k stored) remove(ctx context.Context, value string) error {
	key, ok := storeKey(value)
	if !ok {
		return nil
	}
	if err := k.store.DeleteCtx(ctx, key); err != nil {
		return fmt.Errorf("session: the store did not delete: %w", err)
	}
	return nil
}

func (stored) inCookie() bool { return false }
