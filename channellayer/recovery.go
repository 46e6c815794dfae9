package channellayer

import (
	"context"
	"fmt"
)

// A Recovery is what came into a group's history after a position: at once whether that is all, and then, page by page, the messages themselves. It holds one page, reads the
// next when it is asked for it, and needs no end. It is not safe for concurrent use.
type Recovery struct {
	// Recovered says that the messages are exactly those that came after the position that was given. Otherwise some may be missing, or
	// have been had before: they are all that the log still has.
	Recovered bool
	// Gap is why it is not Recovered.
	Gap Gap
	// Position is where the messages end. What comes after it comes through the subscription. A client that has had everything up to here keeps it for the next time.
	Position Position

	hub     *Hub
	sub     *Subscription // nil: for nobody in particular
	group   string
	keep    Retention
	entries []Entry  // read, not yet returned
	last    Position // of the last entry that was read
	ended   bool
	err     error
}

// JoinFrom is [Subscription.Join] for one that was in the group before, here or on another node, and knows the position of the last message that it had: the Recovery has what came since, and
// everything after it is queued, in the log's order, without a gap or a duplicate between the two. Handle the Recovery's messages first, all of them, and what is queued then.
// With the zero Position it is a first join, and the Recovery, which is not Recovered, has all that the log still has. The Recovery takes as long as its reader: what
// is queued meanwhile is bounded by the channel's capacity as ever.
//
// A member may call it again, for instance when a [LayerEvent] has told it that its queue was full: messages of the group that are still queued are taken out, since the Recovery has them.
//
// The errors are those of Join, and [ErrNoHistory] for a group without. An error that matches [ErrBrokerDown] or is the context's says that the log could not be read. The
// membership holds then, and stays silent until JoinFrom is called again, with the same position, when the broker is back.
func (s *Subscription) JoinFrom(ctx context.Context, group string, after Position) (*Recovery, error) {
	if err := checkName("group name", group); err != nil {
		return nil, err
	}
	h := s.class.hub
	if _, ok := h.history.of(group); !ok {
		return nil, noHistory(group)
	}
	if err := s.joinConfirmed(ctx, group, true); err != nil {
		return nil, err
	}
	r, err := h.recovery(ctx, group, after)
	if err != nil {
		return nil, err
	}
	r.sub = s
	had := Position{}
	if r.Recovered {
		had = after
	}
	to, err := s.resume(group, had)
	if err != nil {
		return nil, err
	}
	r.until(to)
	if r.Recovered && (to.Epoch != after.Epoch || to.Offset < after.Offset) {
		r.Position = after // this node is not there yet: what it delivers up to there is not for the member
	}
	return r, nil
}

// Recover returns what came into the history of a group after a position, up to now, for one that is no member. With the zero Position that is all that there is.
// The errors match [ErrInvalidName], [ErrNoHistory], [ErrBrokerDown], [ErrClosed], or are the context's.
func (h *Hub) Recover(ctx context.Context, group string, after Position) (*Recovery, error) {
	if err := checkName("group name", group); err != nil {
		return nil, err
	}
	r, err := h.recovery(ctx, group, after)
	if err == nil {
		r.until(r.Position)
	}
	return r, err
}

// recovery reads the first page, and works out whether it continues the position. Its Position is the log's end for now.
func (h *Hub) recovery(ctx context.Context, group string, after Position) (*Recovery, error) {
	keep, ok := h.history.of(group)
	if !ok {
		return nil, noHistory(group)
	}
	r := &Recovery{hub: h, group: group, keep: keep}
	page, err := r.read(ctx, after.Offset)
	if err != nil {
		return nil, err
	}
	r.entries, r.Gap = page.after(after)
	r.Recovered = r.Gap == GapNone
	switch {
	case r.Recovered:
		r.last = after
		h.counts.recovered.Add(1)
	case after.Offset > 0: // nothing holds of that position, so neither does where it was
		if page, err = r.read(ctx, 0); err != nil {
			return nil, err
		}
		r.entries = page.Entries
		fallthrough
	default:
		h.counts.unrecovered.Add(1)
	}
	r.Position = page.Top
	r.note()
	return r, nil
}

func noHistory(group string) error {
	return fmt.Errorf("%w: group %q matches no pattern of Config.History", ErrNoHistory, group)
}

// note remembers the last entry that was read.
func (r *Recovery) note() {
	if n := len(r.entries); n > 0 {
		r.last = r.entries[n-1].Position
	}
}

// until says where the messages end.
func (r *Recovery) until(end Position) {
	if r.last.Epoch != "" && r.last.Epoch != end.Epoch { // the log has begun anew, and the members are about to learn it
		r.entries, r.ended = nil, true
	}
	r.Position = end
}

// Next returns the next messages, oldest first, at most 100, and none at the end. They are shared with nobody, but read-only as all messages are. An error that matches [ErrGap] says that the log has dropped what
// came next while the pages before it were being read: what comes through the subscription does not continue them. Other errors say that the log could not be read; call Next again.
func (r *Recovery) Next(ctx context.Context) ([]*Message, error) {
	for r.err == nil {
		if len(r.entries) == 0 && (r.ended || r.last.Offset >= r.Position.Offset) {
			return nil, nil
		}
		if len(r.entries) == 0 {
			if err := r.more(ctx); err != nil {
				return nil, err
			}
		}
		if messages := r.messages(); len(messages) > 0 {
			return messages, nil
		}
	}
	return nil, r.err
}

// more reads the page after the last entry that was read.
func (r *Recovery) more(ctx context.Context) error {
	page, err := r.read(ctx, r.last.Offset)
	if err != nil {
		return err
	}
	var gap Gap
	if r.entries, gap = page.after(r.last); gap != GapNone && gap != GapNoPosition {
		r.entries, r.err = nil, fmt.Errorf("%w: group %q: %v", ErrGap, r.group, gap)
	}
	r.ended = !page.More
	r.note()
	return nil
}

func (r *Recovery) read(ctx context.Context, from uint64) (Page, error) {
	h := r.hub
	if h.closed.Load() {
		return Page{}, ErrClosed
	}
	page, err := h.history.log.Read(ctx, logSubject+Token(r.group), r.keep, from, readPage)
	switch {
	case err == nil:
		return page, nil
	case ctx.Err() != nil:
		return Page{}, ctx.Err()
	case h.closed.Load():
		return Page{}, ErrClosed
	}
	return Page{}, fmt.Errorf("%w: read the history of group %q: %w", ErrBrokerDown, r.group, err)
}

// messages makes messages of the entries that were read and are for the subscriber.
func (r *Recovery) messages() []*Message {
	all := make([]*Message, 0, len(r.entries))
	before := Position{}
	for _, e := range r.entries {
		if e.Offset > r.Position.Offset {
			break
		}
		m, err := r.hub.entry(r.group, e, before)
		before = e.Position
		if err != nil {
			r.hub.counts.stray.Add(1)
			continue
		}
		if to, err := r.hub.audience(m); err == nil && (r.sub == nil || to.includes(r.sub)) {
			all = append(all, m)
		}
	}
	r.entries = nil
	return all
}
