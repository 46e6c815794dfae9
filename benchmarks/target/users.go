package main

import (
	"context"

	"github.com/portico-go/portico/auth"
)

// A directory is a backend of users who log in without a password. Hashing some at
// the start would leave megabytes of garbage, in which the memory of connections
// could hide when it is measured.
type directory map[string]*person

func newDirectory(names ...string) directory {
	d := directory{}
	for _, name := range names {
		d[name] = &person{name: name, hash: "of " + name}
	}
	return d
}

// Authenticate implements auth.Backend.
func (directory) Authenticate(context.Context, string, string) (auth.User, error) {
	return nil, auth.ErrCredentials
}

// Get implements auth.Backend.
func (d directory) Get(_ context.Context, id string) (auth.User, error) {
	if p, ok := d[id]; ok {
		return p, nil
	}
	return nil, auth.ErrNoUser
}

// A person is a user of a directory.
type person struct{ name, hash string }

// ID implements auth.User.
func (p *person) ID() string { return p.name }

// Name implements auth.User.
func (p *person) Name() string { return p.name }

// IsAuthenticated implements auth.User.
func (p *person) IsAuthenticated() bool { return true }

// SessionHash implements auth.SessionHasher.
func (p *person) SessionHash() string { return p.hash }
