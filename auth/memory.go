package auth

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"sync"
)

// A MemoryBackend keeps users with hashed passwords in this process, for
// demonstrations, tests and servers with a handful of users. Make it with
// NewMemoryBackend or Users. It is safe for concurrent use.
//
// A user's ID is its name, and names that differ in case only are the same.
// Setting a password ends the user's sessions.
type MemoryBackend struct {
	mu    sync.RWMutex
	users map[string]*memoryUser // by folded name
	dummy string                 // the hash of some user, for names that nobody has
}

var (
	_ Backend    = (*MemoryBackend)(nil)
	_ NameFinder = (*MemoryBackend)(nil)
)

// NewMemoryBackend returns a backend without users.
func NewMemoryBackend() *MemoryBackend {
	return &MemoryBackend{users: make(map[string]*memoryUser)}
}

// Users returns a backend with the users of a map from names to passwords. Each
// takes some 20 ms to hash.
func Users(passwords map[string]string) (*MemoryBackend, error) {
	b := NewMemoryBackend()
	for name, password := range passwords {
		encoded, err := HashPassword(context.Background(), password)
		if err != nil {
			return nil, err
		}
		if err := b.Set(name, encoded); err != nil {
			return nil, err
		}
	}
	return b, nil
}

// Set adds a user, or replaces its password, with a hash that VerifyPassword
// reads. Another hash, or an empty name, is an error.
func (b *MemoryBackend) Set(name, encoded string) error {
	if name == "" {
		return errors.New("auth: a user needs a name")
	}
	if _, err := parsePasswordHash(encoded); err != nil {
		return fmt.Errorf("auth: user %q: %w", name, err)
	}
	sum := sha256.Sum256([]byte("portico session hash 1\x00" + encoded)) // the salt in it makes it unguessable
	u := &memoryUser{name: name, encoded: encoded, hash: base64.RawURLEncoding.EncodeToString(sum[:])}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.users[strings.ToLower(name)] = u
	b.dummy = encoded
	return nil
}

// Remove removes a user, whose sessions end.
func (b *MemoryBackend) Remove(name string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.users, strings.ToLower(name))
}

// Authenticate implements Backend.
func (b *MemoryBackend) Authenticate(ctx context.Context, name, password string) (User, error) {
	b.mu.RLock()
	u, known := b.users[strings.ToLower(name)]
	encoded := b.dummy
	b.mu.RUnlock()
	if known {
		encoded = u.encoded
	}
	if err := VerifyPassword(ctx, encoded, password); err != nil {
		return nil, err
	}
	if !known {
		return nil, ErrCredentials
	}
	return u, nil
}

// Get implements Backend.
func (b *MemoryBackend) Get(ctx context.Context, id string) (User, error) {
	u, err := b.ByName(ctx, id)
	if err == nil && u.ID() != id {
		return nil, ErrNoUser
	}
	return u, err
}

// ByName implements NameFinder.
func (b *MemoryBackend) ByName(_ context.Context, name string) (User, error) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	if u, ok := b.users[strings.ToLower(name)]; ok {
		return u, nil
	}
	return nil, ErrNoUser
}

type memoryUser struct{ name, encoded, hash string }

// ID implements User.
func (u *memoryUser) ID() string { return u.name }

// Name implements User.
func (u *memoryUser) Name() string { return u.name }

// IsAuthenticated implements User.
func (u *memoryUser) IsAuthenticated() bool { return true }

// SessionHash implements SessionHasher.
func (u *memoryUser) SessionHash() string { return u.hash }
