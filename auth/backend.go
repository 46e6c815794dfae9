package auth

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/portico-go/portico/protocol"
)

var (
	// ErrCredentials means that a name and password, or a token, prove nothing. It
	// does not say which of them is wrong. Returned by a handler as it is, it refuses
	// with 401.
	ErrCredentials error = credentialsError{}
	// ErrNoUser means that there is no such user.
	ErrNoUser = errors.New("auth: no such user")
)

// A credentialsError is ErrCredentials.
type credentialsError struct{}

// Error implements error.
func (credentialsError) Error() string { return "auth: wrong credentials" }

// Unwrap returns how it refuses a connection or answers a request.
func (credentialsError) Unwrap() error {
	return &protocol.Reject{Status: 401, Reason: "wrong credentials"}
}

// A Backend knows users. It is called concurrently and may block.
type Backend interface {
	// Authenticate returns the user with a name and password, or ErrCredentials: for
	// an unknown name too, after as much work as for a wrong password (see
	// VerifyPassword). Any other error means that the backend does not work.
	Authenticate(ctx context.Context, name, password string) (User, error)
	// Get returns the user with an ID, or ErrNoUser: also for one that may not log
	// in any more, which ends its sessions. Any other error means that the backend
	// does not work.
	Get(ctx context.Context, id string) (User, error)
}

// A NameFinder is a Backend that can tell which names are taken, which a chat that
// lets guests in has to know.
type NameFinder interface {
	// ByName returns the user with a name, or ErrNoUser. Names that people take for
	// the same, such as those that differ in case only, should be the same to it.
	ByName(ctx context.Context, name string) (User, error)
}

// A NamedBackend is a Backend with a name of its own, which sessions remember to
// tell backends apart. The name of others is that of their type.
type NamedBackend interface {
	BackendName() string
}

// backends are those of one Config, and their names.
type backends struct {
	Config
	names []string
}

func newBackends(c Config) (*backends, error) {
	b := &backends{Config: c}
	if len(c.Backends) == 0 {
		return b, errors.New("auth: there is no backend: give at least one")
	}
	for i, backend := range c.Backends {
		if backend == nil {
			return b, fmt.Errorf("auth: backend %d is nil", i)
		}
		name := fmt.Sprintf("%T", backend)
		if named, ok := backend.(NamedBackend); ok {
			name = named.BackendName()
		}
		if slices.Contains(b.names, name) {
			return b, fmt.Errorf("auth: two backends are called %q: give them a BackendName method", name)
		}
		b.names = append(b.names, name)
	}
	return b, nil
}

func (b *backends) named(name []byte) Backend {
	for i, n := range b.names {
		if n == string(name) {
			return b.Backends[i]
		}
	}
	return nil
}

// nameOf returns the name of the backend that is to be remembered, nil standing
// for the only one.
func (b *backends) nameOf(backend Backend) (string, error) {
	if backend == nil {
		if len(b.Backends) != 1 {
			return "", errors.New("auth: there are several backends: use LoginWith and say which one the user is of")
		}
		return b.names[0], nil
	}
	for i, known := range b.Backends {
		if known == backend {
			return b.names[i], nil
		}
	}
	return "", fmt.Errorf("auth: LoginWith was given a %T that is none of the middleware's backends", backend)
}
