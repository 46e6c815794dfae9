package consumer

import (
	"context"
	"errors"

	"github.com/portico-go/portico/channellayer"
	"github.com/portico-go/portico/protocol"
)

// A Conn is a connection as its consumer sees it: the protocol's Conn with the
// scope and the channel layer. Its own methods may be called concurrently, as
// those of protocol.Conn.
type Conn struct {
	*protocol.Conn

	scope *protocol.Scope
	layer *channellayer.Hub
	inbox inbox
}

// Scope returns the connection's scope, with all that middleware and routers put
// into it.
func (c *Conn) Scope() *protocol.Scope { return c.scope }

// Channel returns the name of the connection's own channel in the layer, to which
// anybody can Send. It is unguessable: to know it is to be allowed to send. It
// returns "" without a layer, and after the end.
func (c *Conn) Channel() string {
	if err := c.inbox.subscribe(c); err != nil {
		return ""
	}
	return c.inbox.sub.Name()
}

// Join makes the connection a member of a group until Leave or the connection's
// end. It returns when the membership holds; while the layer's broker is away that is
// in this process, and everywhere once Messages.LayerChanged says that it is back. The
// error matches channellayer.ErrInvalidName for a bad name, and ErrNoLayer without a
// layer.
func (c *Conn) Join(ctx context.Context, group string) error {
	if err := c.inbox.subscribe(c); err != nil {
		return err
	}
	return ignoreBrokerDown(c.inbox.sub.Join(ctx, group))
}

// Leave ends a membership; without one it does nothing.
func (c *Conn) Leave(ctx context.Context, group string) error {
	if err := c.inbox.subscribe(c); err != nil {
		return err
	}
	return c.inbox.sub.Leave(ctx, group)
}

// SetMetadata says what senders may choose this connection by, with channellayer.Where
// and such: the role of its user, say. It replaces what was said before, and nil takes
// it back. See channellayer.Subscription.SetMetadata for the limits and errors.
func (c *Conn) SetMetadata(entries map[string]string) error {
	if err := c.inbox.subscribe(c); err != nil {
		return err
	}
	return c.inbox.sub.SetMetadata(entries)
}

// SendEvent sends a typed event to one channel; its consumer handles it by its
// type. See channellayer.Hub.Send for the errors.
func (c *Conn) SendEvent(ctx context.Context, channel, eventType string, value any) error {
	if c.layer == nil {
		return ErrNoLayer
	}
	return c.layer.Send(ctx, channel, channellayer.Event{Type: eventType, Value: value})
}

// GroupSend sends a typed event to all members of a group, this connection
// included if it is one; each member's consumer handles it by its type.
//
// That the layer's broker is away is no error: the members in this process have the
// message, and all members are told by Messages.LayerChanged. Who must know of each
// message uses the GroupSend of the channellayer.Hub. Only a message for a group with
// history, which nobody has then, is an error: it matches channellayer.ErrUnconfirmed.
func (c *Conn) GroupSend(ctx context.Context, group, eventType string, value any, options ...channellayer.SendOption) error {
	if c.layer == nil {
		return ErrNoLayer
	}
	_, err := c.layer.GroupSend(ctx, group, channellayer.Event{Type: eventType, Value: value}, options...)
	return ignoreBrokerDown(err)
}

// Broadcast sends a value to the clients of all members of a group, this one
// included if it is a member, rendered once for each framing. What GroupSend says of a
// broker that is away holds here too.
func (c *Conn) Broadcast(ctx context.Context, group, eventType string, value any, options ...channellayer.SendOption) error {
	if c.layer == nil {
		return ErrNoLayer
	}
	_, err := c.layer.Broadcast(ctx, group, channellayer.Event{Type: eventType, Value: value}, options...)
	return ignoreBrokerDown(err)
}

// Reply sends a value to the connection's own client, in the rendering of its
// framing: JSON for whole messages, MarshalLine for lines. It does not wait.
func (c *Conn) Reply(value any) error {
	data, err := MarshalFraming(c.scope.Framing(), value)
	if err != nil {
		return err
	}
	return c.Send(&protocol.Message{Data: data})
}

// ignoreBrokerDown takes what has been done in this process for done: a connection
// must not end because others cannot be reached.
func ignoreBrokerDown(err error) error {
	if errors.Is(err, channellayer.ErrBrokerDown) && !errors.Is(err, channellayer.ErrUnconfirmed) {
		return nil
	}
	return err
}

// ErrNoLayer is returned by a use of the channel layer in a consumer without one.
var ErrNoLayer = errors.New("consumer: no channel layer: set the consumer's Layer")
