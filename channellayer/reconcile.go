package channellayer

import (
	"context"
	"math/rand/v2"
	"slices"
	"time"
)

// batch is how many subjects are subscribed to in one call of the broker. With a round trip of a millisecond, 100,000 groups take a fraction of a second.
const batch = 1000

const (
	retryFirst = 50 * time.Millisecond
	retryMost  = 2 * time.Second
)

// run is the one goroutine that asks the broker for subscriptions and tells members of its comings and goings.
func (u *uplink) run() {
	defer close(u.ended)
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		u.tell()
		links, subscribe, pause, closed := u.next(time.Now())
		switch {
		case closed:
			return
		case len(links) > 0 && subscribe:
			u.subscribe(links)
			continue
		case len(links) > 0:
			u.unsubscribe(links)
			continue
		}
		timer.Reset(pause)
		select {
		case <-u.kick:
		case <-timer.C:
		}
	}
}

// next returns links to subscribe to or to unsubscribe from, or how long there are none.
func (u *uplink) next(now time.Time) (links []*link, subscribe bool, pause time.Duration, closed bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	pause = time.Hour
	if u.closed || !u.connected {
		return nil, false, pause, u.closed
	}
	if wait := u.retry.Sub(now); len(u.dirty) > 0 && wait > 0 {
		pause = wait
	} else if links = u.takeDirty(); len(links) > 0 {
		return links, true, 0, false
	}
	links, wait := u.takeIdle(now)
	return links, false, min(pause, wait), false
}

func (u *uplink) takeDirty() []*link {
	var links []*link
	for len(u.dirty) > 0 && len(links) < batch {
		l := u.dirty[0]
		u.dirty[0] = nil
		u.dirty = u.dirty[1:]
		l.queued = false
		if l.wanted && !u.subscribed(l) {
			l.busy = true
			links = append(links, l)
		} else {
			u.consider(l)
		}
	}
	if len(u.dirty) == 0 {
		u.dirty = nil
	}
	return links
}

// takeIdle returns the links that have been without members for as long as the hub lingers, and when the next will have been.
func (u *uplink) takeIdle(now time.Time) ([]*link, time.Duration) {
	var links []*link
	linger := u.hub.config.Linger
	for len(u.idle) > 0 && len(links) < batch {
		l := u.idle[0]
		wait := l.idleSince.Add(linger).Sub(now)
		if !l.wanted && wait > 0 && len(links) == 0 {
			return nil, wait
		}
		if !l.wanted && wait > 0 {
			break
		}
		u.idle[0] = nil
		u.idle = u.idle[1:]
		l.lingering = false
		if !l.wanted && !l.busy && !l.queued {
			l.busy = true
			l.session = 0 // from the moment that the broker is asked nobody may count on it
			links = append(links, l)
		}
	}
	if len(u.idle) == 0 {
		u.idle = nil
	}
	return links, time.Hour
}

func (u *uplink) subscribe(links []*link) {
	session, err := u.ask(links, u.broker.Subscribe)
	u.subscribedTo(links, session, err)
	if err == nil {
		u.hub.history.confirmed(links)
	}
}

func (u *uplink) subscribedTo(links []*link, session uint64, err error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.failed(err)
	for _, l := range links {
		l.settle(session, err)
		if err == nil {
			l.session = session
		}
		if u.subscribed(l) && l.renewing {
			l.renewing = false
			u.renewing--
		}
		l.answered()
		u.consider(l)
	}
}

func (u *uplink) unsubscribe(links []*link) {
	session, err := u.ask(links, u.broker.Unsubscribe)
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, l := range links {
		l.settle(session, err)
		l.idleSince = time.Now() // after an error it is asked again, but not at once
		u.consider(l)
	}
}

// settle notes what the broker's answer in a session leaves to doubt: one that fails may have done it all the same.
func (l *link) settle(session uint64, err error) {
	l.busy, l.doubtful = false, 0
	if err != nil {
		l.doubtful = session
	}
}

// ask calls the broker for as long as it is there, and returns the session in which that was.
func (u *uplink) ask(links []*link, call func(context.Context, ...string) error) (uint64, error) {
	u.mu.Lock()
	session, present := u.session, u.present
	u.mu.Unlock()
	subjects := make([]string, len(links))
	for i, l := range links {
		subjects[i] = l.subject(u.hub)
	}
	ctx, cancel := context.WithTimeout(present, brokerPatience)
	defer cancel()
	return session, call(ctx, subjects...)
}

// failed sets the pause before the next attempt: it doubles, and a random part keeps nodes from coming all at once.
func (u *uplink) failed(err error) {
	if err == nil {
		u.failures = 0
		return
	}
	if u.connected {
		u.cause = err
	}
	pause := min(retryFirst<<min(u.failures, 16), retryMost)
	u.failures++
	u.retry = time.Now().Add(pause/2 + rand.N(pause/2)) //nolint:gosec // jitter is no secret
}

// tell tells members what they do not know yet: that the broker has gone, and that it is back with all of the node's subscriptions.
func (u *uplink) tell() {
	u.mu.Lock()
	down := u.gone && !u.told
	u.told = u.told || u.gone
	u.gone = false
	up := u.told && u.connected && u.renewing == 0
	u.told = u.told && !up
	since, cause, closed := u.since, u.cause, u.closed
	u.mu.Unlock()
	if closed {
		return
	}
	if down {
		u.hub.tellMembers(LayerEvent{Since: since, Err: cause})
	}
	if up {
		u.hub.tellMembers(LayerEvent{Up: true, Since: since})
	}
}

// tellMembers queues a LayerEvent for every subscriber that is in a group.
func (h *Hub) tellMembers(ev LayerEvent) {
	m := ev.message()
	h.nameless.each(func(s *Subscription) { s.pushLayer(m) })
	for i := range h.channels.shards {
		for _, s := range h.channels.inShard(i) {
			s.pushLayer(m)
		}
	}
}

// inShard returns the subscriptions of one shard.
func (r *channels) inShard(i int) []*Subscription {
	sh := &r.shards[i]
	sh.mu.RLock()
	defer sh.mu.RUnlock()
	all := make([]*Subscription, 0, sh.by.count)
	sh.by.each(func(s *Subscription) { all = append(all, s) })
	return slices.Clip(all)
}
