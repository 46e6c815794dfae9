package consumer

import (
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
// needed. Its connection's handler closes it before it does anything else about
// Disconnect.
type inbox struct {
	mu  sync.Mutex
	sub *channellayer.Subscription

	held *backlog // nil but for what is to be handled before the mail; only the handler's turns touch it
}

// A backlog is what comes before the mail.
type backlog struct {
	messages   []*channellayer.Message // broadcasts that came before the accept
	recoveries []recovering
}

// later returns the backlog, to be added to.
func (i *inbox) later() *backlog {
	if i.held == nil {
		i.held = new(backlog)
	}
	return i.held
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
	sub, err := c.layer.Attach((*reader)(c))
	if err != nil {
		return err
	}
	i.sub = sub
	return nil
}

// close leaves all groups. No subscription is made afterwards: the connection is over.
func (i *inbox) close() {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.sub != nil {
		i.sub.Close()
	}
}

// A reader is a Conn as the channel layer sees it.
type reader Conn

// Wake implements channellayer.Reader.
func (r *reader) Wake() { _ = (*Conn)(r).Post(youHaveMail) } // too late is no error

// ChannelPrefix implements channellayer.Reader.
func (r *reader) ChannelPrefix() string { return r.scope.Protocol() }
