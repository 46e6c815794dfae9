//go:build !race

package websocket_test

import (
	"bytes"
	"testing"

	"github.com/portico-go/portico/protocol"
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
		t.Run(name, func(t *testing.T) {
			c := open(t, protocol.Limits{})
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
			if allocs != 0 || len(out) != 4+len(payload) {
				t.Errorf("an echo of %d bytes took %v allocations", len(out), allocs)
			}
		})
	}
}
