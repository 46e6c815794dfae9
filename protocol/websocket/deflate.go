package websocket

import (
	"sync"

	"github.com/gobwas/ws"
	"github.com/klauspost/compress/flate"

	"github.com/portico-go/portico/protocol"
)

// rsv1, next to the opcode, marks the first frame of a compressed message (RFC 7692,
// section 6).
const rsv1 ws.OpCode = 0x40

// compresses reports whether a message is worth to be compressed and may be. One
// that is longer than the window that the client asked for is not: what is within
// the window is the same for all clients, so that it can be shared.
func (c *Codec) compresses(m *protocol.Message) bool {
	return c.window > 0 && len(m.Data) >= c.config.Compression.MinSize &&
		(c.window == maxWindow || len(m.Data) <= 1<<c.window)
}

// appendCompressed appends a message as one compressed frame, or as it is if that
// is no longer.
func appendCompressed(dst []byte, m *protocol.Message) ([]byte, error) {
	op, err := opcode(m)
	if err != nil {
		return dst, err
	}
	d, _ := deflaters.Get().(*deflater)
	defer d.free()
	data, err := d.deflate(m.Data)
	if err != nil || len(data) >= len(m.Data) {
		return appendPlain(dst, m)
	}
	return append(appendHeader(dst, op|rsv1, len(data)), data...), nil
}

// A deflater compresses one message after another, each on its own.
type deflater struct {
	w   *flate.Writer
	out []byte
}

// deflaters are few and large: each has 800 KiB, for as long as one message takes.
var deflaters = sync.Pool{New: func() any {
	d := new(deflater)
	d.w, _ = flate.NewWriter(d, flate.BestSpeed) // an error is for other levels
	return d
}}

// flushed is the end of what Flush writes. It is not sent (RFC 7692, section 7.2.1).
const flushed = "\x00\x00\xff\xff"

// deflate returns the compressed data, which is valid until the next call.
func (d *deflater) deflate(data []byte) ([]byte, error) {
	d.out = d.out[:0]
	d.w.Reset(d)
	if _, err := d.w.Write(data); err != nil {
		return nil, err
	}
	if err := d.w.Flush(); err != nil {
		return nil, err
	}
	return d.out[:len(d.out)-len(flushed)], nil
}

// Write implements io.Writer, for flate.
func (d *deflater) Write(p []byte) (int, error) {
	d.out = append(d.out, p...)
	return len(p), nil
}

// free gives the deflater back.
func (d *deflater) free() {
	if cap(d.out) > maxKept {
		d.out = nil
	}
	deflaters.Put(d)
}
