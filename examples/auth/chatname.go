package main

import (
	"github.com/portico-go/portico/auth"
	"github.com/portico-go/portico/middleware/session"
	"github.com/portico-go/portico/protocol"
	"github.com/portico-go/portico/router"
)

// chatName turns the name of a chat client into a user: "/nick alice" is alice if a
// password, the cookie of a session or a token proves it. The consumer is the one
// that browsers have.
func chatName(users auth.Backend, sessions *session.Sessions, tokens *tokenStore) protocol.Application {
	named := auth.ChatUsername(users, auth.WithSessions(sessions), auth.WithTokens(tokens.verify))
	return named(router.MustURLRouter(router.Path("/lobby", whoami())))
}
