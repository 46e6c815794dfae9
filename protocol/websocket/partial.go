package websocket

import (
	"slices"
	"sync"
	"unicode/utf8"

	"github.com/gobwas/ws"
)

// A partial is a message of which not all has arrived: not all fragments, or not
// all of a frame.
type partial struct {
	data       []byte // unmasked; grows with what arrives, not with what is promised
	checked    int    // data[:checked] is known to be UTF-8
	text       bool
	compressed bool // data is to be inflated when all is there

	// The current frame.
	left  int  // bytes to come; 0 between frames
	final bool // it is the last one
	mask  [4]byte
	phase int // bytes of it that have come, modulo the mask's length
}

// partials keeps buffers from one message to the next.
var partials = sync.Pool{New: func() any { return new(partial) }}

// maxKept is the largest buffer that is kept for another message.
const maxKept = 64 << 10

func newPartial(text, compressed bool) *partial {
	p, _ := partials.Get().(*partial)
	p.text, p.compressed = text, compressed
	return p
}

// free gives the buffer back. Nothing may use p or its data afterwards.
func (p *partial) free() {
	if cap(p.data) > maxKept {
		return
	}
	*p = partial{data: p.data[:0]}
	partials.Put(p)
}

// begin begins a frame, whose length has passed the limits.
func (p *partial) begin(h ws.Header) {
	p.left, p.final, p.mask, p.phase = int(h.Length), h.Fin, h.Mask, 0
}

// take copies what belongs to the current frame and returns how much that was.
func (p *partial) take(in []byte) int {
	n := min(p.left, len(in))
	if n > cap(p.data)-len(p.data) {
		p.data = slices.Grow(p.data, max(n, len(p.data))) // at least doubled: each byte is copied but a few times
	}
	start := len(p.data)
	p.data = append(p.data, in[:n]...)
	ws.Cipher(p.data[start:], p.mask, p.phase)
	p.phase = (p.phase + n) % len(p.mask)
	p.left -= n
	return n
}

// valid reports whether what has arrived can be the beginning of a text, or all of
// it if nothing more is to come. Each byte is looked at once, or a few times at the
// end of a chunk. What is compressed may be anything yet.
func (p *partial) valid() bool {
	if !p.text || p.compressed {
		return true
	}
	fresh := p.data[p.checked:]
	if p.left > 0 || !p.final {
		fresh = fresh[:len(fresh)-incomplete(fresh)]
	}
	p.checked += len(fresh)
	return utf8.Valid(fresh)
}

// incomplete returns the length of the character at the end of b of which there is
// only the beginning.
func incomplete(b []byte) int {
	for n := 1; n < utf8.UTFMax && n <= len(b); n++ {
		if tail := b[len(b)-n:]; utf8.RuneStart(tail[0]) {
			if utf8.FullRune(tail) {
				return 0
			}
			return n
		}
	}
	return 0
}
