package main

import (
	"context"
	"errors"

	"github.com/portico-go/portico/auth"
	"github.com/portico-go/portico/middleware"
	"github.com/portico-go/portico/protocol"
)

// queryUser is behind a middleware of our own.
func queryUser(users auth.Backend) protocol.Application {
	return insecureQueryUser(users)(whoami())
}

// insecureQueryUser is a middleware that takes the user's ID from the query string,
// "?user=alice", and believes it: anybody can be anybody. It shows what a middleware
// looks like; use it where only a proxy that sets the ID can connect.
func insecureQueryUser(users auth.Backend) protocol.Middleware {
	return middleware.Transform{
		Name:     "insecureQueryUser",
		Provides: []protocol.AnyKey{auth.UserKey},
		Scope: func(ctx context.Context, scope *protocol.Scope) (*protocol.Scope, error) {
			user, err := users.Get(ctx, scope.Query("user"))
			switch {
			case errors.Is(err, auth.ErrNoUser):
				user = auth.Anonymous
			case err != nil:
				return nil, err // 500, and logged
			}
			return auth.WithUser(scope, user), nil
		},
	}.Middleware()
}
