package server_test

import (
	"bytes"
	"io"
	"strings"
	"testing"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsflate"

	"github.com/portico-go/portico/protocol/websocket"
	"github.com/portico-go/portico/server"
)

// A client that is not ours offers compression, and has a message echoed.
func TestCompression(t *testing.T) {
	t.Parallel()
	text := []byte(strings.Repeat("hello, compressed world ", 1000))
	for _, enabled := range []bool{false, true} {
		addr := start(t, echo, server.Config{Compression: websocket.Compression{Enabled: enabled}})
		var d ws.Dialer
		d.Extensions = append(d.Extensions, wsflate.DefaultParameters.Option())
		c := dialWebSocket(t, "ws://"+addr+"/", d)
		frame := ws.NewTextFrame(bytes.Clone(text))
		if enabled {
			var err error
			if frame, err = wsflate.CompressFrame(frame); err != nil {
				t.Fatal(err)
			}
		}
		if err := ws.WriteFrame(c, ws.MaskFrame(frame)); err != nil {
			t.Fatal(err)
		}
		h, err := ws.ReadHeader(c)
		if err != nil || h.Rsv1() != enabled {
			t.Fatalf("enabled=%v: got the frame %+v, %v", enabled, h, err)
		}
		frame = ws.Frame{Header: h, Payload: make([]byte, h.Length)}
		if _, err := io.ReadFull(c, frame.Payload); err != nil {
			t.Fatal(err)
		}
		if enabled {
			if frame, err = wsflate.DecompressFrame(frame); err != nil {
				t.Fatal(err)
			}
		}
		if !bytes.Equal(frame.Payload, text) {
			t.Errorf("enabled=%v: %d bytes came back as %d", enabled, len(text), len(frame.Payload))
		}
	}
}
