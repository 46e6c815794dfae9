package main

import (
	"context"
	"crypto/sha256"

	"github.com/portico-go/portico/auth"
	"github.com/portico-go/portico/channellayer"
	"github.com/portico-go/portico/consumer"
	"github.com/portico-go/portico/protocol"
)

// A say is what a client sends: {"text":"hi"}, or a line.
type say struct {
	Text string `json:"text"`
}

// UnmarshalLine implements consumer.LineUnmarshaler.
func (s *say) UnmarshalLine(line string) error {
	s.Text = line
	return nil
}

// A said is what everybody in a room receives.
type said struct {
	From string `json:"from"`
	Via  string `json:"via"`
	Text string `json:"text"`
}

// MarshalLine implements consumer.LineMarshaler.
func (s said) MarshalLine() (string, error) {
	return consumer.Lines("<"+s.From+"> ", s.Text), nil
}

// A member is one connection to a room, of whatever protocol.
type member struct{ room, name string }

// room returns the consumer of the rooms.
func room(hub *channellayer.Hub) *consumer.Messages[member] {
	return &consumer.Messages[member]{
		Layer:      hub,
		Connect:    (*member).connect,
		Receive:    consumer.JSON((*member).say),
		Broadcasts: consumer.Broadcasts{"said": consumer.Render[said]()},
	}
}

func (m *member) connect(ctx context.Context, c *consumer.Conn) error {
	u := auth.From(c.Scope())
	if !u.IsAuthenticated() {
		return protocol.Rejectf(403, "a room needs a token")
	}
	m.room, m.name = "room."+c.Scope().Param("room"), u.Name()
	return c.Join(ctx, m.room)
}

func (m *member) say(ctx context.Context, c *consumer.Conn, in say) error {
	return c.Broadcast(ctx, m.room, "said", said{From: m.name, Via: c.Scope().Protocol(), Text: in.Text})
}

// demoUser is an auth.Verifier of two tokens. They are looked up by their hashes,
// which takes no longer for a guess that is nearly right.
func demoUser(_ context.Context, token string) (auth.User, error) {
	switch sha256.Sum256([]byte(token)) {
	case sha256.Sum256([]byte("wonderland")):
		return user("alice"), nil
	case sha256.Sum256([]byte("builder")):
		return user("bob"), nil
	}
	return nil, auth.ErrCredentials
}

// A user is an auth.User who is known by a name.
type user string

// ID implements auth.User.
func (u user) ID() string { return string(u) }

// Name implements auth.User.
func (u user) Name() string { return string(u) }

// IsAuthenticated implements auth.User.
func (u user) IsAuthenticated() bool { return true }
