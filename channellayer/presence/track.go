package presence

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/portico-go/portico/channellayer"
)

// Track says that the connection with this channel is in a group, under a key: who it is, such as the name of its user. It ends with the channel's
// [channellayer.Subscription], or with Untrack. Meta is encoded as JSON, and nil is none; tracking the same channel, group and key again replaces it.
//
// It is known here when Track returns, and elsewhere a moment later. That the broker is away is no error: others learn of it when it is back. The first call for
// a group waits until this node takes part in what is said about it, or the context ends.
//
// The channel must be read in this process: the error matches [channellayer.ErrNoSubscriber] otherwise. Others match [channellayer.ErrInvalidName] for a bad key
// or group, [channellayer.ErrTooLarge] for too much metadata, [ErrFull], [channellayer.ErrClosed], or are the context's. Then nothing has changed.
func (t *Tracker) Track(ctx context.Context, channel, group, key string, meta any) error {
	if err := channellayer.CheckName(key); err != nil {
		return fmt.Errorf("presence: key: %w", err)
	}
	raw, err := t.encode(meta)
	if err != nil {
		return err
	}
	r, err := t.enter(ctx, group)
	if err != nil {
		return err
	}
	defer r.exit()
	o := &own{claim: claim{channel, key}, room: r, item: item{Key: key, Meta: raw}}
	if r.update(o.claim, raw) {
		return nil
	}
	if o.stop, err = t.hub.OnClose(channel, func() { t.connectionEnded(o) }); err != nil {
		return fmt.Errorf("presence: track: %w", err)
	}
	return r.admit(o)
}

// encode returns metadata as it is stored.
func (t *Tracker) encode(meta any) (json.RawMessage, error) {
	if meta == nil {
		return nil, nil
	}
	raw, err := json.Marshal(meta)
	if err != nil {
		return nil, fmt.Errorf("presence: encode the metadata: %w", err)
	}
	if len(raw) > t.config.MaxMeta {
		return nil, fmt.Errorf("presence: %w: the metadata has %d bytes, at most %d are allowed", channellayer.ErrTooLarge, len(raw), t.config.MaxMeta)
	}
	return raw, nil
}

// update replaces the metadata of a presence of this node, and reports whether there is one.
func (r *room) update(c claim, meta json.RawMessage) bool {
	r.t.mu.Lock()
	defer r.t.mu.Unlock()
	return r.replace(c, meta)
}

func (r *room) replace(c claim, meta json.RawMessage) bool {
	o := r.mine[c]
	if o == nil {
		return false
	}
	if string(o.item.Meta) != string(meta) {
		o.item.Meta = meta
		r.changed(o)
	}
	return true
}

// admit adds a presence of this node.
func (r *room) admit(o *own) error {
	t := r.t
	t.mu.Lock()
	defer t.mu.Unlock()
	err := t.admissible(o)
	if err == nil && !r.replace(o.claim, o.item.Meta) { // another call may have been first
		t.refs++
		o.item.ID = t.refs
		r.mine[o.claim] = o
		r.changed(o)
		return nil
	}
	o.stop()
	return err
}

func (t *Tracker) admissible(o *own) error {
	switch {
	case t.closed:
		return channellayer.ErrClosed
	case o.over:
		return fmt.Errorf("presence: track: %w: channel %q has just been closed", channellayer.ErrNoSubscriber, o.channel)
	case len(o.room.mine) >= t.config.MaxPresences:
		return fmt.Errorf("%w: this node has %d presences in %q, as many as Config.MaxPresences allows", ErrFull, len(o.room.mine), o.room.group)
	}
	return nil
}

// Untrack ends a presence on purpose: its place is not kept for the grace. It does nothing if there is none, and asks nothing of the broker.
func (t *Tracker) Untrack(channel, group, key string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if r := t.rooms[group]; r != nil {
		if o := r.mine[claim{channel, key}]; o != nil {
			o.stop()
			o.end(false)
		}
	}
}

// connectionEnded ends a presence whose connection has ended.
func (t *Tracker) connectionEnded(o *own) {
	t.mu.Lock()
	defer t.mu.Unlock()
	o.end(true)
}
