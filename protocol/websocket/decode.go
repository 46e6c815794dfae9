package websocket

import (
	"encoding/binary"
	"unicode/utf8"

	"github.com/gobwas/ws"

	"github.com/portico-go/portico/protocol"
)

// Decode implements protocol.Codec.
func (c *Codec) Decode(in []byte, emit func(protocol.Event) error) (n int, err error) {
	for n < len(in) && !c.ended {
		used, err := c.decode(in[n:], emit)
		n += used
		if err != nil || used == 0 {
			return n, err
		}
	}
	if c.ended {
		n = len(in)
	}
	return n, nil
}

// decode consumes one frame or, of a data frame, what is there of it. It consumes
// nothing of a header or of a control frame that is incomplete: both are short.
func (c *Codec) decode(in []byte, emit func(protocol.Event) error) (int, error) {
	if c.partial != nil && c.partial.left > 0 {
		return c.resume(in, emit)
	}
	h, size, ok := parseHeader(in)
	if !ok {
		return 0, nil
	}
	if err := c.check(h, size); err != nil {
		return 0, c.fail(err)
	}
	payload := in[size:]
	whole := h.Length <= int64(len(payload))
	switch {
	case h.OpCode.IsControl() && !whole:
		return 0, nil
	case h.OpCode.IsControl():
		end := size + int(h.Length)
		return end, c.control(h, in[size:end], emit)
	case whole && h.Fin && c.partial == nil && !h.Rsv1():
		end := size + int(h.Length)
		return end, c.whole(h, in[size:end], emit)
	}
	if c.partial == nil {
		c.partial = newPartial(h.OpCode == ws.OpText, h.Rsv1())
	}
	c.partial.begin(h)
	n, err := c.resume(payload, emit)
	return size + n, err
}

// parseHeader reads a frame's header (RFC 6455, section 5.2), if it is complete. A
// length with the most significant bit set comes out negative.
func parseHeader(in []byte) (h ws.Header, size int, ok bool) {
	if len(in) < ws.MinHeaderSize {
		return h, 0, false
	}
	h.Fin = in[0]&0x80 != 0
	h.Rsv = in[0] >> 4 & 0x7
	h.OpCode = ws.OpCode(in[0] & 0xf)
	h.Masked = in[1]&0x80 != 0
	h.Length = int64(in[1] & 0x7f)

	size = ws.MinHeaderSize
	switch h.Length {
	case length16:
		size += 2
	case length64:
		size += 8
	}
	mask := size
	if h.Masked {
		size += len(h.Mask)
	}
	if len(in) < size {
		return h, 0, false
	}
	switch h.Length {
	case length16:
		h.Length = int64(binary.BigEndian.Uint16(in[2:]))
	case length64:
		h.Length = int64(binary.BigEndian.Uint64(in[2:]))
	}
	copy(h.Mask[:], in[mask:size])
	return h, size, true
}

// The length fields that say that the length follows, in 16 or 64 bits.
const (
	length16 = 126
	length64 = 127
)

// check says what is wrong with a header of size bytes, before anything is made of
// the length that it promises.
func (c *Codec) check(h ws.Header, size int) *protocol.CloseError {
	state := ws.StateServerSide
	if c.partial != nil {
		state |= ws.StateFragmented
	}
	if c.window > 0 && (h.OpCode == ws.OpText || h.OpCode == ws.OpBinary) {
		h.Rsv &^= ws.Rsv(true, false, false) // RFC 7692, section 6: RSV1 may be set there
	}
	if err := ws.CheckHeader(h, state); err != nil {
		return &protocol.CloseError{Code: protocol.CloseProtocolError, Reason: err.Error()}
	}
	// RFC 6455, section 5.2: the most significant bit must be 0, and the minimal
	// number of bytes must be used to encode the length. A negative length has no
	// header of this size.
	if size != ws.HeaderSize(h) {
		return protocol.Closef(protocol.CloseProtocolError, "a frame's length is not in its shortest form")
	}
	if h.OpCode.IsControl() {
		return nil
	}
	limits := &c.config.Limits
	if h.Length > int64(limits.Frame) {
		return protocol.Closef(protocol.CloseMessageTooBig, "a frame has more than %d bytes", limits.Frame)
	}
	room := limits.Message
	if c.partial != nil {
		room -= len(c.partial.data)
	}
	if h.Length > int64(room) {
		return protocol.Closef(protocol.CloseMessageTooBig, "a message has more than %d bytes", limits.Message)
	}
	return nil
}

// fail ends the decoding because of what the peer did.
func (c *Codec) fail(err *protocol.CloseError) error {
	c.end()
	return err
}

func (c *Codec) end() {
	c.ended = true
	if c.partial != nil {
		c.partial.free()
		c.partial = nil
	}
}

// emptyPong is what most pongs are, and never changed.
var emptyPong = &protocol.Pong{}

// control emits a control frame.
func (c *Codec) control(h ws.Header, payload []byte, emit func(protocol.Event) error) error {
	ws.Cipher(payload, h.Mask, 0)
	switch h.OpCode {
	case ws.OpPing:
		return emit(&protocol.Ping{Data: payload})
	case ws.OpPong:
		if len(payload) == 0 {
			return emit(emptyPong)
		}
		return emit(&protocol.Pong{Data: payload})
	}
	ev, err := parseClose(payload)
	if err != nil {
		return c.fail(err)
	}
	c.end()
	return emit(ev)
}

// parseClose reads the payload of a close frame (RFC 6455, section 5.5.1).
func parseClose(payload []byte) (*protocol.Close, *protocol.CloseError) {
	if len(payload) == 0 {
		return &protocol.Close{Code: protocol.CloseNoStatus}, nil
	}
	code, reason := ws.ParseCloseFrameData(payload) // half a code is 0
	switch ev := (&protocol.Close{Code: protocol.CloseCode(code), Reason: reason}); {
	case !ev.Code.Sendable():
		return nil, protocol.Closef(protocol.CloseProtocolError, "a close frame has no code that may be sent")
	case !utf8.ValidString(reason):
		return nil, protocol.Closef(protocol.CloseInvalidPayload, "the reason of a close frame is not UTF-8")
	default:
		return ev, nil
	}
}

// whole emits a message that arrived whole, without copying it.
func (c *Codec) whole(h ws.Header, payload []byte, emit func(protocol.Event) error) error {
	ws.Cipher(payload, h.Mask, 0)
	text := h.OpCode == ws.OpText
	if text && !utf8.Valid(payload) {
		return c.fail(errNotUTF8())
	}
	return emitMessage(!text, payload, emit)
}

// resume takes what there is of the payload of the current frame, and emits the
// message if that completes it.
func (c *Codec) resume(in []byte, emit func(protocol.Event) error) (int, error) {
	p := c.partial
	n := p.take(in)
	if !p.valid() {
		return n, c.fail(errNotUTF8())
	}
	if p.left > 0 || !p.final {
		return n, nil
	}
	c.partial = nil
	if p.compressed {
		var err *protocol.CloseError
		if p, err = p.inflate(c.config); err != nil {
			return n, c.fail(err)
		}
	}
	defer p.free()
	return n, emitMessage(!p.text, p.data, emit)
}

func emitMessage(binary bool, data []byte, emit func(protocol.Event) error) error {
	m, _ := messages.Get().(*protocol.Message)
	m.Binary, m.Data = binary, data
	err := emit(m)
	m.Data = nil // the buffer is not ours to keep
	messages.Put(m)
	return err
}

func errNotUTF8() *protocol.CloseError {
	return protocol.Closef(protocol.CloseInvalidPayload, "a text message is not UTF-8")
}
