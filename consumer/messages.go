package consumer

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/portico-go/portico/channellayer"
	"github.com/portico-go/portico/protocol"
)

// Messages is a consumer for every protocol that carries messages: WebSocket, the
// line-based chat, protocols of your own. Write it as a literal; its address is a
// protocol.Application, and one value serves several protocols at once.
//
// C is the state of one connection. Each connection has a value of its own, which
// the functions get first, so that they can be methods of *C:
//
//	type member struct{ room string }
//
//	func (m *member) connect(ctx context.Context, c *consumer.Conn) error { … }
//
//	chat := &consumer.Messages[member]{Layer: hub, Connect: (*member).connect}
//
// The functions of one connection never run at the same time. A Messages must not
// be changed once a server uses it; protocol.Check reports what is wrong with it.
type Messages[C any] struct {
	// New makes the state of a connection. nil makes a zero C.
	New func() *C

	// Layer is the channel layer whose groups connections can join. nil is none.
	Layer *channellayer.Hub
	// Groups are joined by every connection before Connect.
	Groups []string

	// Subprotocols are those that the server speaks, the preferred one first. The
	// first that the client offers too is chosen, unless Connect accepts by itself.
	Subprotocols []string

	// Connect decides about a connection: nil accepts it, unless Connect has done so
	// itself or DeferAccept is set; an error refuses it (protocol.Reject, or 403
	// for a protocol.CloseError). A nil Connect accepts everybody.
	Connect func(c *C, ctx context.Context, conn *Conn) error
	// DeferAccept leaves it to the functions to call conn.Accept, also long after
	// Connect. A connection that is not accepted within the server's handshake
	// limit is refused.
	DeferAccept bool

	// Receive handles a message of the client. See JSON for typed messages. A nil
	// Receive drops messages.
	Receive func(c *C, ctx context.Context, conn *Conn, m *protocol.Message) error

	// Events handle the channel layer's events by their type; see Event. An event
	// without a handler is reported to Unhandled and no error.
	Events Events[C]
	// Broadcasts render the channel layer's broadcasts by their type; see Render.
	// For a connection with whole messages, such as a WebSocket, a type that is not
	// listed is sent as the JSON that it is; a line-based one needs a rendering.
	Broadcasts Broadcasts
	// Overflow says what becomes of broadcasts for a client that is slow, by their group
	// and type. The first entry that matches counts; what none matches is subject to
	// protocol.OnOverflow, as what is sent to one client.
	Overflow []Overflow
	// Unhandled is told of an event or broadcast that has no place in the tables, or
	// whose value is not of the type that its place expects; err says which. Such
	// a message never ends a connection. It must not block. nil ignores it.
	Unhandled func(m *channellayer.Message, err error)

	// LayerChanged handles the news that other processes of the layer cannot be
	// reached, or can be again, for connections that are in a group: messages of
	// other processes between ev.Since and now may be missing. It is the moment to
	// tell the client, or to load anew what it shows. With ev.Group it is about one group
	// with history, of which the connection does not get all: see
	// channellayer.LayerEvent, and Conn.JoinFrom. A layer without a broker calls it for
	// that only. nil ignores it.
	LayerChanged func(c *C, ctx context.Context, conn *Conn, ev channellayer.LayerEvent) error

	// Posted handles what was posted with conn.Post or conn.PostAfter: timers, and
	// events of your own. A nil Posted drops them.
	Posted func(c *C, ctx context.Context, conn *Conn, ev protocol.Event) error

	// Disconnect is called once for every connection that Open knew, accepted or
	// not, when it is over and has left its groups. Its ctx lives for
	// protocol.CleanupTimeout. An error is logged.
	Disconnect func(c *C, ctx context.Context, conn *Conn, ev *protocol.Disconnect) error
}

// Open implements protocol.Application.
func (m *Messages[C]) Open(_ context.Context, scope *protocol.Scope, conn *protocol.Conn) (protocol.Handler, error) {
	if err := wantMessages(scope); err != nil {
		return nil, err
	}
	s := &session[C]{consumer: m}
	if m.New != nil {
		s.state = m.New()
	} else {
		s.state = new(C)
	}
	s.conn = Conn{Conn: conn, scope: scope, layer: m.Layer}
	return s, nil
}

// wantMessages refuses a protocol without messages.
func wantMessages(scope *protocol.Scope) error {
	if scope.Framing() != protocol.FramingNone {
		return nil
	}
	return &protocol.Reject{
		Status: 500,
		Err:    fmt.Errorf("consumer: %s has no messages; route it to consumer.HTTP or another application", scope.Protocol()),
	}
}

// Describe implements protocol.Described.
func (m *Messages[C]) Describe() protocol.Description {
	return protocol.Description{Name: fmt.Sprintf("consumer.Messages[%T]", *new(C)), Err: m.check()}
}

func (m *Messages[C]) check() error {
	var errs []error
	if m.Layer == nil && len(m.Groups) > 0 {
		errs = append(errs, errors.New("consumer: Groups are given but no Layer: set Layer to a channellayer.Hub"))
	}
	for _, group := range m.Groups {
		errs = append(errs, channellayer.CheckName(group))
	}
	for name, handler := range m.Events {
		errs = append(errs, channellayer.CheckName(name))
		if handler == nil {
			errs = append(errs, fmt.Errorf("consumer: the event %q has a nil handler: use consumer.Event", name))
		}
	}
	for name, render := range m.Broadcasts {
		if render == nil {
			errs = append(errs, fmt.Errorf("consumer: the broadcast %q has a nil rendering: use consumer.Render", name))
		}
	}
	for i := range m.Overflow {
		errs = append(errs, m.Overflow[i].check())
	}
	for _, sub := range m.Subprotocols {
		if !protocol.IsToken(sub) {
			errs = append(errs, fmt.Errorf("consumer: the subprotocol %q is not a token (RFC 6455, section 4.1)", sub))
		}
	}
	return errors.Join(errs...)
}

// subprotocol returns the first of the server's subprotocols that was offered.
func (m *Messages[C]) subprotocol(offered []string) string {
	for _, sub := range m.Subprotocols {
		if slices.Contains(offered, sub) {
			return sub
		}
	}
	return ""
}
