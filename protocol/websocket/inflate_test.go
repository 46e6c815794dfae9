package websocket_test

import (
	"bytes"
	"compress/flate"
	"errors"
	"io"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/portico-go/portico/protocol"
	"github.com/portico-go/portico/protocol/websocket"
)

const rsv1 = 0x40

// compressing returns a codec whose handshake was accepted with compression.
func compressing(tb testing.TB, limits protocol.Limits, c websocket.Compression, offer string) *websocket.Codec {
	tb.Helper()
	c.Enabled = true
	u := websocket.NewUpgrader(websocket.Config{Limits: limits, Compression: c})
	codec, err := u.Upgrade(request(tb, "Sec-WebSocket-Extensions: "+offer))
	if err != nil {
		tb.Fatal(err)
	}
	out, err := codec.Append(nil, &protocol.Accept{})
	if err != nil || !bytes.Contains(out, []byte("\r\nSec-WebSocket-Extensions: permessage-deflate;")) {
		tb.Fatalf("the handshake was answered with %q, %v", out, err)
	}
	return codec
}

func inflating(tb testing.TB, limits protocol.Limits) *websocket.Codec {
	tb.Helper()
	return compressing(tb, limits, websocket.Compression{}, "permessage-deflate")
}

// deflated is the payload that the standard library makes of a message.
func deflated(tb testing.TB, message string) string {
	tb.Helper()
	var b bytes.Buffer
	w, err := flate.NewWriter(&b, flate.BestSpeed)
	if err != nil {
		tb.Fatal(err)
	}
	if _, err := io.WriteString(w, message); err != nil {
		tb.Fatal(err)
	}
	if err := w.Flush(); err != nil {
		tb.Fatal(err)
	}
	return strings.TrimSuffix(b.String(), "\x00\x00\xff\xff")
}

// inGood and inBad are what a connection with compression decodes; see good. The
// first are the examples of RFC 7692, section 7.2.3.
var inGood = []decodeTest{
	{"one block", [][]byte{masked(fin|rsv1|opText, "\xf2\x48\xcd\xc9\xc9\x07\x00")}, []string{`text "Hello"`}},
	{"fragments", [][]byte{masked(rsv1|opText, "\xf2\x48\xcd"), masked(fin|opContinue, "\xc9\xc9\x07\x00")}, []string{`text "Hello"`}},
	{"a block without compression", [][]byte{masked(fin|rsv1|opText, "\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00")}, []string{`text "Hello"`}},
	{"a final block", [][]byte{masked(fin|rsv1|opText, "\xf3\x48\xcd\xc9\xc9\x07\x00\x00")}, []string{`text "Hello"`}},
	{"two blocks", [][]byte{masked(fin|rsv1|opText, "\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00")}, []string{`text "Hello"`}},
	{"empty", [][]byte{masked(fin|rsv1|opText, "\x00")}, []string{`text ""`}},

	{"a final block without the byte behind it", [][]byte{masked(fin|rsv1|opText, "\xf3\x48\xcd\xc9\xc9\x07\x00")}, []string{`text "Hello"`}},
	{"an empty final block", [][]byte{masked(fin|rsv1|opBinary, "\x03\x00\x00")}, []string{`binary ""`}},
	{"binary that is not UTF-8", [][]byte{masked(fin|rsv1|opBinary, "\x00\x02\x00\xfd\xff\xe2\x00\x00")}, []string{`binary "\xe2\x00"`}},
	{"characters cut by blocks and fragments", [][]byte{masked(rsv1|opText, "\x00\x02\x00\xfd\xff\xf0\x9f"), masked(fin|opContinue, "\x00\x02\x00\xfd\xff\x8c\x8d\x00")}, []string{`text "🌍"`}},
	{"empty fragments", [][]byte{masked(rsv1|opText, ""), masked(opContinue, "\xf2\x48\xcd\xc9"), masked(opContinue, ""), masked(opContinue, "\xc9\x07\x00"), masked(fin|opContinue, "")}, []string{`text "Hello"`}},
	{"control frames between fragments", [][]byte{masked(rsv1|opText, "\xf2\x48"), masked(fin|opPing, "p"), masked(opContinue, "\xcd\xc9\xc9"), masked(fin|opPong, "q"), masked(fin|opContinue, "\x07\x00")}, []string{`ping "p"`, `pong "q"`, `text "Hello"`}},
	{"a close between fragments", [][]byte{masked(rsv1|opText, "\xf2\x48"), masked(fin|opClose, "")}, []string{`close 1005 ""`}},
	{"messages with and without compression", [][]byte{masked(fin|opText, "a"), masked(fin|rsv1|opText, "\xf2\x48\xcd\xc9\xc9\x07\x00"), masked(opText, "b"), masked(fin|opContinue, "c"), masked(fin|rsv1|opText, "\x00")}, []string{`text "a"`, `text "Hello"`, `text "bc"`, `text ""`}},
	{"a truncated frame is no event", [][]byte{masked(fin|rsv1|opText, "\xf2\x48\xcd\xc9\xc9\x07\x00")[:9]}, nil},
}

var inBad = []decodeTest{
	{"RSV1 of a continuation", [][]byte{masked(rsv1|opText, "\xf2\x48\xcd"), masked(fin|rsv1|opContinue, "\xc9\xc9\x07\x00")}, []string{"error 1002"}},
	{"RSV1 of a continuation only", [][]byte{masked(opText, "a"), masked(fin|rsv1|opContinue, "b")}, []string{"error 1002"}},
	{"RSV1 of a ping", [][]byte{masked(fin|rsv1|opPing, "")}, []string{"error 1002"}},
	{"RSV1 of a pong", [][]byte{masked(fin|rsv1|opPong, "")}, []string{"error 1002"}},
	{"RSV1 of a close", [][]byte{masked(fin|rsv1|opClose, "")}, []string{"error 1002"}},
	{"RSV1 of a reserved opcode", [][]byte{masked(fin|rsv1|0x3, "")}, []string{"error 1002"}},
	{"RSV2", [][]byte{masked(fin|0x20|opText, "a")}, []string{"error 1002"}},
	{"RSV1 and RSV3", [][]byte{masked(fin|rsv1|0x10|opText, "\x00")}, []string{"error 1002"}},
	{"a compressed message within a message", [][]byte{masked(rsv1|opText, "\xf2"), masked(fin|rsv1|opText, "\x00")}, []string{"error 1002"}},

	{"no byte at all", [][]byte{masked(fin|rsv1|opText, "")}, []string{"error 1007"}},
	{"a reserved type of block", [][]byte{masked(fin|rsv1|opText, "\x07\x00")}, []string{"error 1007"}},
	{"truncated data", [][]byte{masked(fin|rsv1|opText, "\xf2\x48\xcd\xc9")}, []string{"error 1007"}},
	{"a truncated block without compression", [][]byte{masked(fin|rsv1|opText, "\x00\x40\x00\xbf\xffabc")}, []string{"error 1007"}},
	{"a length that does not match", [][]byte{masked(fin|rsv1|opText, "\x00\x01\x00\x01\x00a\x00")}, []string{"error 1007"}},
	{"the window of the message before", [][]byte{masked(fin|rsv1|opText, "\xf2\x48\xcd\xc9\xc9\x07\x00"), masked(fin|rsv1|opText, "\xf2\x00\x11\x00\x00")}, []string{`text "Hello"`, "error 1007"}},
	{"something behind a final block", [][]byte{masked(fin|rsv1|opText, "\xf3\x48\xcd\xc9\xc9\x07\x00\xf2\x48\xcd\xc9\xc9\x07\x00")}, []string{"error 1007"}},
	{"another byte behind a final block", [][]byte{masked(fin|rsv1|opText, "\xf3\x48\xcd\xc9\xc9\x07\x00\x01")}, []string{"error 1007"}},
	{"text that is not UTF-8", [][]byte{masked(fin|rsv1|opText, "\x00\x01\x00\xfe\xff\xff\x00")}, []string{"error 1007"}},
	{"text that ends within a character", [][]byte{masked(fin|rsv1|opText, "\x00\x02\x00\xfd\xff\xf0\x9f\x00")}, []string{"error 1007"}},
	{"a frame over the limit", [][]byte{maskedHeader(fin|rsv1|opText, 301)}, []string{"error 1009"}},
	{"more than the limit of a message to inflate", [][]byte{masked(rsv1|opText, strings.Repeat("x", 300)), maskedHeader(opContinue, 101)}, []string{"error 1009"}},
	{"nothing behind an error", [][]byte{masked(fin|rsv1|opText, "\x07"), masked(fin|opText, "b")}, []string{"error 1007"}},
}

func TestInflate(t *testing.T) {
	t.Parallel()
	limit := strings.Repeat("x", small.Message)
	tests := slices.Concat(inGood, inBad, good, []decodeTest{
		{"as long as may be", [][]byte{masked(fin|rsv1|opBinary, deflated(t, limit))}, []string{describe(&protocol.Message{Binary: true, Data: []byte(limit)})}},
		{"a byte more than may be", [][]byte{masked(fin|rsv1|opBinary, deflated(t, limit+"x"))}, []string{"error 1009"}},
	})
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			data := slices.Concat(test.frames...)
			check := func(how string, chunks ...[]byte) {
				t.Helper()
				if got := decode(t, inflating(t, small), chunks...); !reflect.DeepEqual(got, test.want) {
					t.Errorf("%s:\n got %q\nwant %q", how, got, test.want)
				}
			}
			check("in one piece", data)
			check("frame by frame", test.frames...)
			check("byte by byte", bytewise(data)...)
			for i := range data {
				check("cut in two", data[:i], data[i:])
			}
		})
	}
}

// A connection whose client did not offer compression has no use for RSV1.
func TestInflateWasNotNegotiated(t *testing.T) {
	t.Parallel()
	u := websocket.NewUpgrader(websocket.Config{Compression: websocket.Compression{Enabled: true}})
	for _, edit := range []string{"-Sec-WebSocket-Extensions", "Sec-WebSocket-Extensions: permessage-deflate; x"} {
		c, err := u.Upgrade(request(t, edit))
		if err != nil {
			t.Fatal(err)
		}
		if got := decode(t, c, masked(fin|rsv1|opText, "\x00")); !reflect.DeepEqual(got, []string{"error 1002"}) {
			t.Errorf("%s: got %q", edit, got)
		}
	}
}

// What inflates to too much is noticed when the bound is reached. Not parallel: it
// counts what the whole process allocates.
func TestInflateBombs(t *testing.T) {
	const kib, mib = 1 << 10, 1 << 20
	tests := []struct {
		name    string
		size    int // of zeros, which deflate to about a thousandth
		message int // the limit
		ratio   int
		ok      bool
	}{
		{"less than 64 KiB, whatever the ratio", 64 * kib, mib, 0, true},
		{"beyond 64 KiB and the ratio", 64*kib + 1, mib, 0, false},
		{"beyond the ratio by far", 8 * mib, 1000 * mib, 0, false},
		{"beyond the limit by far, and not the ratio", 8 * mib, mib, 2000, false},
		{"within a ratio of its own", mib, mib, 2000, true},
		{"less than 64 KiB, and beyond the limit", 10 * kib, 9 * kib, 0, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			payload := deflated(t, string(make([]byte, test.size)))
			limits := protocol.Limits{Frame: 1000 * mib, Message: test.message}
			c := compressing(t, limits, websocket.Compression{MaxRatio: test.ratio}, "permessage-deflate")
			frame := masked(fin|rsv1|opBinary, payload)
			var got []int
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, err := c.Decode(frame, func(ev protocol.Event) error {
				m, _ := ev.(*protocol.Message)
				got = append(got, len(m.Data))
				return nil
			})
			runtime.ReadMemStats(&after)
			if test.ok {
				if err != nil || !slices.Equal(got, []int{test.size}) {
					t.Errorf("got messages of %d bytes, %v", got, err)
				}
				return
			}
			if e, ok := errors.AsType[*protocol.CloseError](err); !ok || e.Code != protocol.CloseMessageTooBig || len(got) > 0 {
				t.Errorf("got messages of %d bytes, %v; want a 1009", got, err)
			}
			bound := uint64(min(test.message, max(64*kib, 100*len(payload))))
			if test.ratio > 0 {
				bound = uint64(test.message)
			}
			if allocated := after.TotalAlloc - before.TotalAlloc; allocated > 4*bound+256*kib {
				t.Errorf("%d bytes were allocated for a bound of %d", allocated, bound)
			}
		})
	}
}

// Many empty blocks are many bytes, which count too.
func TestInflateOfNothingIsBounded(t *testing.T) {
	t.Parallel()
	block := "\x00\x00\x00\xff\xff"
	fragment := masked(opContinue, strings.Repeat(block, 50))
	frames := slices.Concat(masked(rsv1|opText, block), slices.Concat(slices.Repeat([][]byte{fragment}, 10)...))
	if got := decode(t, inflating(t, small), frames); !reflect.DeepEqual(got, []string{"error 1009"}) {
		t.Errorf("got %q", got)
	}
}

// reference says what a compressed message is, with the standard library.
func reference(t *testing.T, binary bool, payload []byte) string {
	t.Helper()
	const tail = "\x00\x00\xff\xff\x01\x00\x00\xff\xff"
	in := bytes.NewReader(append(slices.Clip(payload), tail...))
	out, err := io.ReadAll(io.LimitReader(flate.NewReader(in), int64(small.Message)+1))
	rest, _ := io.ReadAll(in)
	switch {
	case len(out) > small.Message:
		return "error 1009"
	case err != nil, !binary && !utf8.Valid(out):
		return "error 1007"
	case len(rest) > 0 && string(rest) != tail && string(rest) != "\x00"+tail:
		return "error 1007"
	}
	return describe(&protocol.Message{Binary: binary, Data: out})
}

// Whatever a compressed message holds, in whatever pieces, it is what the standard
// library says that it is.
func FuzzInflate(f *testing.F) {
	for _, payload := range []string{
		"\xf2\x48\xcd\xc9\xc9\x07\x00", "\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00", "\xf3\x48\xcd\xc9\xc9\x07\x00\x00",
		"\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00", "\xf2\x00\x11\x00\x00", "\x00\x40\x00\xbf\xffabc", "\x03\x00\x00", "\x07",
	} {
		f.Add([]byte(payload), true, uint(3))
	}
	for _, text := range []string{"", "Hello", strings.Repeat("Hello, 🌍! ", 20), strings.Repeat("x", 400), strings.Repeat("x", 401)} {
		f.Add([]byte(deflated(f, text)), false, uint(5))
	}
	f.Fuzz(func(t *testing.T, payload []byte, binary bool, cut uint) {
		if len(payload) > small.Frame {
			return
		}
		op := byte(rsv1 | opText)
		if binary {
			op = rsv1 | opBinary
		}
		at := int(cut % uint(len(payload)+1))
		want := []string{reference(t, binary, payload)}
		fragments := slices.Concat(masked(op, string(payload[:at])), masked(fin|opContinue, string(payload[at:])))
		for how, chunks := range map[string][][]byte{
			"one frame":               {masked(fin|op, string(payload))},
			"byte by byte":            bytewise(masked(fin|op, string(payload))),
			"fragments":               {fragments},
			"fragments, in chunks":    slices.Collect(slices.Chunk(fragments, at+1)),
			"fragments, byte by byte": bytewise(fragments),
		} {
			if got := decode(t, inflating(t, small), chunks...); !reflect.DeepEqual(got, want) {
				t.Fatalf("%s:\n got %q\nwant %q", how, got, want)
			}
		}
	})
}
