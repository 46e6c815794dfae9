package mailbox

import "sync"

// Runners run boxes that have something to do: they take them from a queue, one after
// the other. While boxes wait there is always a spare runner, which the scheduler lets
// run as soon as a core is free or a handler blocks: so a batch of busy connections
// takes one goroutine for each core, and a box never waits for a handler that sleeps.
// When nothing waits there is no runner. The zero value is ready for use; all methods
// are safe for concurrent use.
type Runners struct {
	mu    sync.Mutex
	queue []*Box
	head  int    // of what waits, in queue
	spare bool   // a runner was started and has not taken a box yet
	begin func() // run, as a value that is made once: a go statement with a receiver would allocate
}

// maxWaiting is how long a queue is kept.
const maxWaiting = 4096

// add puts b, which is marked as running, behind those that wait.
func (r *Runners) add(b *Box) {
	r.mu.Lock()
	if len(r.queue) == cap(r.queue) && r.head > len(r.queue)/2 {
		n := copy(r.queue, r.queue[r.head:])
		clear(r.queue[n:])
		r.queue, r.head = r.queue[:n], 0
	}
	r.queue = append(r.queue, b)
	alone := !r.spare
	r.spare = true
	if r.begin == nil {
		r.begin = r.run
	}
	r.mu.Unlock()
	if alone {
		go r.begin()
	}
}

// run runs boxes until none waits.
func (r *Runners) run() {
	_ = roomy(0)
	for b := r.take(true); b != nil; b = r.take(false) {
		b.run()
	}
}

// take returns the box that waits longest, or nil, and leaves a spare behind for the
// others. The spare itself says that it is none any more.
func (r *Runners) take(spare bool) *Box {
	r.mu.Lock()
	if spare {
		r.spare = false
	}
	if r.head == len(r.queue) {
		r.mu.Unlock()
		return nil
	}
	b := r.queue[r.head]
	r.queue[r.head] = nil
	r.head++
	more := r.head < len(r.queue)
	if !more {
		r.head = 0
		if r.queue = r.queue[:0]; cap(r.queue) > maxWaiting {
			r.queue = nil
		}
	}
	alone := more && !r.spare
	if alone {
		r.spare = true
	}
	r.mu.Unlock()
	if alone {
		go r.begin()
	}
	return b
}

// roomy has the runtime give a new goroutine the stack that it will need. It takes
// twice the time and more when the runtime finds that out deep down, where many
// frames have to be moved.
//
//go:noinline
func roomy(i int) byte {
	var room [5 << 10]byte
	return room[i]
}
