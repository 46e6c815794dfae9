// Package mailbox lets the work of one connection run one piece at a time: what
// the peer sent, what the channel layer delivered, timers, the end.
//
// A Box holds no goroutine while it is idle. Whoever brings work to an idle box
// runs it: Post on a goroutine of its own, Do on the caller's.
package mailbox

import (
	"sync"

	"github.com/portico-go/portico/protocol"
)

// An Owner is the connection that a Box works for.
type Owner interface {
	// HandleEvent handles one posted event.
	HandleEvent(ev protocol.Event)
	// TurnOver is called when nothing is left to do, before the box goes idle: the
	// place to write out what was sent.
	TurnOver()
}

// A Box is one connection's mailbox. Make it with New. All methods are safe for
// concurrent use, but Release, which ends the first turn.
type Box struct {
	owner Owner

	mu      sync.Mutex
	queue   []protocol.Event
	running bool
	closed  bool
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
func (b *Box) Release() { b.run() }

// Post puts ev behind what is there and never blocks. If the box is idle, a new
// goroutine handles it. After Close it returns protocol.ErrClosed.
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
	b.queue = append(b.queue, ev)
	if !b.running {
		b.running = true
		go b.run()
	}
}

// A turn is a function in the queue.
type turn struct {
	f    func()
	done chan struct{}
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
	b.run()
	return nil
}

// Close makes last the final piece of work: what is in the box before it is still
// handled, later Posts return protocol.ErrClosed. It does not wait for last. A
// second Close has no effect.
func (b *Box) Close(last func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return
	}
	b.closed = true
	b.push(&turn{f: last, done: make(chan struct{})})
}

// run handles the queue until it is empty, and leaves the box idle.
func (b *Box) run() {
	for {
		b.mu.Lock()
		work := b.queue
		b.queue = nil
		if len(work) == 0 {
			b.mu.Unlock()
			b.owner.TurnOver()
			b.mu.Lock()
			if len(b.queue) == 0 {
				b.running = false
				b.mu.Unlock()
				return
			}
			b.mu.Unlock()
			continue
		}
		b.mu.Unlock()
		for _, ev := range work {
			if t, ok := ev.(*turn); ok {
				t.f()
				close(t.done)
			} else {
				b.owner.HandleEvent(ev)
			}
		}
	}
}
