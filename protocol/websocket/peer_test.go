package websocket_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"

	"github.com/portico-go/portico/protocol"
)

// The other side here is a client that is not ours.

// TestPeerWrites lets gobwas/ws's client write messages, in fragments of random
// size with pings between them, and reads them in chunks of random size.
func TestPeerWrites(t *testing.T) {
	t.Parallel()
	for seed := range uint64(100) {
		rng := rand.New(rand.NewPCG(seed, 1))
		var wire bytes.Buffer
		var want []string
		for range rng.IntN(8) {
			want = append(want, writeMessage(t, &wire, rng)...)
		}
		wire.Write(ws.MustCompileFrame(ws.MaskFrame(ws.NewCloseFrame(ws.NewCloseFrameBody(ws.StatusGoingAway, "bye")))))
		want = append(want, `close 1001 "bye"`)
		if got := decode(t, open(t, protocol.Limits{}), randomChunks(wire.Bytes(), rng)...); !reflect.DeepEqual(got, want) {
			t.Fatalf("seed %d:\n got %.200q\nwant %.200q", seed, got, want)
		}
	}
}

// writeMessage writes one message and returns the events that it should be.
func writeMessage(t *testing.T, wire *bytes.Buffer, rng *rand.Rand) (want []string) {
	t.Helper()
	data := make([]byte, rng.IntN(5000))
	for i := range data {
		data[i] = byte(rng.IntN(128))
	}
	op := ws.OpText
	if rng.IntN(2) == 0 {
		op = ws.OpBinary
	}
	w := wsutil.NewWriterSize(wire, ws.StateClientSide, op, 1+rng.IntN(1000))
	for rest := data; len(rest) > 0; {
		n := 1 + rng.IntN(len(rest))
		if _, err := w.Write(rest[:n]); err != nil {
			t.Fatal(err)
		}
		rest = rest[n:]
		if rng.IntN(3) == 0 {
			ping := fmt.Sprint(n)
			if err := wsutil.WriteClientMessage(wire, ws.OpPing, []byte(ping)); err != nil {
				t.Fatal(err)
			}
			want = append(want, describe(&protocol.Ping{Data: []byte(ping)}))
		}
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	return append(want, describe(&protocol.Message{Binary: op == ws.OpBinary, Data: data}))
}

func randomChunks(data []byte, rng *rand.Rand) (chunks [][]byte) {
	for len(data) > 0 {
		n := 1 + rng.IntN(min(len(data), 1500))
		chunks = append(chunks, data[:n])
		data = data[n:]
	}
	return chunks
}

// TestPeerReads lets gobwas/ws's client read what the codec writes.
func TestPeerReads(t *testing.T) {
	t.Parallel()
	c := open(t, protocol.Limits{})
	for _, size := range []int{0, 1, 125, 126, 127, 65535, 65536, 1 << 20} {
		data := bytes.Repeat([]byte("x"), size)
		for _, binary := range []bool{false, true} {
			wire, err := c.Append(nil, &protocol.Message{Binary: binary, Data: data})
			if err != nil {
				t.Fatal(err)
			}
			got, op, err := wsutil.ReadServerData(bytes.NewBuffer(wire))
			if err != nil || (op == ws.OpBinary) != binary || !bytes.Equal(got, data) {
				t.Errorf("%d bytes were read as %d, %v, %v", size, len(got), op, err)
			}
		}
	}
	wire, err := c.Append(nil, &protocol.Close{Code: 4000, Reason: "bye"})
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = wsutil.ReadServerData(bytes.NewBuffer(wire))
	if want := (wsutil.ClosedError{Code: 4000, Reason: "bye"}); err != want {
		t.Errorf("the close was read as %v", err)
	}
}

// TestPeerShakesHands lets gobwas/ws's client check the 101, over a wire in memory.
func TestPeerShakesHands(t *testing.T) {
	t.Parallel()
	conn := &memoryConn{serve: func(in []byte) []byte {
		return answer(t, in, &protocol.Accept{Subprotocol: "b", Head: protocol.Head{Header: protocol.Fields{{Name: "Set-Cookie", Value: "a=b"}}}})
	}}
	d := ws.Dialer{Protocols: []string{"a", "b"}}
	_, hs, err := d.Upgrade(conn, mustURL(t, "ws://example.com/chat?x=y"))
	if err != nil || hs.Protocol != "b" {
		t.Errorf("the client says %+v, %v", hs, err)
	}
}
