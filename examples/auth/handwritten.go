package main

import (
	"context"
	"errors"
	"net/http"

	"github.com/portico-go/portico/auth"
	"github.com/portico-go/portico/protocol"
	"github.com/portico-go/portico/router"
)

// handwritten puts an auth middleware that is written by hand around a router: all
// of its routes are for users only.
func handwritten(users auth.Backend) protocol.Application {
	return basicAuth(users)(router.MustURLRouter(
		router.Path("/whoami", whoami()),
		router.Path("/rooms/{room}", whoami()),
	))
}

// basicAuth is a middleware with names and passwords as HTTP has them (RFC 7617),
// which want TLS. It is written against nothing but the contract: a middleware is
// a function from an application to an application. A middleware.Transform, as in
// queryuser.go, does the same with less.
func basicAuth(users auth.Backend) protocol.Middleware {
	return func(inner protocol.Application) protocol.Application {
		return &basic{users: users, inner: inner}
	}
}

// basic is an application behind basicAuth.
type basic struct {
	users auth.Backend
	inner protocol.Application
}

// Open implements protocol.Application.
func (b *basic) Open(ctx context.Context, scope *protocol.Scope, conn *protocol.Conn) (protocol.Handler, error) {
	parsed := http.Request{Header: http.Header{"Authorization": {scope.Header("Authorization")}}}
	name, password, ok := parsed.BasicAuth()
	if !ok {
		return nil, unauthorized("this needs a name and a password")
	}
	user, err := b.users.Authenticate(ctx, name, password)
	switch {
	case errors.Is(err, auth.ErrCredentials):
		return nil, unauthorized("wrong name or password")
	case err != nil:
		return nil, err // 500, and logged
	}
	return b.inner.Open(ctx, auth.WithUser(scope, user), conn)
}

func unauthorized(reason string) error {
	return &protocol.Reject{
		Status: http.StatusUnauthorized,
		Reason: reason,
		Header: protocol.Fields{{Name: "WWW-Authenticate", Value: `Basic realm="gallery", charset="UTF-8"`}},
	}
}

// Describe implements protocol.Described, so that a server can check what is inside
// before it listens.
func (b *basic) Describe() protocol.Description {
	return protocol.Description{
		Name:     "basicAuth",
		Provides: []protocol.AnyKey{auth.UserKey},
		Inner:    []protocol.Inner{{App: b.inner}},
	}
}
