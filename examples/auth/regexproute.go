package main

import (
	"context"

	"github.com/portico-go/portico/auth"
	"github.com/portico-go/portico/consumer"
	"github.com/portico-go/portico/middleware/session"
	"github.com/portico-go/portico/protocol"
	"github.com/portico-go/portico/router"
)

// regexpRoute routes with a regular expression, behind the stack. The expression
// sees the path without its first slash; an unnamed group is a capture without a
// name.
func regexpRoute(users auth.Backend, sessions *session.Sessions) protocol.Application {
	return auth.Stack(users, sessions)(router.MustURLRouter(
		router.Regexp(`^front(end)/$`, &consumer.Messages[struct{}]{Connect: showCapture}),
	))
}

func showCapture(_ *struct{}, _ context.Context, c *consumer.Conn) error {
	if err := c.Accept("", nil); err != nil {
		return err
	}
	return c.SendText("captured " + c.Scope().Param(""))
}
