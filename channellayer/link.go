package channellayer

import "time"

// A link is what a node has to do with one subject of its broker: that of a group with members here, or of the node itself. All fields but name are guarded by
// uplink.mu. Only one goroutine, uplink.run, subscribes and unsubscribes, so that the broker never sees two orders about a subject
// at once; whoever joins and leaves only says what is wanted.
type link struct {
	name      string // of the group; empty for the node's inbox. Never changes
	wanted    bool
	session   uint64 // the uplink's session in which it is subscribed; 0 if it is not
	doubtful  uint64 // the session in which it may be subscribed or not, as the broker has failed; or 0
	queued    bool   // in uplink.dirty
	busy      bool   // the broker is being asked
	lingering bool   // in uplink.idle
	renewing  bool   // was subscribed before the broker went, and is not yet again
	idleSince time.Time
	wait      chan struct{} // closed when the broker has answered; nil if nobody waits
}

func (l *link) key() string { return l.name }

func (l *link) subject(h *Hub) string {
	if l.name == "" {
		return inboxSubject + h.id
	}
	return h.history.subject(l.name)
}

// answered wakes those who wait for the broker's word about the link.
func (l *link) answered() {
	if l.wait != nil {
		close(l.wait)
		l.wait = nil
	}
}

// want says that a group has members here.
func (u *uplink) want(name string) {
	if u.hub.local(name) {
		return
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.closed {
		return
	}
	l, hash := u.find(name)
	if l == nil {
		l = &link{name: name}
		u.links.add(u.seed, hash, l)
	}
	l.wanted = true
	u.consider(l)
}

// unwant says that a group has no more members here.
func (u *uplink) unwant(name string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if l, _ := u.find(name); l != nil && !u.closed {
		l.wanted, l.idleSince = false, time.Now()
		u.consider(l)
	}
}

// consider sees to it that somebody does what a link needs. It does so after each change.
func (u *uplink) consider(l *link) {
	subscribed := u.subscribed(l)
	switch {
	case l.busy || l.queued: // whoever has it considers it next
	case l.wanted && (subscribed || !u.connected):
	case l.wanted:
		l.queued = true
		u.dirty = append(u.dirty, l)
		signal(u.kick)
	case !subscribed && !u.doubts(l):
		u.forget(l)
	case !l.lingering:
		l.lingering = true
		if u.idle = append(u.idle, l); len(u.idle) == 1 {
			signal(u.kick)
		}
	}
}

func (u *uplink) forget(l *link) {
	if l.renewing {
		l.renewing = false
		u.renewing--
	}
	l.answered()
	_, hash := u.find(l.name)
	u.links.remove(u.seed, hash, l)
}
