package websocket

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"sync"
	"unicode/utf8"

	"github.com/klauspost/compress/flate"

	"github.com/portico-go/portico/protocol"
)

// inflate returns the message that p is when it is inflated, and frees p.
func (p *partial) inflate(c *Config) (*partial, *protocol.CloseError) {
	most := c.most(len(p.data))
	inflated := newPartial(p.text, false)
	err := p.inflateTo(inflated, most)
	p.free()
	switch {
	case err == nil && (!inflated.text || utf8.Valid(inflated.data)):
		return inflated, nil
	case err == nil:
		err = errNotUTF8()
	}
	inflated.free()
	return nil, err
}

func (p *partial) inflateTo(to *partial, most int) *protocol.CloseError {
	p.data = append(p.data, inflateTail...)
	f, _ := inflaters.Get().(*inflater)
	defer f.free()
	var err error
	to.data, err = f.inflate(to.data, p.data, most)
	switch {
	case errors.Is(err, errTooLong):
		return protocol.Closef(protocol.CloseMessageTooBig, "a compressed message inflates to more than %d bytes", most)
	case err != nil:
		return protocol.Closef(protocol.CloseInvalidPayload, "a compressed message is not in the form of RFC 7692, section 7.2")
	}
	return nil
}

// An inflater inflates one message after another, each on its own.
type inflater struct {
	source bytes.Reader // of what flate knows it is the fastest
	r      io.ReadCloser
}

// inflaters have the window of 32 KiB, for as long as the inflating takes.
var inflaters = sync.Pool{New: func() any {
	f := new(inflater)
	f.r = flate.NewReader(&f.source)
	return f
}}

var (
	errTooLong  = errors.New("websocket: a message inflates to too much")
	errNotEnded = errors.New("websocket: something is behind the final block")
)

// inflateTail is what flate needs behind a message: what the sender left out, and a
// final block, for most senders make none.
const inflateTail = flushed + "\x01\x00\x00\xff\xff"

// finalTail is what is behind a final block of the sender, which is to add a byte
// (RFC 7692, section 7.2.3.4).
const finalTail = "\x00" + inflateTail

// inflate appends what a message with its inflateTail inflates to. If that is more
// than most bytes it fails as soon as it notices.
func (f *inflater) inflate(dst, message []byte, most int) ([]byte, error) {
	f.source.Reset(message)
	if err := f.r.(flate.Resetter).Reset(&f.source, nil); err != nil {
		return dst, err
	}
	for {
		if len(dst) == cap(dst) {
			dst = slices.Grow(dst, min(max(4<<10, len(dst)), most+1-len(dst)))
		}
		n, err := f.r.Read(dst[len(dst):min(cap(dst), most+1)])
		dst = dst[:len(dst)+n]
		switch {
		case len(dst) > most:
			return dst, errTooLong
		case errors.Is(err, io.EOF):
			return dst, f.ended(message)
		case err != nil:
			return dst, err
		}
	}
}

// ended checks that nothing is behind the final block, for nobody would see it.
func (f *inflater) ended(message []byte) error {
	switch rest := message[len(message)-f.source.Len():]; string(rest) {
	case "", inflateTail, finalTail:
		return nil
	}
	return errNotEnded
}

// free gives the inflater back.
func (f *inflater) free() {
	f.source.Reset(nil)
	inflaters.Put(f)
}
