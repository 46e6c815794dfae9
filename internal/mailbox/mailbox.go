// Package mailbox lets the work of one connection run one piece at a time: what
// the peer sent, what the channel layer delivered, timers, the end.
//
// A Box holds no goroutine while it is idle. Whoever brings work to an idle box
// runs it: Post and Wake leave it to Runners, Do runs it on the caller's goroutine.
package mailbox

import (
	"sync"

	"github.com/portico-go/portico/protocol"
)

// An Owner is the connection that a Box works for.
type Owner interface {
	// HandleEvent handles one posted event.
	HandleEvent(ev protocol.Event)
	// TurnOver is called when what there was to do is done, before the box looks for
	// more or goes idle: the place to write out what was sent.
	TurnOver()
	// Runners run the box. It is called when the box is woken, perhaps with locks held.
	Runners() *Runners
}

// Signals are what a Wake brings; what each bit means is the owner's matter.
type Signals uint8

// A Sleeper is an Owner that can be woken without an event.
type Sleeper interface {
	Owner
	// HandleSignals gets all signals since the last time, behind what was posted
	// before.
	HandleSignals(Signals)
}

// Shutdown is the event that the server shuts down, for Owners to end what would go on
// for good. Handlers do not get it.
type Shutdown struct{}

// EventType implements protocol.Event.
func (Shutdown) EventType() string { return "shutdown" }

// A Box is one connection's mailbox. Make it with New. All methods are safe for
// concurrent use, but Release, which ends the first turn.
type Box struct {
	owner Owner

	mu      sync.Mutex
	queue   *batch // nil when empty
	signals Signals
	running bool
	closed  bool
}

// A batch is what was posted and not taken out yet. Idle boxes have none.
type batch struct{ events []protocol.Event }

var batches = sync.Pool{New: func() any { return new(batch) }}

// maxKept is how many events a batch that is kept has room for.
const maxKept = 64

// free gives w back, whose events were handled.
func (w *batch) free() {
	if cap(w.events) > maxKept {
		return
	}
	clear(w.events)
	w.events = w.events[:0]
	batches.Put(w)
}

// New returns a box whose first turn belongs to the caller: what is posted waits
// until Release, so that a connection can open and connect before.
func New(owner Owner) *Box {
	b := &Box{}
	b.Init(owner)
	return b
}

// Init makes b what New returns, for a Box that is part of a connection.
func (b *Box) Init(owner Owner) { b.owner, b.running = owner, true }

// Release ends the caller's first turn: what was posted meanwhile is handled on
// this goroutine, then the box is idle.
func (b *Box) Release() {
	b.owner.TurnOver()
	b.run()
}

// Post puts ev behind what is there and never blocks. If the box is idle, a runner
// handles it. After Close it returns protocol.ErrClosed.
func (b *Box) Post(ev protocol.Event) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return protocol.ErrClosed
	}
	b.push(ev)
	return nil
}

// push queues ev. b.mu is held.
func (b *Box) push(ev protocol.Event) {
	if b.queue == nil {
		b.queue, _ = batches.Get().(*batch)
	}
	b.queue.events = append(b.queue.events, ev)
	if !b.running {
		b.running = true
		b.owner.Runners().add(b)
	}
}

// Wake signals the owner, which must be a Sleeper, and never blocks. If the box is
// idle, a runner handles it; signals that come before they are handled are
// handled together. Wake works after Close too, and allocates nothing.
func (b *Box) Wake(s Signals) {
	b.mu.Lock()
	b.signals |= s
	idle := !b.running
	b.running = true
	b.mu.Unlock()
	if idle {
		b.owner.Runners().add(b)
	}
}

// A turn is a function in the queue.
type turn struct {
	f    func()
	done chan struct{} // closed when it is over; nil if nobody waits for it
}

// EventType implements protocol.Event.
func (*turn) EventType() string { return "turn" }

// Do runs f in order with what was posted, and returns when f has returned. On an
// idle box f runs on the caller's goroutine, which then also handles what was
// posted meanwhile. After Close it returns protocol.ErrClosed and f does not run.
// Within a turn of the same box it would wait for itself: do not call it there.
func (b *Box) Do(f func()) error {
	b.mu.Lock()
	if b.closed {
		b.mu.Unlock()
		return protocol.ErrClosed
	}
	if b.running {
		t := &turn{f: f, done: make(chan struct{})}
		b.push(t)
		b.mu.Unlock()
		<-t.done
		return nil
	}
	b.running = true
	b.mu.Unlock()
	f()
	b.owner.TurnOver()
	b.run()
	return nil
}

// Close makes last the final piece of work: what is in the box before it is still
// handled, later Posts return protocol.ErrClosed. It does not wait for last. A
// second Close has no effect. next reports that last comes next, right behind the turn
// that is on: nothing was in the box.
func (b *Box) Close(last func()) (next bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return false
	}
	b.closed, next = true, b.queue == nil
	b.push(&turn{f: last})
	return next
}

// run handles what there is until there is nothing, and leaves the box idle.
func (b *Box) run() {
	for {
		work, signals, idle := b.next()
		if idle {
			return
		}
		if work != nil {
			b.handle(work)
		}
		if signals != 0 {
			b.signal(signals)
		}
		b.owner.TurnOver()
	}
}

// next takes what there is to do. If there is nothing the box is idle.
func (b *Box) next() (work *batch, signals Signals, idle bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	work, signals = b.queue, b.signals
	b.queue, b.signals = nil, 0
	b.running = work != nil || signals != 0
	return work, signals, !b.running
}

func (b *Box) handle(work *batch) {
	for _, ev := range work.events {
		if t, ok := ev.(*turn); ok {
			t.f()
			if t.done != nil {
				close(t.done)
			}
		} else {
			b.owner.HandleEvent(ev)
		}
	}
	work.free()
}

func (b *Box) signal(s Signals) {
	if o, ok := b.owner.(Sleeper); ok {
		o.HandleSignals(s)
	}
}
