package engine

import "sync"

const (
	smallBuffer = 4 << 10  // what a connection holds while it waits to read
	largeBuffer = 64 << 10 // what a busy one borrows, and the most read in a turn
)

// A bufferPool has the byte slices that an engine's connections borrow while they
// are busy.
type bufferPool struct{ small, large sync.Pool }

// get returns an empty slice of small capacity.
func (p *bufferPool) get() []byte { return get(&p.small, smallBuffer) }

// getLarge returns an empty slice of large capacity.
func (p *bufferPool) getLarge() []byte { return get(&p.large, largeBuffer) }

func get(pool *sync.Pool, size int) []byte {
	if b, ok := pool.Get().(*[]byte); ok {
		return (*b)[:0]
	}
	return make([]byte, 0, size)
}

// put takes b back, which its owner must not use any more.
func (p *bufferPool) put(b []byte) {
	b = b[:0]
	switch {
	case cap(b) >= largeBuffer && cap(b) <= 2*largeBuffer:
		p.large.Put(&b)
	case cap(b) >= smallBuffer && cap(b) < largeBuffer:
		p.small.Put(&b)
	}
}
