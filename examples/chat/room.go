package main

import (
	"context"
	"time"

	"github.com/portico-go/portico/auth"
	"github.com/portico-go/portico/channellayer"
	"github.com/portico-go/portico/channellayer/presence"
	"github.com/portico-go/portico/consumer"
	"github.com/portico-go/portico/protocol"
)

// said is what everybody in a room receives: browsers as JSON, terminals as a line.
type said struct {
	Room string `json:"room"`
	From string `json:"from"`
	Via  string `json:"via"`
	Text string `json:"text"`
}

// MarshalLine implements consumer.LineMarshaler.
func (s said) MarshalLine() (string, error) {
	return consumer.Lines("<"+s.From+"> ", s.Text), nil
}

// A say is what a client sends: {"text":"hi"} from a browser, a line from a terminal. {"watch":true} asks who is there.
type say struct {
	Text  string `json:"text"`
	Watch bool   `json:"watch,omitempty"`
}

// UnmarshalLine implements consumer.LineUnmarshaler.
func (s *say) UnmarshalLine(line string) error {
	s.Text = line
	return nil
}

// A member is one connection to a room. A browser and a terminal are the same here.
type member struct {
	people *presence.Tracker
	room   string
	name   string
}

// room returns the consumer of the rooms, for WebSocket and chat alike.
func room(hub *channellayer.Hub, people *presence.Tracker) *consumer.Messages[member] {
	return &consumer.Messages[member]{
		New:          func() *member { return &member{people: people} },
		Layer:        hub,
		Connect:      (*member).connect,
		Receive:      consumer.JSON((*member).say),
		Events:       consumer.Events[member]{presence.EventDiff: consumer.Event((*member).peopleChanged)},
		Broadcasts:   consumer.Broadcasts{"said": consumer.Render[said]()},
		LayerChanged: (*member).layerChanged,
	}
}

// connect lets users in, and nobody else.
func (m *member) connect(ctx context.Context, c *consumer.Conn) error {
	user := auth.From(c.Scope())
	if !user.IsAuthenticated() {
		return protocol.Rejectf(403, "log in first")
	}
	room, err := roomOf(c.Scope())
	if err != nil {
		return err
	}
	m.room, m.name = room, user.Name()
	if err := c.Join(ctx, group(m.room)); err != nil {
		return err
	}
	return m.people.Track(ctx, c.Channel(), group(m.room), m.name, here{Via: c.Scope().Protocol()})
}

// say passes what a member says on to the room.
func (m *member) say(ctx context.Context, c *consumer.Conn, in say) error {
	if in.Watch {
		return m.watch(ctx, c)
	}
	if in.Text == "" {
		return nil
	}
	if len(in.Text) > maxText {
		return protocol.Closef(protocol.CloseMessageTooBig, "a message has at most %d bytes", maxText)
	}
	return c.Broadcast(ctx, group(m.room), "said", said{
		Room: m.room, From: m.name, Via: c.Scope().Protocol(), Text: in.Text,
	})
}

// A notice is what the server itself says.
type notice struct {
	Room   string `json:"room"`
	Notice string `json:"notice"`
}

// MarshalLine implements consumer.LineMarshaler. What people say begins with their name, so nobody forges this.
func (n notice) MarshalLine() (string, error) { return consumer.Lines("* ", n.Notice), nil }

// layerChanged tells a member who else reads along, and that there may be a gap.
func (m *member) layerChanged(_ context.Context, c *consumer.Conn, ev channellayer.LayerEvent) error {
	text := "the other servers are out of reach: you talk with those on this one"
	if ev.Up {
		text = "the other servers are back; what was said there since " + ev.Since.UTC().Format(time.TimeOnly) + " UTC may be missing"
	}
	return c.Reply(notice{Room: m.room, Notice: text})
}

// What a room takes.
const (
	maxRoom = 64   // bytes of a room's name
	maxText = 4096 // bytes of a message: a terminal's longest line
)

// roomOf returns the room that a connection or request is about.
func roomOf(scope *protocol.Scope) (string, error) {
	room := scope.Param("room")
	if len(room) > maxRoom {
		return "", protocol.Rejectf(404, "a room's name has at most %d bytes", maxRoom)
	}
	return room, nil
}

// group names the channel layer's group of a room.
func group(room string) string { return "room." + room }
