package websocket_test

import (
	"bytes"
	"compress/flate"
	"io"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsflate"

	"github.com/portico-go/portico/protocol"
	"github.com/portico-go/portico/protocol/websocket"
)

// noise returns text that does not compress.
func noise(size int) string {
	rng := rand.New(rand.NewPCG(1, 2))
	b := make([]byte, size)
	for i := range b {
		b[i] = byte(rng.IntN(256))
	}
	return string(b)
}

// read reads one frame, of a message that wsflate inflates if it is compressed.
func read(t *testing.T, wire []byte) (data []byte, binary, compressed bool) {
	t.Helper()
	r := bytes.NewReader(wire)
	h, err := ws.ReadHeader(r)
	if err != nil || h.Length != int64(r.Len()) || !h.Fin || h.Rsv2() || h.Rsv3() {
		t.Fatalf("%d bytes are the frame %+v, and %d more; %v", len(wire), h, r.Len(), err)
	}
	frame := ws.Frame{Header: h, Payload: wire[len(wire)-r.Len():]}
	if compressed = h.Rsv1(); compressed {
		if frame, err = wsflate.DecompressFrame(frame); err != nil {
			t.Fatal(err)
		}
	}
	return frame.Payload, frame.Header.OpCode == ws.OpBinary, compressed
}

func TestDeflate(t *testing.T) {
	t.Parallel()
	x := strings.Repeat("x", 1<<20)
	const plain = "permessage-deflate"
	tests := []struct {
		name    string
		offer   string
		minSize int
		message string
		want    bool // compressed
	}{
		{"the smallest", plain, 0, x[:512], true},
		{"less than the smallest", plain, 0, x[:511], false},
		{"the smallest of its own", plain, 100, x[:100], true},
		{"less than that", plain, 100, x[:99], false},
		{"any", plain, 1, x[:128], true},
		{"what would be longer", plain, 1, "abc", false},
		{"empty", plain, 1, "", false},
		{"noise", plain, 0, noise(10_000), false},
		{"more than a window", plain, 0, strings.Repeat(noise(40_000), 3), false},
		{"more than a window, with matches", plain, 0, strings.Repeat(noise(20_000), 5), true},
		{"a megabyte", plain, 0, x, true},
		{"a narrow window", plain + "; server_max_window_bits=10", 0, x[:1024], true},
		{"more than a narrow window", plain + "; server_max_window_bits=10", 0, x[:1025], false},
		{"a full window", plain + "; server_max_window_bits=15", 0, x, true},
	}
	for _, test := range tests {
		for _, binary := range []bool{false, true} {
			message := test.message
			if !binary {
				message = strings.ToValidUTF8(message, "?")
			}
			if !binary && message != test.message {
				continue
			}
			c := compressing(t, protocol.Limits{}, websocket.Compression{MinSize: test.minSize}, test.offer)
			for range 2 { // there is no context to take over
				wire, err := c.Append([]byte("before"), &protocol.Message{Binary: binary, Data: []byte(message)})
				if err != nil || !bytes.HasPrefix(wire, []byte("before")) {
					t.Fatalf("%s: %v", test.name, err)
				}
				data, isBinary, compressed := read(t, wire[6:])
				if string(data) != message || isBinary != binary || compressed != test.want {
					t.Errorf("%s: read as %d bytes, binary=%v, compressed=%v", test.name, len(data), isBinary, compressed)
				}
				if compressed && len(wire)-6 >= len(message) {
					t.Errorf("%s: %d bytes became %d", test.name, len(message), len(wire)-6)
				}
			}
		}
	}
}

// Control frames are never compressed, and text must be UTF-8 as ever.
func TestDeflateNothingElse(t *testing.T) {
	t.Parallel()
	c := compressing(t, protocol.Limits{}, websocket.Compression{MinSize: 1}, "permessage-deflate")
	long := []byte(strings.Repeat("x", 100))
	for _, ev := range []protocol.Event{&protocol.Ping{Data: long}, &protocol.Pong{Data: long}, &protocol.Close{Code: 1000, Reason: string(long)}} {
		wire, err := c.Append(nil, ev)
		if err != nil || wire[0]&rsv1 != 0 || !bytes.Contains(wire, long) {
			t.Errorf("%s: %q, %v", ev.EventType(), wire, err)
		}
	}
	wire, err := c.Append([]byte("before"), &protocol.Message{Data: []byte(strings.Repeat("\xff", 1000))})
	if err == nil || string(wire) != "before" {
		t.Errorf("text that is not UTF-8: %q, %v", wire, err)
	}
}

// A message to many connections is framed once and compressed once: what the
// codecs after the first send does not depend on the data any more.
func TestDeflateOnceForAll(t *testing.T) {
	t.Parallel()
	data := []byte(strings.Repeat("hello ", 200))
	want := string(data)
	m := protocol.SharedMessage(false, data)
	send := func(c *websocket.Codec, compress bool) {
		t.Helper()
		wire, err := c.Append(nil, m)
		if err != nil {
			t.Fatal(err)
		}
		if got, _, compressed := read(t, wire); string(got) != want || compressed != compress {
			t.Errorf("read as %.20q, compressed=%v", got, compressed)
		}
	}
	for range 2 {
		send(open(t, protocol.Limits{}), false)
		send(inflating(t, protocol.Limits{}), true)
		send(compressing(t, protocol.Limits{}, websocket.Compression{MinSize: 2000}, "permessage-deflate"), false)
		send(compressing(t, protocol.Limits{}, websocket.Compression{}, "permessage-deflate; server_max_window_bits=10"), false)
		send(compressing(t, protocol.Limits{}, websocket.Compression{}, "permessage-deflate; server_max_window_bits=11"), true)
		copy(data, "spoilt") // which nobody may do, and which shows that nobody looks again
	}
}

// TestDeflatePeerWrites lets wsflate compress messages with the standard library,
// at every level, in fragments with pings between them.
func TestDeflatePeerWrites(t *testing.T) {
	t.Parallel()
	for seed := range uint64(100) {
		rng := rand.New(rand.NewPCG(seed, 2))
		var wire []byte
		var want []string
		for range 1 + rng.IntN(4) {
			text := strings.Repeat(noise(rng.IntN(500)), rng.IntN(100))
			var payload bytes.Buffer
			w := wsflate.NewWriter(&payload, func(w io.Writer) wsflate.Compressor {
				f, _ := flate.NewWriter(w, rng.IntN(10))
				return f
			})
			if _, err := io.WriteString(w, text); err != nil {
				t.Fatal(err)
			}
			if err := w.Flush(); err != nil {
				t.Fatal(err)
			}
			op := byte(rsv1 | opBinary)
			for payload.Len() > 100 && rng.IntN(4) > 0 {
				wire = append(wire, masked(op, string(payload.Next(1+rng.IntN(payload.Len()))))...)
				wire = append(wire, masked(fin|opPing, "p")...)
				want = append(want, `ping "p"`)
				op = opContinue
			}
			wire = append(wire, masked(fin|op, payload.String())...)
			want = append(want, describe(&protocol.Message{Binary: true, Data: []byte(text)}))
		}
		c := compressing(t, protocol.Limits{}, websocket.Compression{MaxRatio: 2000}, "permessage-deflate")
		if got := decode(t, c, randomChunks(wire, rng)...); !reflect.DeepEqual(got, want) {
			t.Fatalf("seed %d:\n got %.200q\nwant %.200q", seed, got, want)
		}
	}
}

// TestDeflatePeerShakesHands lets gobwas/ws's client offer compression and check
// the answer.
func TestDeflatePeerShakesHands(t *testing.T) {
	t.Parallel()
	offers := map[string]wsflate.Parameters{
		"none":           {},
		"all":            {ServerNoContextTakeover: true, ClientNoContextTakeover: true, ServerMaxWindowBits: 12, ClientMaxWindowBits: 12},
		"a client's own": {ClientMaxWindowBits: 1}, // without a value
	}
	for name, offer := range offers {
		conn := &memoryConn{serve: func(in []byte) []byte {
			return answerAs(t, websocket.Config{Compression: websocket.Compression{Enabled: true}}, in, &protocol.Accept{})
		}}
		var d ws.Dialer
		d.Extensions = append(d.Extensions, offer.Option())
		_, hs, err := d.Upgrade(conn, mustURL(t, "ws://example.com/"))
		if err != nil || len(hs.Extensions) != 1 {
			t.Errorf("%s: the client says %+v, %v", name, hs, err)
			continue
		}
		var got wsflate.Parameters
		want := wsflate.Parameters{ServerNoContextTakeover: true, ClientNoContextTakeover: true, ServerMaxWindowBits: offer.ServerMaxWindowBits}
		if err := got.Parse(hs.Extensions[0]); err != nil || got != want {
			t.Errorf("%s: the client got %+v, %v; want %+v", name, got, err, want)
		}
	}
}
