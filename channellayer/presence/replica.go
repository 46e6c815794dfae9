package presence

import "github.com/portico-go/portico/channellayer"

// replicas are what each node has in a group. A node's entries are changed by its own words only, so nothing ever has to be merged: a copy is up to date,
// or behind. The fields are guarded by Tracker.mu.
type replicas struct {
	owners  map[string]*owner // by node
	self    *owner            // this node, which is one of owners
	settled chan struct{}     // closed when the others have had the time to say what they have
	voices  map[string]bool   // who has said something until then; nil afterwards
}

// An owner is a node with what it has in a group.
type owner struct {
	node   string
	clock  uint64 // the node's last step that is known here; 0: it has nothing
	places map[uint64]*place
	heard  instant   // when it said something about the group last
	behind bool      // a step is missing
	parts  *assembly // of its state, while that comes
}

// An assembly is the first parts of a state.
type assembly struct {
	clock uint64
	next  int
	items []item
}

// owner returns the record of a node, which is made if need be.
func (r *room) owner(node string) *owner {
	o := r.owners[node]
	if o == nil {
		o = &owner{node: node, places: map[uint64]*place{}, heard: r.t.now()}
		r.owners[node] = o
	}
	return o
}

// empty forgets a node, and what it had.
func (r *room) empty(o *owner, keep bool) {
	for id := range o.places {
		r.depart(o, id, keep)
	}
	delete(r.owners, o.node)
}

// behind reports whether something of some node is missing.
func (r *room) behind() bool {
	for _, o := range r.owners {
		if o.behind {
			return true
		}
	}
	return false
}

// miss notes that something of a node is missing, and has the room ask for it.
func (r *room) miss(node string) {
	o := r.owner(node)
	if !o.behind {
		o.behind = true
		r.t.behind++
	}
	if r.askAt == 0 {
		r.askAt = r.t.soon(r.t.now(), breath)
	}
}

// complete reports whether every node that there is has been heard in a group to which this one came new.
func (r *room) complete(now instant) bool {
	if now < settle || r.behind() { // the others may not have said that they are there
		return false
	}
	for id := range r.t.known {
		if !r.voices[id] {
			return false
		}
	}
	return true
}

// settle lets those go on who wait for the others.
func (r *room) settle() {
	if r.voices != nil {
		close(r.settled)
		r.voices, r.settleAt = nil, 0
	}
}

// receive takes what another tracker says about the group.
func (r *room) receive(m *channellayer.Message) {
	if ev, ok := m.Layer(); ok {
		r.broker(ev.Up)
		return
	}
	switch m.Type {
	case typeDelta:
		hear(r, m, func(d delta) string { return d.Node }, r.applyDelta)
	case typeState:
		hear(r, m, func(s state) string { return s.Node }, r.applyState)
	case typeSummary:
		hear(r, m, func(s summary) string { return s.Node }, r.applySummary)
	}
}

// broker asks the others for what this node missed, when the broker is back. They do so as well, so it does not matter who is back first.
func (r *room) broker(up bool) {
	if !up {
		return
	}
	r.t.mu.Lock()
	defer r.t.mu.Unlock()
	now := r.t.now()
	r.askAt, r.quietAt = r.t.soon(now, 4*breath), 0
	r.refresh(now, r.t.config.Beat)
}

// hear decodes a message, and applies it if it is another node's. What is no such message is dropped.
func hear[T any](r *room, m *channellayer.Message, from func(T) string, apply func(T)) {
	v, err := channellayer.Value[T](m)
	if err != nil || from(v) == r.t.id || from(v) == "" {
		return
	}
	r.t.mu.Lock()
	defer r.t.mu.Unlock()
	if r.over {
		return
	}
	now := r.t.now()
	r.t.heard(from(v), now)
	if r.voices != nil {
		r.voices[from(v)] = true
	}
	apply(v)
	if o := r.owners[from(v)]; o != nil {
		o.heard = now
	}
	if r.sweepAt == 0 && len(r.owners) > 1 {
		r.sweepAt = now + r.t.config.calm()
	}
	r.plan()
}

// sweep forgets the nodes that live, but have not said for long that they have something here: that they had ended it must have been lost.
func (r *room) sweep(now instant) {
	for _, o := range r.owners {
		if o != r.self && !r.t.down && now-o.heard > r.t.config.silence() {
			r.empty(o, false)
		}
	}
	if len(r.owners) > 1 {
		r.sweepAt = now + r.t.config.calm()
	}
}

func (r *room) applyDelta(d delta) {
	o := r.owner(d.Node)
	switch {
	case d.To <= o.clock: // it was part of a state
		return
	case d.From != o.clock:
		r.miss(d.Node)
		return
	}
	for _, it := range d.Left {
		r.depart(o, it.ID, false)
	}
	for _, it := range d.Lost {
		r.depart(o, it.ID, true)
	}
	for _, it := range d.Set {
		r.arrive(o, it)
	}
	r.caughtUp(o, d.To)
}

func (r *room) applyState(s state) {
	o := r.owner(s.Node)
	if s.Clock < o.clock || s.Clock == o.clock && !o.behind {
		return // for somebody else
	}
	if s.Part == 0 {
		o.behind, o.parts = true, &assembly{clock: s.Clock}
	}
	a := o.parts
	if a == nil || a.clock != s.Clock || a.next != s.Part || s.Part >= s.Parts {
		r.miss(s.Node) // a part is missing: the next answer has all
		o.parts = nil
		return
	}
	a.items = append(a.items, s.Set...)
	if a.next++; a.next < s.Parts {
		if r.askAt == 0 {
			r.askAt = r.t.soon(r.t.now()+r.t.config.Beat/4, breath)
		}
		return
	}
	has := make(map[uint64]bool, len(a.items))
	for _, it := range a.items {
		has[it.ID] = true
	}
	for id := range o.places {
		if !has[id] {
			r.depart(o, id, true)
		}
	}
	for _, it := range a.items {
		r.arrive(o, it)
	}
	r.caughtUp(o, s.Clock)
}

func (r *room) applySummary(s summary) {
	o := r.owners[s.Node]
	switch {
	case s.Clock == 0 && o != nil:
		r.empty(o, true)
	case s.Clock == 0:
	case o == nil || o.clock != s.Clock:
		r.miss(s.Node)
	default:
		r.caughtUp(o, s.Clock)
	}
	if s.Ask && s.Known[r.t.id] != r.said && r.answerAt == 0 {
		r.answerAt = r.t.soon(r.t.now(), breath)
	}
}

// caughtUp notes that a node's state is known up to a step. What has nothing is not kept.
func (r *room) caughtUp(o *owner, clock uint64) {
	o.clock, o.behind, o.parts = clock, false, nil
	if len(o.places) == 0 {
		delete(r.owners, o.node)
	}
}
