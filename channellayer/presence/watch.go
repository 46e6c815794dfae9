package presence

import (
	"context"
	"fmt"
	"slices"

	"github.com/portico-go/portico/channellayer"
)

// List returns who is in a group, on all nodes, ordered by key and ID. The list is shared: read it only.
//
// A node that has nothing to do with the group yet asks the others, and waits a quarter of a second for them, or less if all have answered; what comes
// later than that is not in the list. It then stays informed for a while, so that the next List returns at once.
// The errors match [channellayer.ErrInvalidName] or [channellayer.ErrClosed], or are the context's.
func (t *Tracker) List(ctx context.Context, group string) ([]Presence, error) {
	r, err := t.enter(ctx, group)
	if err != nil {
		return nil, err
	}
	defer r.exit()
	if err := r.ready(ctx); err != nil {
		return nil, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return nil, channellayer.ErrClosed
	}
	return r.list(), nil
}

// ready waits until the others have had the time to say what they have.
func (r *room) ready(ctx context.Context) error {
	select {
	case <-r.settled:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Watch is List, and sends each later change to the connection with this channel: an event of the type [EventDiff] with a [Diff] as its value. The list with
// the diffs applied in the order in which they come ([Diff.Apply]) is who is there: nothing is missing between the two, and nothing comes twice. If the channel is
// full and loses a diff, the next one's Number tells, and Watch is called again for a new list.
//
// It ends with the channel's subscription, or with Unwatch. A watcher need not be in the group. It is told when the broker goes and comes back, as members of groups are
// ([channellayer.LayerEvent]); in between it sees the presences of other nodes as they were last.
// The errors are those of List, and match [channellayer.ErrNoSubscriber] if the channel is not read in this process.
func (t *Tracker) Watch(ctx context.Context, channel, group string) ([]Presence, error) {
	r, err := t.enter(ctx, group)
	if err != nil {
		return nil, err
	}
	defer r.exit()
	if err := r.ready(ctx); err != nil {
		return nil, err
	}
	stop, err := t.hub.OnClose(channel, func() { r.unwatch(channel) })
	if err != nil {
		return nil, fmt.Errorf("presence: watch: %w", err)
	}
	r.deliver.Lock()
	defer r.deliver.Unlock()
	t.mu.Lock()
	if t.closed {
		t.mu.Unlock()
		stop()
		return nil, channellayer.ErrClosed
	}
	if again := r.watchers[channel]; again != nil {
		again()
	}
	r.watchers[channel] = stop
	diffs, list := r.take(), r.list()
	t.mu.Unlock()
	r.send(diffs) // to those who have been watching
	if err := t.hub.GroupAdd(context.WithoutCancel(ctx), r.watch, channel); err != nil {
		r.unwatch(channel)
		return nil, fmt.Errorf("presence: watch: %w", err)
	}
	return slices.Clip(list), nil
}

// Unwatch ends a Watch. When it has returned no further diff is queued for the channel. It does nothing if there was none.
func (t *Tracker) Unwatch(channel, group string) {
	t.mu.Lock()
	r := t.rooms[group]
	t.mu.Unlock()
	if r != nil {
		_ = t.hub.GroupDiscard(context.Background(), r.watch, channel) // a channel that is gone has left the group
		r.unwatch(channel)
	}
}

// unwatch forgets a watcher.
func (r *room) unwatch(channel string) {
	r.t.mu.Lock()
	defer r.t.mu.Unlock()
	if stop := r.watchers[channel]; stop != nil {
		stop()
		delete(r.watchers, channel)
		r.plan()
	}
}

// send sends changes to those who watch here. Its caller holds r.deliver.
func (r *room) send(diffs []Diff) {
	for _, d := range diffs {
		// The group is this process's own: the only error is the end of the hub.
		_, _ = r.t.hub.GroupSend(context.Background(), r.watch, channellayer.Event{Type: EventDiff, Value: d})
	}
}
