package consumer

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/portico-go/portico/channellayer"
	"github.com/portico-go/portico/protocol"
)

// Recovered is what JoinFrom found out at once.
type Recovered struct {
	// Exact says that the client is about to get exactly what it missed. Otherwise it gets all that the group still has, of which it may have had
	// some, and others may be missing: it should show that alone.
	Exact bool `json:"exact"`
	// Gap is why it is not Exact: for a first visit, channellayer.GapNoPosition.
	Gap channellayer.Gap `json:"-"`
	// Position is where the client is when it has had what it gets now, and from where it may come again.
	Position channellayer.Position `json:"position"`
}

// JoinFrom is Join for a group with history (channellayer.Config.History) and a client
// that keeps positions: position is the text of the last one that it had, as from
// RenderPositioned, or "" on its first visit. What it missed is handled, once the calling
// function has returned, as if it were sent now: broadcasts go to the client, events to
// their handlers, and then what is new, in order, without a gap or a duplicate. It is
// read in pages, and sent at the client's pace (Conn.SendContext), so it may be long.
//
// Call it from the connection's functions: from Connect, say, with a query parameter, or
// from LayerChanged with ev.Group and ev.Position.String(), when the connection was too
// slow for the group and has been told so (channellayer.GapSlow). What a client sends as a
// position grants nothing; whether it may join is the caller's to decide, each time.
//
// A malformed position is an error that refuses or closes the connection, and matches
// channellayer.ErrPosition; so do channellayer.ErrNoHistory and ErrInvalidName for the
// group, and ErrNoLayer. One that matches channellayer.ErrBrokerDown says that the history
// cannot be read now: the connection gets nothing of the group until JoinFrom is called
// again, for which LayerChanged tells the time.
func (c *Conn) JoinFrom(ctx context.Context, group, position string) (Recovered, error) {
	if err := c.inbox.subscribe(c); err != nil {
		return Recovered{}, err
	}
	after, err := channellayer.ParsePosition(position)
	if err != nil {
		return Recovered{}, c.malformed(err)
	}
	r, err := c.inbox.sub.JoinFrom(ctx, group, after)
	if err != nil {
		return Recovered{}, err
	}
	c.inbox.recover(group, r)
	return Recovered{Exact: r.Recovered, Gap: r.Gap, Position: r.Position}, c.Post(youHaveMail)
}

// malformed is the client's mistake, in the form that its handshake or its protocol has for it.
func (c *Conn) malformed(err error) error {
	const reason = "the position is malformed"
	if c.State() == protocol.StateConnecting {
		return &protocol.Reject{Status: 400, Reason: reason, Err: err}
	}
	return &protocol.CloseError{Code: protocol.CloseInvalidPayload, Reason: reason, Err: err}
}

// A recovering is what a connection has still to get of a group before what is new.
type recovering struct {
	group string
	*channellayer.Recovery
}

// recover adds what has to be handled before the mail. An earlier recovery of the same group is void.
func (i *inbox) recover(group string, r *channellayer.Recovery) {
	kept := i.later().recoveries[:0]
	for _, old := range i.held.recoveries {
		if old.group != group {
			kept = append(kept, old)
		}
	}
	i.held.recoveries = append(kept, recovering{group, r})
}

const (
	replayPatience = time.Second     // before a log that cannot be read is asked again
	replayTimeout  = 5 * time.Second // for one page
)

// replay handles one page of what the connection has to get before the mail. More tells that there may be another page: the connection writes in between, and comes again.
func (s *session[C]) replay(ctx context.Context) (more bool, err error) {
	held := s.conn.inbox.held
	if held == nil || len(held.recoveries) == 0 {
		return false, nil
	}
	r := held.recoveries[0]
	reading, cancel := context.WithTimeout(ctx, replayTimeout)
	page, err := r.Next(reading)
	cancel()
	switch {
	case ctx.Err() != nil:
		return true, nil // the connection is ending
	case errors.Is(err, channellayer.ErrGap):
		held.recoveries = held.recoveries[1:]
		return true, s.changed(ctx, channellayer.LayerEvent{Up: true, Since: time.Now(), Group: r.group, Gap: channellayer.GapTrimmed})
	case errors.Is(err, channellayer.ErrClosed):
		return true, err
	case err != nil:
		s.conn.PostAfter(replayPatience, youHaveMail)
		return true, nil
	case len(page) == 0:
		held.recoveries = held.recoveries[1:]
		return s.replay(ctx)
	}
	for _, m := range page {
		if err := s.again(ctx, m); err != nil {
			return true, err
		}
	}
	return true, ignoreClosed(s.conn.Post(youHaveMail))
}

// again handles a message that was missed. A replay is for one client, so it goes at that client's pace: what comes meanwhile waits, and what has no room to wait is part
// of the next recovery.
func (s *session[C]) again(ctx context.Context, m *channellayer.Message) error {
	if m.Kind != channellayer.KindBroadcast || s.conn.State() == protocol.StateConnecting {
		return s.handleMail(ctx, m)
	}
	if form := s.form(m); form != nil {
		if err := s.conn.SendContext(ctx, form); ctx.Err() == nil {
			return ignoreClosed(err)
		}
	}
	return nil
}

// Positioned is the form in which RenderPositioned sends a broadcast to clients with whole
// messages.
type Positioned[T any] struct {
	// Group is where it was sent, and Type what.
	Group string `json:"group"`
	Type  string `json:"type"`
	// Position is what the client keeps, for each group the last, and gives to JoinFrom when it comes again. It is empty if the group has no history.
	Position channellayer.Position `json:"position"`
	Value    T                     `json:"value"`
}

// RenderPositioned is Render with each message's position, for clients that recover what
// they missed: JSON of a Positioned for whole messages. Lines are those of Render.
func RenderPositioned[T any]() func(protocol.Framing, *channellayer.Message) ([]byte, error) {
	plain := Render[T]()
	return func(framing protocol.Framing, m *channellayer.Message) ([]byte, error) {
		if framing != protocol.FramingMessage {
			return plain(framing, m)
		}
		value, err := channellayer.Value[T](m)
		if err != nil {
			return nil, fmt.Errorf("consumer: the broadcast %q is no %T: %w", m.Type, value, err)
		}
		return MarshalFraming(framing, Positioned[T]{Group: m.Group, Type: m.Type, Position: m.Position(), Value: value})
	}
}
