// Package wheel holds the deadlines of many connections on one timer.
//
// A connection has a Timer in itself and moves it around the wheel: no timer of
// the runtime, no allocation and no goroutine of its own. Deadlines are coarse: a
// Timer fires up to one tick late, never early. (Varghese and Lauck, Hashed and
// Hierarchical Timing Wheels, scheme 6.)
package wheel

import (
	"sync"
	"time"
)

// slots is the number of slots. With a tick of 100 ms a round takes 51 s, so most
// deadlines of connections fire in their first round.
const slots = 512

// An Owner is told that its Timer has fired.
type Owner interface {
	// Expire is called with no lock held, for one Timer after the other, so it must
	// not block. The Timer may be set again in it.
	Expire()
}

// A Timer is one deadline of an O. Its zero value is a timer that is not set. It
// belongs to one wheel, and must not be copied while it is set.
type Timer[O Owner] struct {
	next, prev *Timer[O]
	owner      O
	at         uint64 // the tick at which it fires; 0 when it is not set
}

// A Wheel fires Timers, whose owners have one type: so a Timer needs no interface. It
// has no goroutine but while it fires, and while no Timer is set no timer of the
// runtime either. All methods are safe for concurrent use.
type Wheel[O Owner] struct {
	tick time.Duration
	due  []O // only turn touches it

	mu      sync.Mutex
	epoch   time.Time
	now     uint64          // the last tick that was handled
	set     int             // timers that are set
	running bool            // timer is set, or fires
	timer   *time.Timer     // nil before the first use
	slots   [slots]Timer[O] // heads of circular lists
}

// New returns a wheel that looks every tick.
func New[O Owner](tick time.Duration) *Wheel[O] {
	w := &Wheel[O]{tick: tick, epoch: time.Now(), now: 1}
	for i := range w.slots {
		head := &w.slots[i]
		head.next, head.prev = head, head
	}
	return w
}

// Set makes t fire d from now, and not before. If it was set, it moves. owner is
// told; all calls for one Timer must name the same.
func (w *Wheel[O]) Set(t *Timer[O], d time.Duration, owner O) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if t.at != 0 {
		w.unlink(t)
	}
	t.owner = owner
	t.at = max(w.tickOf(time.Now().Add(d))+1, w.now+1)
	w.link(t)
	if !w.running {
		w.running = true
		w.now = max(w.now, w.tickOf(time.Now()))
		w.sleep()
	}
}

// Stop takes t off the wheel. It may still be about to fire: Expire must cope.
func (w *Wheel[O]) Stop(t *Timer[O]) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if t.at != 0 {
		w.unlink(t)
	}
}

func (w *Wheel[O]) tickOf(at time.Time) uint64 { return uint64(max(at.Sub(w.epoch), 0)/w.tick) + 1 }

// link puts t into its slot. w.mu is held.
func (w *Wheel[O]) link(t *Timer[O]) {
	head := &w.slots[t.at%slots]
	t.next, t.prev = head, head.prev
	head.prev.next, head.prev = t, t
	w.set++
}

// unlink takes t out of its slot. w.mu is held.
func (w *Wheel[O]) unlink(t *Timer[O]) {
	t.prev.next, t.next.prev = t.next, t.prev
	t.next, t.prev, t.at = nil, nil, 0
	w.set--
}

// sleep has the wheel turn at the next tick. w.mu is held.
func (w *Wheel[O]) sleep() {
	wait := time.Until(w.epoch.Add(time.Duration(w.now) * w.tick))
	if w.timer == nil {
		w.timer = time.AfterFunc(wait, w.turn)
	} else {
		w.timer.Reset(wait)
	}
}

// turn handles the ticks that have passed, and sleeps until the next one, unless no
// timer is set. It does not run twice at a time.
func (w *Wheel[O]) turn() {
	w.mu.Lock()
	w.due = w.advance(w.due[:0])
	w.mu.Unlock()
	var none O
	for i, owner := range w.due {
		owner.Expire()
		w.due[i] = none
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.running = w.set > 0; w.running {
		w.sleep()
	}
}

// advance takes the timers that are due off the wheel, and returns their owners
// behind due. w.mu is held.
func (w *Wheel[O]) advance(due []O) []O {
	target := w.tickOf(time.Now())
	from := w.now
	if target-from > slots {
		from = target - slots // after a long sleep each slot is looked at once
	}
	for tick := from + 1; tick <= target; tick++ {
		head := &w.slots[tick%slots]
		for t := head.next; t != head; {
			next := t.next
			if t.at <= target {
				due = append(due, t.owner)
				w.unlink(t)
			}
			t = next
		}
	}
	w.now = target
	return due
}
