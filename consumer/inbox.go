package consumer

import (
	"context"
	"sync"

	"github.com/portico-go/portico/channellayer"
	"github.com/portico-go/portico/protocol"
)

// mail is the event that the channel layer has something for the connection.
type mail struct{}

// EventType implements protocol.Event.
func (*mail) EventType() string { return "layer" }

// youHaveMail serves all connections: it says nothing but that there is some.
var youHaveMail = &mail{}

// An inbox is a connection's channel in the layer, subscribed to when it is first
// needed and closed with the connection.
type inbox struct {
	mu  sync.Mutex
	sub *channellayer.Subscription
}

func (i *inbox) subscribe(c *Conn) error {
	if c.layer == nil {
		return ErrNoLayer
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.sub != nil {
		return nil
	}
	if s := c.State(); s >= protocol.StateClosing {
		return protocol.ErrClosed
	}
	name := c.layer.NewChannel(c.scope.Protocol())
	sub, err := c.layer.Subscribe(name, func() { _ = c.Post(youHaveMail) }) // too late is no error
	if err != nil {
		return err
	}
	i.sub = sub
	c.OnClose(func(context.Context, error) { sub.Close() })
	return nil
}
