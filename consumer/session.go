package consumer

import (
	"context"
	"errors"
	"fmt"

	"github.com/portico-go/portico/channellayer"
	"github.com/portico-go/portico/protocol"
)

// A session is the handler of one connection of a Messages consumer.
type session[C any] struct {
	consumer *Messages[C]
	state    *C
	conn     Conn
}

// Handle implements protocol.Handler.
func (s *session[C]) Handle(ctx context.Context, ev protocol.Event) error {
	switch ev := ev.(type) {
	case *protocol.Message:
		if s.consumer.Receive == nil {
			return nil
		}
		return s.consumer.Receive(s.state, ctx, &s.conn, ev)
	case *mail:
		return s.readMail(ctx)
	case *protocol.Pong:
		return nil // to a ping of one's own: that the peer is there is the server's matter
	case *protocol.Connect:
		return s.connect(ctx)
	case *protocol.Disconnect:
		s.conn.inbox.close()
		if s.consumer.Disconnect == nil {
			return nil
		}
		return s.consumer.Disconnect(s.state, ctx, &s.conn, ev)
	default:
		if s.consumer.Posted == nil {
			return nil
		}
		return s.consumer.Posted(s.state, ctx, &s.conn, ev)
	}
}

func (s *session[C]) connect(ctx context.Context) error {
	for _, group := range s.consumer.Groups {
		if err := s.conn.Join(ctx, group); err != nil {
			return err
		}
	}
	if s.consumer.Connect != nil {
		if err := s.consumer.Connect(s.state, ctx, &s.conn); err != nil {
			return err
		}
	}
	if s.consumer.DeferAccept || s.conn.State() != protocol.StateConnecting {
		return nil
	}
	return s.conn.Accept(s.consumer.subprotocol(s.conn.scope.Subprotocols()), nil)
}

// readMail handles what the channel layer has for the connection.
func (s *session[C]) readMail(ctx context.Context) error {
	for {
		if err := s.sendHeld(); err != nil {
			return err
		}
		if more, err := s.replay(ctx); more || err != nil {
			return err
		}
		m, ok := s.conn.inbox.sub.Next()
		if !ok {
			return nil
		}
		if err := s.handleMail(ctx, m); err != nil {
			return err
		}
	}
}

func (s *session[C]) handleMail(ctx context.Context, m *channellayer.Message) error {
	if ev, ok := m.Layer(); ok {
		return s.changed(ctx, ev)
	}
	if m.Kind == channellayer.KindBroadcast {
		if s.conn.State() == protocol.StateConnecting {
			held := s.conn.inbox.later()
			held.messages = append(held.messages, m)
			return nil
		}
		return s.forward(m)
	}
	handle, ok := s.consumer.Events[m.Type]
	if !ok {
		s.unhandled(m, fmt.Errorf("consumer: the event %q has no handler", m.Type))
		return nil
	}
	err := handle(s.state, ctx, &s.conn, m)
	if bad, ok := errors.AsType[*valueError](err); ok {
		s.unhandled(m, bad)
		return nil
	}
	return err
}

func (s *session[C]) changed(ctx context.Context, ev channellayer.LayerEvent) error {
	if s.consumer.LayerChanged == nil {
		return nil
	}
	return s.consumer.LayerChanged(s.state, ctx, &s.conn, ev)
}

// sendHeld sends the broadcasts that had to wait for the accept.
func (s *session[C]) sendHeld() error {
	held := s.conn.inbox.held
	if held == nil || s.conn.State() == protocol.StateConnecting {
		return nil
	}
	messages := held.messages
	held.messages = nil
	if len(held.recoveries) == 0 {
		s.conn.inbox.held = nil
	}
	for _, m := range messages {
		if err := s.forward(m); err != nil {
			return err
		}
	}
	return nil
}

// forward sends a broadcast to the client. All connections with this consumer and
// framing get the same message, which is rendered and encoded once.
func (s *session[C]) forward(m *channellayer.Message) error {
	if shared := s.form(m); shared != nil {
		return ignoreClosed(s.conn.Send(shared))
	}
	return nil
}

// form returns what a broadcast is to this connection, or nil if it has no form.
func (s *session[C]) form(m *channellayer.Message) *protocol.Message {
	f := form{table: &s.consumer.Broadcasts, framing: s.conn.scope.Framing()}
	shared, err := channellayer.Rendering(m, f, func() (*protocol.Message, error) {
		out, err := f.render(m)
		if err != nil {
			return nil, err
		}
		return out, overflow(s.consumer.Overflow, m, out)
	})
	if err != nil {
		s.unhandled(m, err)
		return nil
	}
	return shared
}

func (s *session[C]) unhandled(m *channellayer.Message, err error) {
	if s.consumer.Unhandled != nil {
		s.consumer.Unhandled(m, err)
	}
}

// ignoreClosed takes a Send that came too late for what it is: no error of the
// consumer, whose Disconnect is on its way.
func ignoreClosed(err error) error {
	if errors.Is(err, protocol.ErrClosed) {
		return nil
	}
	return err
}
