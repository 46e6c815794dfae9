package engine

import "github.com/portico-go/portico/protocol"

// incoming is what was read from one stream and not decoded yet. Only its turns
// touch it; a stream of which nothing is left over has none.
type incoming struct {
	engine *Engine
	s      *Stream
	buf    []byte
	busy   bool // the last read filled its buffer
	fresh  bool // buf holds what came with the handshake
	last   bool // the peer has closed, as its protocol does it

	emit func(protocol.Event) error // of s, as a value that is made once
}

// borrow gives s an incoming.
func (e *Engine) borrow(s *Stream) *incoming {
	in, ok := e.incomings.Get().(*incoming)
	if !ok {
		in = &incoming{engine: e}
		in.emit = func(ev protocol.Event) error { return in.s.emit(ev) }
	}
	in.s = s
	return in
}

// space returns where to read to: behind what is there, at most 64 KiB.
func (in *incoming) space() []byte {
	switch {
	case in.buf == nil:
		in.buf = in.engine.buffers.get()
	case len(in.buf) == 0 && cap(in.buf) >= largeBuffer && !in.busy:
		in.drop()
		in.buf = in.engine.buffers.get()
	case in.busy && cap(in.buf) < largeBuffer:
		in.move(in.engine.buffers.getLarge())
	case len(in.buf) == cap(in.buf):
		in.move(make([]byte, 0, 2*cap(in.buf)))
	}
	return in.buf[len(in.buf):min(cap(in.buf), len(in.buf)+largeBuffer)]
}

// move moves what is there to another buffer.
func (in *incoming) move(to []byte) {
	to = append(to, in.buf...)
	in.engine.buffers.put(in.buf)
	in.buf = to
}

// drop gives the buffer back.
func (in *incoming) drop() {
	in.engine.buffers.put(in.buf)
	in.buf = nil
}

// grew says that n bytes were read into space.
func (in *incoming) grew(n, space int) {
	in.buf = in.buf[:len(in.buf)+n]
	in.busy = n == space
}

// consumed says that n bytes were decoded.
func (in *incoming) consumed(n int) {
	rest := copy(in.buf, in.buf[n:])
	in.buf = in.buf[:rest]
}

// park is called when a stream waits for more: if nothing is left over it returns
// nil, and the stream has no buffer; else at most a small one for what is small.
func (in *incoming) park() *incoming {
	if len(in.buf) == 0 {
		in.free()
		return nil
	}
	in.busy = false
	if len(in.buf) < smallBuffer/2 && cap(in.buf) >= largeBuffer {
		in.move(in.engine.buffers.get())
	}
	return in
}

// free gives all back; in must not be used any more.
func (in *incoming) free() {
	if in.buf != nil && cap(in.buf) != smallBuffer {
		in.drop()
	}
	in.s, in.buf, in.busy, in.fresh, in.last = nil, in.buf[:0], false, false, false
	in.engine.incomings.Put(in)
}
