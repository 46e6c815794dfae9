package websocket_test

import (
	"bytes"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/portico-go/portico/protocol"
	"github.com/portico-go/portico/protocol/websocket"
)

// Whatever comes, in whatever pieces, gives the same events, within the limits,
// and each of them is one that can be sent back.
func FuzzDecode(f *testing.F) {
	for _, test := range slices.Concat(good, bad) {
		f.Add(slices.Concat(test.frames...), uint(7))
	}
	f.Fuzz(func(t *testing.T, data []byte, cut uint) {
		size := int(cut%uint(len(data)+1)) + 1
		want := decode(t, open(t, small), data)
		for how, chunks := range map[string][][]byte{
			"byte by byte": bytewise(data),
			"in chunks":    slices.Collect(slices.Chunk(data, size)),
			"cut in two":   {data[:size-1], data[size-1:]},
		} {
			if got := decode(t, open(t, small), chunks...); !reflect.DeepEqual(got, want) {
				t.Fatalf("%s:\n got %q\nwant %q", how, got, want)
			}
		}
		checkEcho(t, bytes.Clone(data))
	})
}

func checkEcho(t *testing.T, data []byte) {
	t.Helper()
	c := open(t, small)
	_, err := c.Decode(data, func(ev protocol.Event) error {
		if m, ok := ev.(*protocol.Message); ok && (len(m.Data) > small.Message || !m.Binary && !utf8.Valid(m.Data)) {
			t.Fatalf("a message beyond the limits, or not UTF-8: %s", describe(ev))
		}
		if _, err := c.Append(nil, ev); err != nil {
			t.Fatalf("%s cannot be sent back: %v", describe(ev), err)
		}
		return nil
	})
	if e, ok := errors.AsType[*protocol.CloseError](err); err != nil && (!ok || !e.Code.Sendable()) {
		t.Fatalf("the error %v cannot be told to the peer", err)
	}
}

// A text is accepted exactly if utf8.Valid says so of all its fragments together.
func FuzzText(f *testing.F) {
	f.Add([]byte("κόσμε 🌍"), uint16(1), uint16(3))
	f.Add([]byte("\xed\xa0\x80edited"), uint16(1), uint16(2))
	f.Add([]byte("\xf4\x90\x80\x80"), uint16(1), uint16(2))
	f.Add([]byte("\xe2\x82"), uint16(0), uint16(1))
	f.Fuzz(func(t *testing.T, data []byte, i, j uint16) {
		if len(data) > small.Frame {
			return
		}
		text := string(data)
		a := int(i) % (len(text) + 1)
		b := a + int(j)%(len(text)-a+1)
		wire := slices.Concat(masked(opText, text[:a]), masked(opContinue, text[a:b]), masked(fin|opContinue, text[b:]))
		want := []string{"error 1007"}
		if utf8.Valid(data) {
			want = []string{describe(&protocol.Message{Data: data})}
		}
		for _, chunks := range [][][]byte{{wire}, bytewise(wire), {masked(fin|opText, text)}} {
			if got := decode(t, open(t, small), chunks...); !reflect.DeepEqual(got, want) {
				t.Fatalf("got %q, want %q", got, want)
			}
		}
	})
}

// Whatever headers come, Upgrade refuses them or makes a connection that can be
// accepted with each subprotocol it says was offered.
func FuzzUpgrade(f *testing.F) {
	f.Add("Host: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: " + key + "\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: a, b\r\n")
	f.Add("Host: a\nupgrade:WebSocket,h2c\nCONNECTION: keep-alive, upgrade\nSec-WebSocket-Key:" + key + "\nSec-WebSocket-Version:13\nContent-Length: 0\n")
	f.Add("Host: a\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 8\r\n")
	f.Fuzz(func(t *testing.T, block string) {
		headers, err := protocol.ParseHeaders(block)
		if err != nil {
			return
		}
		ask := protocol.Request{Version: "1.1", Method: "GET", Scheme: "http", Headers: headers}
		req := new(ask)
		c, err := websocket.NewUpgrader(websocket.Config{}).Upgrade(req)
		if err != nil {
			if r, ok := errors.AsType[*protocol.Reject](err); !ok || r.Status < 400 || r.Status > 499 || c != nil {
				t.Fatalf("Upgrade = %v, %v", c, err)
			}
			return
		}
		if !websocket.IsUpgrade(headers) {
			t.Fatal("accepted what is no upgrade")
		}
		for _, chosen := range append(slices.Clone(req.Subprotocols), "") {
			c, err := websocket.NewUpgrader(websocket.Config{}).Upgrade(new(ask)) // which an Upgrade changes
			if err != nil {
				t.Fatal(err)
			}
			out, err := c.Append(nil, &protocol.Accept{Subprotocol: chosen})
			if status, _ := response(t, out); err != nil || strings.Count(string(out), "\r\n\r\n") != 1 || status != 101 {
				t.Fatalf("accepting %q: %q, %v", chosen, out, err)
			}
		}
	})
}
