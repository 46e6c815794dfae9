//go:build !race

package websocket_test

import (
	"bytes"
	"testing"

	"github.com/portico-go/portico/protocol"
	"github.com/portico-go/portico/protocol/websocket"
)

// An echo costs no allocation, whether the message arrives whole or in parts.
func TestEchoAllocates(t *testing.T) {
	payload := string(bytes.Repeat([]byte("hello "), 100))
	whole := masked(fin|opText, payload)
	fragments := append(masked(opText, payload[:300]), masked(fin|opContinue, payload[300:])...)
	tests := map[string][][]byte{
		"one frame":         {whole},
		"one frame, in two": {whole[:200], whole[200:]},
		"two fragments":     {fragments},
	}
	for name, chunks := range tests {
		echo(t, name, open(t, protocol.Limits{}), 4+len(payload), chunks...)
		uncompressed := compressing(t, protocol.Limits{}, websocket.Compression{MinSize: 1000}, "permessage-deflate")
		echo(t, name+", too short for compression", uncompressed, 4+len(payload), chunks...)
	}
}

// Neither does one that is inflated and compressed again.
func TestCompressedEchoAllocates(t *testing.T) {
	payload := deflated(t, string(bytes.Repeat([]byte("hello, world 0123456789 "), 2000)))
	whole := masked(fin|rsv1|opText, payload)
	c := compressing(t, protocol.Limits{}, websocket.Compression{MaxRatio: 1000}, "permessage-deflate")
	sent, err := c.Append(nil, &protocol.Message{Data: bytes.Repeat([]byte("hello, world 0123456789 "), 2000)})
	if err != nil || len(sent) > 1000 {
		t.Fatalf("%d bytes, %v", len(sent), err)
	}
	echo(t, "one frame", c, len(sent), whole)
	echo(t, "one frame, in two", c, len(sent), whole[:20], whole[20:])
}

func echo(t *testing.T, name string, c protocol.Codec, size int, chunks ...[]byte) {
	t.Helper()
	t.Run(name, func(t *testing.T) {
		in, out := make([]byte, 0, 4096), make([]byte, 0, 4096)
		emit := func(ev protocol.Event) (err error) {
			out, err = c.Append(out[:0], ev)
			return err
		}
		allocs := testing.AllocsPerRun(1000, func() {
			for _, chunk := range chunks {
				in = append(in[:0], chunk...) // Decode changes it
				if n, err := c.Decode(in, emit); n != len(in) || err != nil {
					t.Fatalf("Decode = %d, %v", n, err)
				}
			}
		})
		if allocs != 0 || len(out) != size {
			t.Errorf("an echo of %d bytes took %v allocations", len(out), allocs)
		}
	})
}
