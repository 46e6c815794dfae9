package websocket_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/portico-go/portico/protocol"
	"github.com/portico-go/portico/protocol/websocket"
)

// BenchmarkCompressedEcho decodes a compressed message and compresses it again.
func BenchmarkCompressedEcho(b *testing.B) {
	for _, size := range []int{512, 4 << 10, 64 << 10} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			c := compressing(b, protocol.Limits{}, websocket.Compression{MaxRatio: 1000}, "permessage-deflate")
			text := strings.Repeat(`{"room":"go","from":"alice","text":"hi"}`, size/40+1)[:size]
			frame := masked(fin|rsv1|opText, deflated(b, text))
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
