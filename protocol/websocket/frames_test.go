package websocket_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/portico-go/portico/protocol"
	"github.com/portico-go/portico/protocol/websocket"
)

// key and accept are the example of RFC 6455, section 1.3.
const (
	key    = "dGhlIHNhbXBsZSBub25jZQ=="
	accept = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
)

// request returns a good handshake. Each edit is "Name: value", which replaces the
// fields of that name, "+Name: value", which adds one, or "-Name", which removes
// them.
func request(tb testing.TB, edits ...string) *protocol.Request {
	tb.Helper()
	fields := protocol.Fields{
		{Name: "Host", Value: "example.com"},
		{Name: "Upgrade", Value: "websocket"},
		{Name: "Connection", Value: "Upgrade"},
		{Name: "Sec-WebSocket-Key", Value: key},
		{Name: "Sec-WebSocket-Version", Value: "13"},
	}
	for _, edit := range edits {
		name, value, _ := strings.Cut(strings.TrimLeft(edit, "+-"), ": ")
		switch edit[0] {
		case '-':
			fields.Del(name)
		case '+':
			fields.Add(name, value)
		default:
			fields.Set(name, value)
		}
	}
	headers, err := protocol.NewHeaders(fields)
	if err != nil {
		tb.Fatal(err)
	}
	return &protocol.Request{Protocol: "http", Version: "1.1", Method: "GET", Scheme: "http", Target: "/", Headers: headers}
}

// newCodec returns a codec whose handshake is not answered.
func newCodec(tb testing.TB, limits protocol.Limits, edits ...string) *websocket.Codec {
	tb.Helper()
	c, err := websocket.NewUpgrader(websocket.Config{Limits: limits}).Upgrade(request(tb, edits...))
	if err != nil {
		tb.Fatal(err)
	}
	return c
}

// open returns a codec whose handshake was accepted.
func open(tb testing.TB, limits protocol.Limits) *websocket.Codec {
	tb.Helper()
	c := newCodec(tb, limits)
	if _, err := c.Append(nil, &protocol.Accept{}); err != nil {
		tb.Fatal(err)
	}
	return c
}

// The first byte of frames.
const (
	fin        = 0x80
	opContinue = 0x0
	opText     = 0x1
	opBinary   = 0x2
	opClose    = 0x8
	opPing     = 0x9
	opPong     = 0xA
)

// mask is the key of masked; no two bytes are the same.
var mask = [4]byte{0x37, 0xfa, 0x21, 0x3d}

// masked returns a client's frame, with its payload masked byte by byte.
func masked(first byte, payload string) []byte {
	return append(maskedHeader(first, uint64(len(payload))), maskBytes(payload)...)
}

func maskBytes(payload string) []byte {
	b := []byte(payload)
	for i := range b {
		b[i] ^= mask[i%4]
	}
	return b
}

// maskedHeader returns the header of a client's frame, with a length in its
// shortest form.
func maskedHeader(first byte, length uint64) []byte {
	b := []byte{first}
	switch {
	case length <= 125:
		b = append(b, 0x80|byte(length))
	case length <= 0xffff:
		b = binary.BigEndian.AppendUint16(append(b, 0x80|126), uint16(length))
	default:
		b = binary.BigEndian.AppendUint64(append(b, 0x80|127), length)
	}
	return append(b, mask[:]...)
}

// closePayload returns the payload of a close frame.
func closePayload(code int, reason string) string {
	return string(binary.BigEndian.AppendUint16(nil, uint16(code))) + reason
}

// describe writes an event as a test wants to read it.
func describe(ev protocol.Event) string {
	switch ev := ev.(type) {
	case *protocol.Message:
		if ev.Binary {
			return fmt.Sprintf("binary %q", ev.Data)
		}
		return fmt.Sprintf("text %q", ev.Data)
	case *protocol.Ping:
		return fmt.Sprintf("ping %q", ev.Data)
	case *protocol.Pong:
		return fmt.Sprintf("pong %q", ev.Data)
	case *protocol.Close:
		return fmt.Sprintf("close %d %q", ev.Code, ev.Reason)
	}
	return ev.EventType()
}

// decode feeds the chunks to c as a server does: what was not consumed comes
// again, with the next chunk behind it. The violation is the last of what it
// returns, as "error 1002".
func decode(t *testing.T, c protocol.Codec, chunks ...[]byte) (got []string) {
	t.Helper()
	var pending []byte
	emit := func(ev protocol.Event) error {
		got = append(got, describe(ev))
		return nil
	}
	for _, chunk := range chunks {
		pending = slices.Concat(pending, chunk) // a fresh copy: Decode may change what it gets
		n, err := c.Decode(pending, emit)
		if n < 0 || n > len(pending) {
			t.Fatalf("Decode consumed %d of %d bytes", n, len(pending))
		}
		pending = pending[n:]
		if err != nil {
			e, ok := errors.AsType[*protocol.CloseError](err)
			if !ok || e.Remote || e.Reason == "" {
				t.Fatalf("Decode returned %#v, want a *CloseError with a reason", err)
			}
			return append(got, fmt.Sprintf("error %d", e.Code))
		}
	}
	if len(pending) > maxPending {
		t.Fatalf("Decode left %d bytes, which the server has to keep", len(pending))
	}
	return got
}

// maxPending is the longest control frame less a byte: more is never left to the
// server.
const maxPending = 2 + 4 + 125 - 1

// bytewise cuts data into single bytes.
func bytewise(data []byte) [][]byte {
	return slices.Collect(slices.Chunk(data, 1))
}
