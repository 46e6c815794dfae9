package chat_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/portico-go/portico/protocol"
	"github.com/portico-go/portico/protocol/chat"
)

// newProtocol returns a protocol that lets clients set a few headers.
func newProtocol(t *testing.T) *chat.Protocol {
	t.Helper()
	p, err := chat.New(chat.Config{Headers: []string{"Accept-Language", "X-Client"}})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// shake feeds the chunks to h as a server does. It returns what the request says,
// or "STATUS reason" of the refusal, or "" if the handshake is not over, and what
// was not consumed.
func shake(t *testing.T, h protocol.Handshake, chunks ...[]byte) (got string, rest []byte) {
	t.Helper()
	for i, chunk := range chunks {
		rest = slices.Concat(rest, chunk)
		req, n, err := h.Decode(rest)
		if n < 0 || n > len(rest) {
			t.Fatalf("Decode consumed %d of %d bytes", n, len(rest))
		}
		rest = rest[n:]
		if err != nil {
			r, ok := errors.AsType[*protocol.Reject](err)
			if !ok || req != nil {
				t.Fatalf("Decode = %v, %v; want a *Reject alone", req, err)
			}
			return fmt.Sprintf("%d %s", r.Status, r.Reason), nil
		}
		if req != nil {
			return describeRequest(req), slices.Concat(append([][]byte{rest}, chunks[i+1:]...)...)
		}
	}
	return "", rest
}

func describeRequest(req *protocol.Request) string {
	got := fmt.Sprintf("%s %s %s %s", req.Protocol, req.Scheme, req.Framing, req.Target)
	for name, value := range req.Headers.All() {
		got += fmt.Sprintf("|%s: %s", name, value)
	}
	return got
}

// decode feeds the chunks to c as a server does. The violation is the last of what
// it returns, as "error 1002".
func decode(t *testing.T, c protocol.Codec, chunks ...[]byte) (got []string) {
	t.Helper()
	var rest []byte
	emit := func(ev protocol.Event) error {
		got = append(got, describe(ev))
		return nil
	}
	for _, chunk := range chunks {
		rest = slices.Concat(rest, chunk)
		n, err := c.Decode(rest, emit)
		if n < 0 || n > len(rest) {
			t.Fatalf("Decode consumed %d of %d bytes", n, len(rest))
		}
		rest = rest[n:]
		if err != nil {
			e, ok := errors.AsType[*protocol.CloseError](err)
			if !ok || e.Remote || e.Reason == "" {
				t.Fatalf("Decode returned %#v, want a *CloseError with a reason", err)
			}
			return append(got, fmt.Sprintf("error %d", e.Code))
		}
	}
	if len(rest) > chat.MaxLine+1 {
		t.Fatalf("Decode left %d bytes, which the server has to keep", len(rest))
	}
	return got
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

// eachSplit calls check with data in one piece, byte by byte, and, if it is short,
// cut in two at every place.
func eachSplit(data []byte, check func(how string, chunks ...[]byte)) {
	check("in one piece", data)
	check("byte by byte", slices.Collect(slices.Chunk(data, 1))...)
	if len(data) > 1000 {
		return
	}
	for i := range data {
		check(fmt.Sprintf("cut at %d", i), data[:i], data[i:])
	}
}

// codec returns the second half of a connection.
func codec(t *testing.T, limits protocol.Limits) protocol.Codec {
	t.Helper()
	_, c := newProtocol(t).New(limits)
	return c
}
