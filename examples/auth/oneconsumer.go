package main

import (
	"context"

	"github.com/portico-go/portico/auth"
	"github.com/portico-go/portico/middleware"
	"github.com/portico-go/portico/middleware/session"
	"github.com/portico-go/portico/protocol"
	"github.com/portico-go/portico/router"
)

// oneConsumer puts middleware around one consumer only. What is on the other route
// looks for no session and has no user.
func oneConsumer(users auth.Backend, sessions *session.Sessions) protocol.Application {
	return router.MustURLRouter(
		router.Path("/everybody", whoami()),
		router.Path("/members", whoami(), router.With(auth.Stack(users, sessions), membersOnly())),
	)
}

// membersOnly is a middleware that refuses anonymous users. What it requires is
// checked before the server listens: without a stack around it there is no server.
func membersOnly() protocol.Middleware {
	return middleware.Transform{
		Name:     "membersOnly",
		Requires: []protocol.AnyKey{auth.UserKey},
		Scope: func(_ context.Context, scope *protocol.Scope) (*protocol.Scope, error) {
			if !auth.From(scope).IsAuthenticated() {
				return nil, protocol.Rejectf(403, "members only")
			}
			return scope, nil
		},
	}.Middleware()
}
