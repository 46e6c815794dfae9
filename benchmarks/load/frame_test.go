package load_test

import (
	"bytes"
	"io"
	"testing"

	"github.com/gobwas/ws"

	"github.com/portico-go/portico/benchmarks/load"
)

// readFrame reads a client's frame and takes its mask off.
func readFrame(r io.Reader) (ws.Frame, error) {
	header, err := ws.ReadHeader(r)
	if err != nil {
		return ws.Frame{}, err
	}
	frame := ws.Frame{Header: header, Payload: make([]byte, header.Length)}
	_, err = io.ReadFull(r, frame.Payload)
	ws.Cipher(frame.Payload, header.Mask, 0)
	return frame, err
}

// Another library reads what is sent, and writes what is expected.
func TestTextIsWhatAnotherLibraryHasIt(t *testing.T) {
	t.Parallel()
	for _, size := range []int{0, 1, 64, 125, 126, 128, 1000, 65535} {
		sent, echo := load.Text(size)
		frame, err := readFrame(bytes.NewReader(sent))
		if err != nil {
			t.Fatalf("%d bytes: %v", size, err)
		}
		if !frame.Header.Masked || frame.Header.OpCode != ws.OpText || !frame.Header.Fin || len(frame.Payload) != size {
			t.Errorf("%d bytes: the header is %+v", size, frame.Header)
		}
		want := ws.MustCompileFrame(ws.NewTextFrame(frame.Payload))
		if !bytes.Equal(echo, want) {
			t.Errorf("%d bytes: the echo is %x, want %x", size, echo, want)
		}
	}
}

func TestNextFrame(t *testing.T) {
	t.Parallel()
	ping := ws.MustCompileFrame(ws.NewPingFrame([]byte("p")))
	long := ws.MustCompileFrame(ws.NewTextFrame(bytes.Repeat([]byte("x"), 300)))
	stream := append(bytes.Clone(ping), long...)
	for cut := range stream {
		first, payload, rest := load.NextFrame(stream[:cut])
		if cut < len(ping) {
			if first != 0 || len(rest) != cut {
				t.Errorf("%d bytes of a ping are the frame %#x with %q", cut, first, payload)
			}
			continue
		}
		if first != ping[0] || string(payload) != "p" {
			t.Fatalf("got the frame %#x with %q, want a ping", first, payload)
		}
		if first, _, again := load.NextFrame(rest); first != 0 || !bytes.Equal(again, rest) {
			t.Errorf("%d bytes of a text are the frame %#x", len(rest), first)
		}
	}
	_, _, rest := load.NextFrame(stream)
	if first, payload, rest := load.NextFrame(rest); first != 0x81 || len(payload) != 300 || len(rest) != 0 {
		t.Errorf("got the frame %#x with %d bytes and %d behind it, want a text of 300", first, len(payload), len(rest))
	}
}
