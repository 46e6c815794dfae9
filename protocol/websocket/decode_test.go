package websocket_test

import (
	"errors"
	"math"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"unsafe"

	"github.com/portico-go/portico/protocol"
	"github.com/portico-go/portico/protocol/websocket"
)

type decodeTest struct {
	name   string
	frames [][]byte
	want   []string
}

// small are the limits of the tables.
var small = protocol.Limits{Frame: 300, Message: 400}

var good = []decodeTest{
	{"one text frame, as RFC 6455, section 5.7 draws it", [][]byte{{0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58}}, []string{`text "Hello"`}},
	{"empty text and binary", [][]byte{masked(fin|opText, ""), masked(fin|opBinary, "")}, []string{`text ""`, `binary ""`}},
	{"V8_TextWithEmoji", [][]byte{masked(fin|opText, "what is here? 🌍")}, []string{`text "what is here? 🌍"`}},
	{"V9_BinaryThatIsNotUTF8", [][]byte{masked(fin|opBinary, "what is here? \xe2")}, []string{`binary "what is here? \xe2"`}},
	{"V11_UnderTheLimit", [][]byte{masked(fin|opText, strings.Repeat("x", 299))}, []string{`text "` + strings.Repeat("x", 299) + `"`}},
	{"at the limit of a frame", [][]byte{masked(fin|opBinary, strings.Repeat("x", 300))}, []string{`binary "` + strings.Repeat("x", 300) + `"`}},
	{"at the limit of a message", [][]byte{masked(opBinary, strings.Repeat("x", 300)), masked(fin|opContinue, strings.Repeat("x", 100))}, []string{`binary "` + strings.Repeat("x", 400) + `"`}},
	{"lengths at the borders of their forms", [][]byte{masked(fin|opText, strings.Repeat("a", 125)), masked(fin|opText, strings.Repeat("b", 126)), masked(fin|opText, strings.Repeat("c", 127))}, []string{`text "` + strings.Repeat("a", 125) + `"`, `text "` + strings.Repeat("b", 126) + `"`, `text "` + strings.Repeat("c", 127) + `"`}},
	{"fragments", [][]byte{masked(opText, "Hel"), masked(opContinue, "lo "), masked(fin|opContinue, "you")}, []string{`text "Hello you"`}},
	{"empty fragments", [][]byte{masked(opText, ""), masked(opContinue, ""), masked(opContinue, "x"), masked(fin|opContinue, "")}, []string{`text "x"`}},
	{"a message of empty fragments", [][]byte{masked(opBinary, ""), masked(fin|opContinue, "")}, []string{`binary ""`}},
	{"characters cut by fragments", [][]byte{masked(opText, "\xf0\x9f"), masked(opContinue, "\x8c"), masked(fin|opContinue, "\x8d\xc3\xa9")}, []string{`text "🌍é"`}},
	{"control frames between fragments", [][]byte{masked(opText, "\xf0"), masked(fin|opPing, "p"), masked(opContinue, "\x9f\x8c"), masked(fin|opPong, ""), masked(fin|opContinue, "\x8d")}, []string{`ping "p"`, `pong ""`, `text "🌍"`}},
	{"the longest ping", [][]byte{masked(fin|opPing, strings.Repeat("p", 125))}, []string{`ping "` + strings.Repeat("p", 125) + `"`}},
	{"a message behind a message of fragments", [][]byte{masked(opBinary, "a"), masked(fin|opContinue, "b"), masked(fin|opText, "c")}, []string{`binary "ab"`, `text "c"`}},
	{"a close without a code", [][]byte{masked(fin|opClose, "")}, []string{`close 1005 ""`}},
	{"a close with a reason", [][]byte{masked(fin|opClose, closePayload(1000, "bye ✓"))}, []string{`close 1000 "bye ✓"`}},
	{"a close with the longest reason", [][]byte{masked(fin|opClose, closePayload(4999, strings.Repeat("r", 123)))}, []string{`close 4999 "` + strings.Repeat("r", 123) + `"`}},
	{"a close between fragments", [][]byte{masked(opText, "never to be finished"), masked(fin|opClose, closePayload(1001, ""))}, []string{`close 1001 ""`}},
	{"nothing behind a close", [][]byte{masked(fin|opText, "a"), masked(fin|opClose, ""), masked(fin|opText, "b"), {0xff, 0xff}}, []string{`text "a"`, `close 1005 ""`}},
	{"a truncated frame is no event", [][]byte{masked(fin|opText, "a"), masked(fin|opText, "truncated")[:9]}, []string{`text "a"`}},
	{"a truncated header is no event", [][]byte{masked(fin|opText, "a"), maskedHeader(fin|opText, 299)[:3]}, []string{`text "a"`}},
}

var bad = []decodeTest{
	{"RSV1", [][]byte{masked(fin|0x40|opText, "a")}, []string{"error 1002"}},
	{"RSV2", [][]byte{masked(fin|0x20|opText, "a")}, []string{"error 1002"}},
	{"RSV3 of a control frame", [][]byte{masked(fin|0x10|opPing, "")}, []string{"error 1002"}},
	{"a reserved opcode of data", [][]byte{masked(fin|0x3, "a")}, []string{"error 1002"}},
	{"a reserved opcode of control", [][]byte{masked(fin|0xb, "")}, []string{"error 1002"}},
	{"no mask", [][]byte{masked(fin|opText, "a"), {fin | opText, 1, 'a'}}, []string{`text "a"`, "error 1002"}},
	{"no mask on a close", [][]byte{{fin | opClose, 0}}, []string{"error 1002"}},
	{"a ping of 126 bytes", [][]byte{masked(fin|opPing, strings.Repeat("p", 126))}, []string{"error 1002"}},
	{"a ping in fragments", [][]byte{masked(opPing, "p")}, []string{"error 1002"}},
	{"a continuation of nothing", [][]byte{masked(fin|opContinue, "a")}, []string{"error 1002"}},
	{"a continuation behind a finished message", [][]byte{masked(opText, "a"), masked(fin|opContinue, "b"), masked(fin|opContinue, "c")}, []string{`text "ab"`, "error 1002"}},
	{"a message within a message", [][]byte{masked(opText, "a"), masked(fin|opText, "b")}, []string{"error 1002"}},
	{"a length of 2^62", [][]byte{maskedHeader(fin|opBinary, 1<<62)}, []string{"error 1009"}},
	{"a length of 2^62 in a continuation", [][]byte{masked(opBinary, "a"), maskedHeader(fin|opContinue, 1<<62)}, []string{"error 1009"}},
	{"a length of 2^63", [][]byte{maskedHeader(fin|opBinary, 1<<63)}, []string{"error 1002"}},
	{"a length of 2^64-1", [][]byte{maskedHeader(fin|opBinary, math.MaxUint64)}, []string{"error 1002"}},
	{"a ping of 2^63 bytes", [][]byte{maskedHeader(fin|opPing, 1<<63)}, []string{"error 1002"}},
	{"a length of 125 in 16 bits", [][]byte{{fin | opBinary, 0x80 | 126, 0, 125, 0, 0, 0, 0}}, []string{"error 1002"}},
	{"a length of 65535 in 64 bits", [][]byte{{fin | opBinary, 0x80 | 127, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 0, 0}}, []string{"error 1002"}},
	{"V10_FrameOverTheLimit", [][]byte{maskedHeader(fin|opText, 301)}, []string{"error 1009"}},
	{"V10_MessageOverTheLimit", [][]byte{masked(opText, strings.Repeat("x", 300)), maskedHeader(opContinue, 101)}, []string{"error 1009"}},
	{"text that is not UTF-8", [][]byte{masked(fin|opText, "a\xff")}, []string{"error 1007"}},
	{"text that ends within a character", [][]byte{masked(fin|opText, "a\xe2\x82")}, []string{"error 1007"}},
	{"fragments that end within a character", [][]byte{masked(opText, "a\xe2"), masked(fin|opContinue, "\x82")}, []string{"error 1007"}},
	{"fragments with bad UTF-8 across them", [][]byte{masked(opText, "a\xe2"), masked(opContinue, "b"), masked(fin|opContinue, "c")}, []string{"error 1007"}},
	{"a surrogate", [][]byte{masked(fin|opText, "\xed\xa0\x80")}, []string{"error 1007"}},
	{"an overlong character", [][]byte{masked(fin|opText, "\xc0\xaf")}, []string{"error 1007"}},
	{"a character beyond Unicode", [][]byte{masked(fin|opText, "\xf4\x90\x80\x80")}, []string{"error 1007"}},
	{"half a close code", [][]byte{masked(fin|opClose, "\x03")}, []string{"error 1002"}},
	{"a reason that is not UTF-8", [][]byte{masked(fin|opClose, closePayload(1000, "\xff"))}, []string{"error 1007"}},
	{"a close of 126 bytes", [][]byte{masked(fin|opClose, closePayload(1000, strings.Repeat("r", 124)))}, []string{"error 1002"}},
	{"nothing behind an error", [][]byte{masked(fin|opText, "\xff"), masked(fin|opText, "b")}, []string{"error 1007"}},
}

func TestDecode(t *testing.T) {
	t.Parallel()
	for _, test := range slices.Concat(good, bad) {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			data := slices.Concat(test.frames...)
			check := func(how string, chunks ...[]byte) {
				t.Helper()
				if got := decode(t, open(t, small), chunks...); !reflect.DeepEqual(got, test.want) {
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

func TestDecodeCloseCodes(t *testing.T) {
	t.Parallel()
	legal := func(code int) bool {
		return code >= 1000 && code <= 1003 || code >= 1007 && code <= 1014 || code >= 3000 && code <= 4999
	}
	for code := range 1 << 16 {
		got := decode(t, open(t, small), masked(fin|opClose, closePayload(code, "")))
		want := "error 1002"
		if legal(code) {
			want = describe(&protocol.Close{Code: protocol.CloseCode(code)})
		}
		if len(got) != 1 || got[0] != want {
			t.Errorf("close code %d: got %q, want %q", code, got, want)
		}
	}
}

// A text is refused at its first bad byte, not when all of it is there.
func TestDecodeFailsFast(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ arrived []byte }{
		"within a frame":        {append(maskedHeader(fin|opText, 200), maskBytes("a\xff")...)},
		"within a character":    {append(maskedHeader(fin|opText, 200), maskBytes("a\xed\xa0")...)},
		"in the first fragment": {masked(opText, "a\xffb")},
		"in a later fragment":   {slices.Concat(masked(opText, "\xe2\x82"), maskedHeader(fin|opContinue, 200), maskBytes("x"))},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := decode(t, open(t, small), test.arrived); !reflect.DeepEqual(got, []string{"error 1007"}) {
				t.Errorf("got %q, want error 1007", got)
			}
		})
	}
}

// All lengths and phases of the mask, against masking byte by byte.
func TestDecodeUnmasks(t *testing.T) {
	t.Parallel()
	payload := make([]byte, 200)
	for i := range payload {
		payload[i] = byte(i)
	}
	for length := range payload {
		want := []string{describe(&protocol.Message{Binary: true, Data: payload[:length]})}
		frame := masked(fin|opBinary, string(payload[:length]))
		for cut := range frame {
			if got := decode(t, open(t, small), frame[:cut], frame[cut:]); !reflect.DeepEqual(got, want) {
				t.Fatalf("%d bytes, cut at %d: got %q, want %q", length, cut, got, want)
			}
		}
	}
}

func TestDecodeAliasesAWholeFrame(t *testing.T) {
	t.Parallel()
	in := masked(fin|opText, "Hello")
	_, err := open(t, small).Decode(in, func(ev protocol.Event) error {
		m, ok := ev.(*protocol.Message)
		if !ok || unsafe.SliceData(m.Data) != &in[6] {
			t.Errorf("%s was copied", describe(ev))
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// What comes behind the end is consumed, so that nobody has to keep it.
func TestDecodeEnds(t *testing.T) {
	t.Parallel()
	for _, end := range [][]byte{masked(fin|opClose, ""), masked(fin|opContinue, "\xff"), {fin | opPing, 0}} {
		c := open(t, small)
		decode(t, c, masked(opText, "half a message"), end)
		n, err := c.Decode(masked(fin|opText, "a")[:3], func(ev protocol.Event) error {
			t.Errorf("there is %s", describe(ev))
			return nil
		})
		if n != 3 || err != nil {
			t.Errorf("Decode = %d, %v; want 3", n, err)
		}
	}
}

// The error of emit stops the decoding at once, and does not end it.
func TestDecodeErrorOfEmit(t *testing.T) {
	t.Parallel()
	stop := errors.New("stop")
	first, second := masked(opText, "a"), masked(fin|opContinue, "b")
	third := masked(fin|opPing, "c")
	in := slices.Concat(first, second, third)
	c := open(t, small)
	n, err := c.Decode(in, func(protocol.Event) error { return stop })
	if n != len(in)-len(third) || !errors.Is(err, stop) {
		t.Errorf("Decode = %d, %v; want %d, %v", n, err, len(in)-len(third), stop)
	}
	if got := decode(t, c, in[n:]); !reflect.DeepEqual(got, []string{`ping "c"`}) {
		t.Errorf("afterwards got %q", got)
	}
}

// A header that promises much costs nothing until it is kept. Not parallel: it
// counts what the whole process allocates.
func TestDecodeAllocatesWhatArrives(t *testing.T) {
	const conns = 100
	var before, after runtime.MemStats
	codecs := make([]*websocket.Codec, conns)
	for i := range codecs {
		codecs[i] = open(t, protocol.Limits{Frame: 1 << 30, Message: 1 << 30})
	}
	runtime.ReadMemStats(&before)
	for _, c := range codecs {
		decode(t, c, maskedHeader(fin|opBinary, 1<<30), []byte("just a few bytes"))
	}
	runtime.ReadMemStats(&after)
	if perConn := (after.TotalAlloc - before.TotalAlloc) / conns; perConn > 16<<10 {
		t.Errorf("%d bytes per connection were allocated for a promise", perConn)
	}
}

// Decode and Append may run at the same time; the race detector looks on.
func TestDecodeAndAppendAtOnce(t *testing.T) {
	t.Parallel()
	c := newCodec(t, small)
	var wg sync.WaitGroup
	wg.Go(func() {
		for _, ev := range slices.Concat([]protocol.Event{&protocol.Accept{}}, slices.Repeat([]protocol.Event{&protocol.Message{Data: []byte("x")}}, 100)) {
			if _, err := c.Append(nil, ev); err != nil {
				t.Error(err)
			}
		}
	})
	for range 100 {
		decode(t, c, bytewise(slices.Concat(masked(opText, "a"), masked(fin|opContinue, "b"), masked(fin|opText, "c")))...)
	}
	wg.Wait()
}

func TestIdleCodecIsSmall(t *testing.T) {
	t.Parallel()
	if size := unsafe.Sizeof(websocket.Codec{}); size > 32 {
		t.Errorf("a Codec has %d bytes, want at most 32", size)
	}
}
