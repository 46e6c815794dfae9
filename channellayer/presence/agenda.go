package presence

import "container/heap"

// An agenda is the rooms that have something to do at a certain time, as a heap with the next one first.
type agenda []*room

// Len implements heap.Interface.
func (a agenda) Len() int { return len(a) }

// Less implements heap.Interface.
func (a agenda) Less(i, j int) bool { return a[i].at < a[j].at }

// Swap implements heap.Interface.
func (a agenda) Swap(i, j int) {
	a[i], a[j] = a[j], a[i]
	a[i].slot, a[j].slot = i, j
}

// Push implements heap.Interface.
func (a *agenda) Push(x any) {
	r := x.(*room)
	r.slot = len(*a)
	*a = append(*a, r)
}

// Pop implements heap.Interface.
func (a *agenda) Pop() any {
	last := len(*a) - 1
	r := (*a)[last]
	(*a)[last] = nil
	*a = (*a)[:last]
	r.slot = -1
	return r
}

// set puts a room on the agenda for that time, or takes it off for zero.
func (a *agenda) set(r *room, at instant) {
	switch {
	case at == r.at:
		return
	case at == 0:
		heap.Remove(a, r.slot)
	case r.at == 0:
		r.at = at
		heap.Push(a, r)
		return
	}
	r.at = at
	if at != 0 {
		heap.Fix(a, r.slot)
	}
}

// next returns a room that has something to do now, or nil.
func (t *Tracker) next() *room {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.ready) > 0 {
		r := t.ready[0]
		t.ready[0] = nil
		t.ready = t.ready[1:]
		r.queued = false
		return r
	}
	if len(t.agenda) > 0 && t.agenda[0].at <= t.now() {
		r := t.agenda[0]
		t.agenda.set(r, 0)
		return r
	}
	return nil
}
