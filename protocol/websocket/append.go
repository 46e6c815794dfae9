package websocket

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strings"
	"unicode/utf8"

	"github.com/gobwas/ws"

	"github.com/portico-go/portico/protocol"
)

// maxReason is what a close frame has room for behind the code (RFC 6455, section
// 5.5).
const maxReason = ws.MaxControlFramePayloadSize - 2

// Append implements protocol.Codec.
//
//   - *Accept is the 101. A subprotocol that was not offered, and a header that
//     belongs to the handshake, are errors.
//   - *Reject is an HTTP response that ends the connection.
//   - *Message is one frame, compressed if that was negotiated, the message has the
//     size for it and becomes shorter. Text that is not UTF-8 is an error.
//   - *Close is a close frame: an empty one for CloseNoStatus, none for
//     CloseAbnormal, which stands for a connection that just breaks off; an error
//     for any other code that must not be sent. A long reason is cut.
//   - *Ping and *Pong with more than 125 bytes are errors, as are all other events.
func (c *Codec) Append(dst []byte, ev protocol.Event) ([]byte, error) {
	switch ev := ev.(type) {
	case *protocol.Accept:
		return c.appendAccept(dst, ev)
	case *protocol.Reject:
		return c.appendReject(dst, ev)
	}
	if c.hello != nil {
		return dst, fmt.Errorf("websocket: cannot send a %s event before the handshake is answered", ev.EventType())
	}
	switch ev := ev.(type) {
	case *protocol.Message:
		if c.compresses(ev) {
			return ev.AppendEncoding(dst, Name+"+"+deflateName, appendCompressed)
		}
		return ev.AppendEncoding(dst, Name, appendPlain)
	case *protocol.Close:
		return appendClose(dst, ev)
	case *protocol.Ping:
		return appendControl(dst, ws.OpPing, ev.Data)
	case *protocol.Pong:
		return appendControl(dst, ws.OpPong, ev.Data)
	}
	return dst, fmt.Errorf("websocket: cannot send a %s event", ev.EventType())
}

// appendPlain appends a message as one frame.
func appendPlain(dst []byte, m *protocol.Message) ([]byte, error) {
	op, err := opcode(m)
	if err != nil {
		return dst, err
	}
	return append(appendHeader(dst, op, len(m.Data)), m.Data...), nil
}

func opcode(m *protocol.Message) (ws.OpCode, error) {
	if m.Binary {
		return ws.OpBinary, nil
	}
	if !utf8.Valid(m.Data) {
		return 0, errors.New("websocket: a text message must be UTF-8; send other data as a binary message")
	}
	return ws.OpText, nil
}

func appendClose(dst []byte, ev *protocol.Close) ([]byte, error) {
	code := ev.Code
	switch code {
	case 0:
		code = protocol.CloseNormal
	case protocol.CloseNoStatus:
		return appendHeader(dst, ws.OpClose, 0), nil
	case protocol.CloseAbnormal:
		return dst, nil
	}
	if !code.Sendable() {
		return dst, fmt.Errorf("websocket: the close code %d must not be sent; use 1000 to 1014 or 3000 to 4999", code)
	}
	reason := cut(strings.ToValidUTF8(ev.Reason, string(utf8.RuneError)), maxReason)
	dst = appendHeader(dst, ws.OpClose, 2+len(reason))
	dst = binary.BigEndian.AppendUint16(dst, uint16(code))
	return append(dst, reason...), nil
}

// cut returns the longest beginning of s that has at most n bytes and ends with a
// whole character.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

func appendControl(dst []byte, op ws.OpCode, data []byte) ([]byte, error) {
	if len(data) > ws.MaxControlFramePayloadSize {
		return dst, fmt.Errorf("websocket: a ping or pong has %d bytes, more than the 125 of RFC 6455, section 5.5", len(data))
	}
	return append(appendHeader(dst, op, len(data)), data...), nil
}

// appendHeader appends the header of an unfragmented frame. A server does not mask
// (RFC 6455, section 5.1).
func appendHeader(dst []byte, op ws.OpCode, length int) []byte {
	const fin = 0x80
	dst = append(dst, fin|byte(op))
	switch {
	case length < length16:
		return append(dst, byte(length))
	case length <= math.MaxUint16:
		return binary.BigEndian.AppendUint16(append(dst, length16), uint16(length))
	default:
		return binary.BigEndian.AppendUint64(append(dst, length64), uint64(length))
	}
}
