package main

import (
	"context"
	"time"

	"github.com/portico-go/portico/channellayer"
	"github.com/portico-go/portico/channellayer/presence"
	"github.com/portico-go/portico/consumer"
)

// grace is how long a page may take to be loaded again without its user having been away.
const grace = 3 * time.Second

// openPeople returns who is in the rooms of all processes.
func openPeople(hub *channellayer.Hub) (*presence.Tracker, error) {
	return presence.New(hub, presence.Config{Grace: grace})
}

// here is what others see of a connection beside its user's name.
type here struct {
	Via string `json:"via"`
}

// people is what a client gets that asked who is there, at first.
type people struct {
	Room   string              `json:"room"`
	People []presence.Presence `json:"people"`
}

// change is what it gets later: who came, and who left.
type change struct {
	Room   string        `json:"room"`
	Change presence.Diff `json:"change"`
}

// watch tells a member who is in the room, now and from now on.
func (m *member) watch(ctx context.Context, c *consumer.Conn) error {
	list, err := m.people.Watch(ctx, c.Channel(), group(m.room))
	if err != nil {
		return err
	}
	return c.Reply(people{Room: m.room, People: list})
}

func (m *member) peopleChanged(_ context.Context, c *consumer.Conn, d presence.Diff) error {
	return c.Reply(change{Room: m.room, Change: d})
}
