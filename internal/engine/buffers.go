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
func (p *bufferPool) get() []byte {
	if b, ok := p.small.Get().(*[smallBuffer]byte); ok {
		return b[:0]
	}
	return make([]byte, 0, smallBuffer)
}

// getLarge returns an empty slice of large capacity.
func (p *bufferPool) getLarge() []byte {
	if b, ok := p.large.Get().(*[largeBuffer]byte); ok {
		return b[:0]
	}
	return make([]byte, 0, largeBuffer)
}

// grow returns b, or what replaces it, with room behind its end. A nil b is replaced
// by a small one.
func (p *bufferPool) grow(b []byte) []byte {
	switch {
	case b == nil:
		return p.get()
	case len(b) < cap(b):
		return b
	}
	var larger []byte
	if cap(b) < largeBuffer {
		larger = p.getLarge()
	} else {
		larger = make([]byte, 0, 2*cap(b))
	}
	larger = append(larger, b...)
	p.put(b)
	return larger
}

// put takes b back, which its owner must not use any more. A pointer to an array
// goes into a pool without an allocation; a slice would not.
func (p *bufferPool) put(b []byte) {
	switch c := cap(b); {
	case c > 2*largeBuffer: // too much to keep
	case c >= largeBuffer:
		p.large.Put((*[largeBuffer]byte)(b[:largeBuffer]))
	case c >= smallBuffer:
		p.small.Put((*[smallBuffer]byte)(b[:smallBuffer]))
	}
}
