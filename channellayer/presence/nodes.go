package presence

import (
	"errors"
	"slices"
	"time"

	"github.com/portico-go/portico/channellayer"
)

// nodes is what a tracker knows of the others' lives. Its fields are guarded by Tracker.mu.
type nodes struct {
	known   map[string]*node
	lost    []string // had been given up and have been heard again: for the next beat
	down    bool     // the broker is away, and nobody is given up
	hello   bool     // the next beat is the first
	beatNow bool     // for speak
	beatAt  instant  // the next beat
	looked  instant  // when the time was looked at last
	behind  uint64   // times that something of another node was missing
}

// A node is another tracker.
type node struct {
	until instant // the end of its lease
	met   bool    // one of its beats has come
}

// mostLost is how many lost nodes one beat names.
const mostLost = 100

// readBeats reads what concerns all nodes.
func (t *Tracker) readBeats() {
	for m, ok := t.beats.Next(); ok; m, ok = t.beats.Next() {
		if ev, ok := m.Layer(); ok {
			t.broker(ev.Up)
			continue
		}
		switch m.Type {
		case typeBeat:
			if b, err := channellayer.Value[beat](m); err == nil && b.Node != t.id {
				t.heardBeat(b)
			}
		case typeBye:
			if b, err := channellayer.Value[bye](m); err == nil && b.Node != t.id {
				t.mu.Lock()
				t.giveUp(b.Node, true)
				t.mu.Unlock()
			}
		}
	}
}

// broker notes that the broker has gone or is back. Everybody gets a new lease when it is: they could not be heard, and have to come back themselves.
func (t *Tracker) broker(up bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.down = !up
	if up {
		t.renewAll()
		t.beatAt = t.soon(t.now(), t.config.Beat/4)
	}
}

// renewAll starts all leases anew.
func (t *Tracker) renewAll() {
	now := t.now()
	for _, n := range t.known {
		n.until = now + t.config.Lease
	}
	for _, r := range t.rooms {
		for _, o := range r.owners {
			o.heard = now
		}
	}
}

func (t *Tracker) heardBeat(b beat) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.now()
	n := t.heard(b.Node, now)
	if !n.met && now > t.config.Lease && time.Duration(b.Age)*time.Millisecond > t.config.Lease {
		// Both have run for so long that they must have known each other: this one had given it up, or never heard it. What it
		// said meanwhile is missed, so it has to announce itself.
		if len(t.lost) < mostLost {
			t.lost = append(t.lost, b.Node)
		}
		t.beatAt = min(t.beatAt, t.soon(now, breath))
	}
	n.met = true
	if b.Hello {
		t.beatAt = min(t.beatAt, t.soon(now, breath))
	}
	if slices.Contains(b.Lost, t.id) {
		for _, r := range t.rooms {
			if r.said != 0 {
				r.repeat(t.soon(now, t.config.Beat/4), now+t.config.Beat)
				r.plan()
			}
		}
	}
}

// heard renews a node's lease.
func (t *Tracker) heard(id string, now instant) *node {
	n := t.known[id]
	if n == nil {
		n = &node{}
		t.known[id] = n
	}
	n.until = now + t.config.Lease
	return n
}

// giveUp forgets a node and its presences, whose places are kept for the grace if it has said good-bye.
func (t *Tracker) giveUp(id string, hold bool) {
	delete(t.known, id)
	for _, r := range t.rooms {
		if o := r.owners[id]; o != nil {
			r.empty(o, hold)
			r.plan()
		}
	}
}

// keepTime gives up the nodes whose lease has ended, and lets this one beat.
func (t *Tracker) keepTime() {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.now()
	if t.looked != 0 && now-t.looked > t.config.Beat*3/2 {
		t.renewAll() // this process stood still, and could hear nobody
	}
	t.looked = now
	for id, n := range t.known {
		if !t.down && n.until <= now {
			t.giveUp(id, false)
		}
	}
	if t.beatAt <= now {
		t.beatAt = now + t.config.Beat
		t.beatNow = true
		signal(t.say)
	}
}

// beat returns the beat that is to be sent now, if one is.
func (t *Tracker) beat() (beat, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.beatNow {
		return beat{}, false
	}
	b := beat{Node: t.id, Age: t.now().Milliseconds(), Hello: t.hello, Lost: t.lost}
	t.beatNow, t.hello, t.lost = false, false, nil
	return b, true
}

// pause returns how long there is nothing to do.
func (t *Tracker) pause() time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	until := t.beatAt
	for _, n := range t.known {
		if !t.down {
			until = min(until, n.until)
		}
	}
	if len(t.agenda) > 0 {
		until = min(until, t.agenda[0].at)
	}
	if len(t.ready) > 0 {
		return 0
	}
	return max(0, until-t.now())
}

// broken tells a broker that is away from other errors.
func broken(err error) (other error, down bool) {
	if errors.Is(err, channellayer.ErrBrokerDown) {
		return nil, true
	}
	return err, false
}
