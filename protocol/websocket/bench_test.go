package websocket_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/portico-go/portico/protocol"
)

// BenchmarkEcho decodes a message and encodes it again.
func BenchmarkEcho(b *testing.B) {
	for _, size := range []int{20, 1 << 10, 64 << 10} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			c := open(b, protocol.Limits{})
			frame := masked(fin|opText, strings.Repeat("x", size))
			in, out := make([]byte, len(frame)), make([]byte, 0, len(frame))
			emit := func(ev protocol.Event) (err error) {
				out, err = c.Append(out[:0], ev)
				return err
			}
			b.SetBytes(int64(size))
			for b.Loop() {
				copy(in, frame) // Decode changes it
				if _, err := c.Decode(in, emit); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
