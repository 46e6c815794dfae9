package main

import (
	"context"

	"github.com/portico-go/portico/auth"
	"github.com/portico-go/portico/consumer"
	"github.com/portico-go/portico/middleware/session"
	"github.com/portico-go/portico/protocol"
)

// refuse is a consumer that refuses anonymous users. The stack around it (cookie,
// session, user) finds out who is one; the refusal is a 403 in place of the upgrade.
func refuse(users auth.Backend, sessions *session.Sessions) protocol.Application {
	return auth.Stack(users, sessions)(&consumer.Messages[struct{}]{
		Connect: func(_ *struct{}, _ context.Context, c *consumer.Conn) error {
			if !auth.From(c.Scope()).IsAuthenticated() {
				return protocol.Rejectf(403, "log in first")
			}
			return nil // accepts
		},
		Receive: func(_ *struct{}, _ context.Context, c *consumer.Conn, m *protocol.Message) error {
			return c.Send(m)
		},
	})
}
