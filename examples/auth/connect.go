package main

import (
	"context"

	"github.com/portico-go/portico/auth"
	"github.com/portico-go/portico/consumer"
	"github.com/portico-go/portico/middleware/session"
	"github.com/portico-go/portico/protocol"
)

// connect reads the user in Connect: who a connection belongs to is known before
// its consumer runs.
func connect(users auth.Backend, sessions *session.Sessions) protocol.Application {
	return auth.Stack(users, sessions)(whoami())
}

// whoami returns a consumer that calls everybody by name. Which middleware found
// that out, and on which protocol, is nothing to it.
func whoami() protocol.Application {
	return &consumer.Messages[visitor]{
		Connect: (*visitor).connect,
		Receive: (*visitor).receive,
	}
}

// A visitor is the state of one connection.
type visitor struct{ name string }

func (v *visitor) connect(_ context.Context, c *consumer.Conn) error {
	v.name = "stranger"
	if user := auth.From(c.Scope()); user.IsAuthenticated() {
		v.name = user.Name()
	}
	if err := c.Accept("", nil); err != nil { // nothing can be sent before that
		return err
	}
	return c.SendText("hello, " + v.name)
}

func (v *visitor) receive(_ context.Context, c *consumer.Conn, m *protocol.Message) error {
	return c.SendText(consumer.Lines(v.name+" said ", string(m.Data)))
}
