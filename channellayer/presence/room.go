package presence

import (
	"context"
	"sync"

	"github.com/portico-go/portico/channellayer"
)

// A room is one group as this node sees it: what its own connections have there, what other nodes have, and who watches. A node has a room while it has
// presences or watchers in the group, and for a while after that; without one it receives nothing about the group.
type room struct {
	t       *Tracker
	group   string
	control string                     // the group in which the trackers talk about it
	watch   string                     // the group of those who watch here, of this node alone
	sub     *channellayer.Subscription // to control

	// deliver is held while changes are sent to those who watch, so that whoever watches anew comes between two diffs. It is locked before Tracker.mu,
	// which guards all that follows.
	deliver  sync.Mutex
	joined   bool
	over     bool
	users    int // calls under way, which keep it open
	watchers map[string]func()
	view
	ours
	replicas
	timing
}

// timing is when a room has something to do.
type timing struct {
	at     instant // the first of the following, for the agenda
	slot   int     // in the agenda; -1 if it is not there
	queued bool    // in Tracker.ready

	settleAt    instant // whoever has come new has waited long enough for the others
	askAt       instant // to ask those whose state is missing
	answerAt    instant // to say what this node has
	repeatAt    instant // to repeat how far this node is
	repeatUntil instant
	freshUntil  instant // until then, repeating is asking
	sweepAt     instant // to forget the nodes that say nothing any more
	quietAt     instant // to be closed, if nobody has come
}

// open makes the room of a group. Its caller holds t.mu.
func (t *Tracker) open(group, control string) (*room, error) {
	r := &room{t: t, group: group, control: control, watch: t.hub.NewGroup(t.config.Name), watchers: map[string]func(){}}
	r.slot = -1
	r.mine = map[claim]*own{}
	r.owners = map[string]*owner{}
	r.self = r.owner(t.id)
	r.settled, r.voices = make(chan struct{}), map[string]bool{}
	var err error
	if r.sub, err = t.hub.Subscribe(t.hub.NewChannel(t.config.Name), func() { r.wake() }); err != nil {
		return nil, err
	}
	t.rooms[group] = r
	return r, nil
}

// enter returns the room of a group, which it opens if need be, and keeps it open until exit. When it has returned, what other nodes say about the group comes here, unless
// the broker is away.
func (t *Tracker) enter(ctx context.Context, group string) (*room, error) {
	control, err := t.config.control(group)
	if err != nil {
		return nil, err
	}
	t.mu.Lock()
	if t.closed {
		t.mu.Unlock()
		return nil, channellayer.ErrClosed
	}
	r := t.rooms[group]
	if r == nil {
		if r, err = t.open(group, control); err != nil {
			t.mu.Unlock()
			return nil, err
		}
	}
	r.users++
	joined := r.joined
	t.mu.Unlock()
	if joined {
		return r, nil
	}
	err, down := broken(r.sub.Join(ctx, control))
	if err != nil {
		r.exit()
		return nil, err
	}
	alone := down || !t.hub.Stats().BrokerUp
	t.mu.Lock()
	defer t.mu.Unlock()
	if !r.joined {
		r.joined = true
		now := t.now()
		r.askAt, r.settleAt = now, now+settle
		r.refresh(now, t.config.repeats())
		if alone {
			r.settle()
		}
	}
	return r, nil
}

// refresh has the node ask what the others have, at askAt, and again for as long as what they answered may have been lost.
func (r *room) refresh(now, lasts instant) {
	r.freshUntil = now + lasts
	r.repeat(r.askAt+r.t.config.Beat, r.freshUntil)
	r.plan()
}

// exit lets the room close when nobody else needs it.
func (r *room) exit() {
	r.t.mu.Lock()
	defer r.t.mu.Unlock()
	r.users--
	r.plan()
}

// idle reports whether nobody here has to do with the group.
func (r *room) idle() bool { return r.users == 0 && len(r.mine) == 0 && len(r.watchers) == 0 }

// wake has run come by.
func (r *room) wake() {
	r.t.mu.Lock()
	defer r.t.mu.Unlock()
	r.queue()
}

func (r *room) queue() {
	if r.over {
		return
	}
	if !r.queued {
		r.queued = true
		r.t.ready = append(r.t.ready, r)
	}
	signal(r.t.work)
}

// plan sees to it that run comes by when there is something to do. It follows every change.
func (r *room) plan() {
	switch {
	case r.over:
		return
	case !r.idle():
		r.quietAt = 0
	case r.quietAt == 0:
		r.quietAt = r.t.now() + r.t.config.repeats()
	}
	first := r.quietAt
	for _, at := range [...]instant{r.settleAt, r.askAt, r.answerAt, r.repeatAt, r.sweepAt, r.held.first()} {
		if at != 0 && (first == 0 || at < first) {
			first = at
		}
	}
	r.t.agenda.set(r, first)
	if len(r.dirty) > 0 {
		r.queue()
	} else if r.slot == 0 {
		signal(r.t.work) // it is the first now
	}
}

// turn does what the room has to do now: it reads what others said, does what is due, and tells those who watch.
func (r *room) turn() {
	for m, ok := r.sub.Next(); ok; m, ok = r.sub.Next() {
		r.receive(m)
	}
	if r.due() {
		r.close()
		return
	}
	r.deliver.Lock()
	defer r.deliver.Unlock()
	r.t.mu.Lock()
	diffs := r.take()
	r.t.mu.Unlock()
	r.send(diffs)
}

// due does what is due, and reports whether the room has to be closed.
func (r *room) due() bool {
	r.t.mu.Lock()
	defer r.t.mu.Unlock()
	if r.over {
		return false
	}
	now := r.t.now()
	passed := func(at *instant) bool {
		is := *at != 0 && *at <= now
		if is {
			*at = 0
		}
		return is
	}
	r.release(now)
	if passed(&r.settleAt) || r.settleAt != 0 && r.complete(now) {
		r.settle()
	}
	if passed(&r.askAt) {
		r.say(&r.ask)
		if r.behind() { // until there is an answer
			r.askAt = r.t.soon(now+r.t.config.Beat/4, breath)
		}
	}
	if passed(&r.answerAt) {
		r.say(&r.answer)
	}
	if passed(&r.repeatAt) {
		if now < r.freshUntil {
			r.say(&r.ask)
		} else {
			r.say(&r.hint)
		}
		if now < r.repeatUntil {
			r.repeatAt = now + r.t.config.Beat
		} else if r.said != 0 {
			r.repeatAt = r.t.soon(now+r.t.config.calm(), r.t.config.Beat)
		}
	}
	if passed(&r.sweepAt) {
		r.sweep(now)
	}
	if passed(&r.quietAt) && r.idle() && !r.t.down {
		r.forget()
		return true
	}
	r.plan()
	return false
}

// repeat has the node say how far it is at that time, and once each beat until its end.
func (r *room) repeat(first, end instant) {
	r.repeatUntil = max(r.repeatUntil, end)
	if r.repeatAt == 0 || first < r.repeatAt {
		r.repeatAt = first
	}
}

// forget takes the room out of the tracker.
func (r *room) forget() {
	r.over = true
	r.settle()
	r.t.agenda.set(r, 0)
	delete(r.t.rooms, r.group)
}

// close ends what the room has in the hub.
func (r *room) close() {
	r.t.mu.Lock()
	for _, o := range r.mine {
		o.stop()
	}
	for _, stop := range r.watchers {
		stop()
	}
	r.t.mu.Unlock()
	r.sub.Close()
}
