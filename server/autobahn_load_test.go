package server_test

import (
	"bufio"
	"bytes"
	"compress/flate"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"testing"

	"github.com/gobwas/ws"

	"github.com/portico-go/portico/protocol/websocket"
	"github.com/portico-go/portico/server"
)

// Sections 9 and 10: large messages, whole, in fragments and in small writes; and an
// answer that comes in whatever pieces the network makes of it.
func TestAutobahn9_10_LargeMessages(t *testing.T) {
	const kib, mib = 1 << 10, 1 << 20
	var cases []autobahnCase
	add := func(section, i int, op ws.OpCode, n, fragment, chop int) {
		s := strings.Repeat("*", n)
		sent := frame(ws.NewFrame(op, true, []byte(s)))
		if fragment > 0 {
			sent = fragmented(op, s, fragment)
		}
		cases = append(cases, autobahnCase{fmt.Sprintf("9.%d.%d", section, i+1), sent, chop, []string{describe(op, []byte(s)), alive}})
	}
	for binary, op := range []ws.OpCode{ws.OpText, ws.OpBinary} {
		for i, n := range []int{64 * kib, 256 * kib, mib, 4 * mib, 8 * mib, 16 * mib} {
			add(1+binary, i, op, n, 0, 0)
		}
		for i, n := range []int{64, 256, kib, 4 * kib, 16 * kib, 64 * kib, 256 * kib, mib, 4 * mib} {
			add(3+binary, i, op, 4*mib, n, 0)
		}
		for i, n := range []int{64, 128, 256, 512, kib, 2 * kib} {
			add(5+binary, i, op, mib, 0, n)
		}
	}
	autobahn(t, normalClose, append(cases, autobahnCase{
		"10.1.1", fragmented(ws.OpText, strings.Repeat("*", 65536), 1300), 0,
		[]string{describe(ws.OpText, bytes.Repeat([]byte("*"), 65536)), alive},
	}))
}

// Sections 9.7 and 9.8: a thousand messages, each answered before the next is sent.
func TestAutobahn9_RoundTrips(t *testing.T) {
	t.Parallel()
	addr := start(t, echo, server.Config{})
	for section, op := range []ws.OpCode{ws.OpText, ws.OpBinary} {
		for i, n := range []int{0, 16, 64, 256, 1024, 4096} {
			t.Run(fmt.Sprintf("9.%d.%d", 7+section, i+1), func(t *testing.T) {
				conn, r, _ := shakeHands(t, addr)
				roundTrips(t, conn, r, op, 1000, bytes.Repeat([]byte("*"), n), false)
			})
		}
	}
}

// roundTrips sends a message again and again, compressed or not, and wants it back each
// time.
func roundTrips(t *testing.T, conn net.Conn, r *bufio.Reader, op ws.OpCode, times int, want []byte, compressed bool) {
	t.Helper()
	f := ws.NewFrame(op, true, bytes.Clone(want))
	if compressed {
		f = ws.NewFrame(op, true, deflated(t, want))
		f.Header.Rsv = ws.Rsv(true, false, false)
	}
	sent := frame(f)
	for i := range times {
		if _, err := io.WriteString(conn, sent); err != nil {
			t.Fatal(err)
		}
		h, err := ws.ReadHeader(r)
		if err != nil || h.OpCode != op || !h.Fin || h.Masked || h.Rsv1() && !compressed || h.Rsv2() || h.Rsv3() {
			t.Fatalf("message %d: got the header %+v, %v", i, h, err)
		}
		got := make([]byte, h.Length)
		if _, err := io.ReadFull(r, got); err != nil {
			t.Fatal(err)
		}
		if h.Rsv1() {
			got = inflated(t, got)
		}
		if !bytes.Equal(got, want) {
			t.Fatalf("message %d: got %d bytes, want %d", i, len(got), len(want))
		}
	}
}

// deflated is a compressed message of RFC 7692, section 7.2.1.
func deflated(t *testing.T, message []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := flate.NewWriter(&b, flate.BestSpeed)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(message); err != nil {
		t.Fatal(err)
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\x00\x00\xff\xff"))
}

// article is text that compresses as people's text does.
func article(n int) []byte {
	words := strings.Fields("the of and a to in κόσμος is you that it he was for on are as with his they I at be this have from ünïcödé")
	rnd := rand.New(rand.NewPCG(uint64(n), 12))
	var b bytes.Buffer
	for b.Len() < n {
		b.WriteString(words[rnd.IntN(len(words))])
		b.WriteByte(' ')
	}
	return b.Bytes()
}

// Sections 12 and 13: compressed messages of all sizes, for all offers of a client.
func TestAutobahn12_13_Compression(t *testing.T) {
	t.Parallel()
	addr := start(t, echo, server.Config{Compression: websocket.Compression{Enabled: true, MinSize: 1}})
	for section, c := range []struct{ offer, answer string }{
		{"permessage-deflate", ""},
		{"permessage-deflate; server_no_context_takeover", ""},
		{"permessage-deflate; server_max_window_bits=9", "server_max_window_bits=9"},
		{"permessage-deflate; server_max_window_bits=15", "server_max_window_bits=15"},
		{"permessage-deflate; server_no_context_takeover; server_max_window_bits=9", "server_max_window_bits=9"},
		{"permessage-deflate; server_no_context_takeover; server_max_window_bits=15", "server_max_window_bits=15"},
		{"permessage-deflate; server_no_context_takeover; server_max_window_bits=9, permessage-deflate; server_no_context_takeover, permessage-deflate", "server_max_window_bits=9"},
	} {
		for i, n := range []int{16, 64, 256, 1 << 10, 4 << 10, 8 << 10, 16 << 10, 32 << 10, 64 << 10, 128 << 10} {
			t.Run(fmt.Sprintf("13.%d.%d", section+1, i+1), func(t *testing.T) {
				conn, r, header := shakeHands(t, addr, "Sec-WebSocket-Extensions: "+c.offer+"\r\n")
				agreed := header.Get("Sec-WebSocket-Extensions")
				if !strings.HasPrefix(agreed, "permessage-deflate; server_no_context_takeover; client_no_context_takeover") || !strings.HasSuffix(agreed, c.answer) {
					t.Fatalf("agreed on %q", agreed)
				}
				for i, op := range []ws.OpCode{ws.OpText, ws.OpBinary, ws.OpText} { // one after the other: no context is kept
					roundTrips(t, conn, r, op, 5, article(n+i), true)
				}
				if _, err := io.WriteString(conn, normalClose); err != nil {
					t.Fatal(err)
				}
				if got := frames(t, r, true); len(got) != 1 || got[0] != alive {
					t.Errorf("in the end got %v", got)
				}
			})
		}
	}
}

// Section 12 with fragments: only the first frame of a message says that it is
// compressed, wherever the data was cut.
func TestAutobahn12_Fragments(t *testing.T) {
	t.Parallel()
	addr := start(t, echo, server.Config{Compression: websocket.Compression{Enabled: true, MinSize: 1}})
	whole := article(32 << 10)
	for _, n := range []int{1, 16, 255, 4 << 10, 32 << 10} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			conn, r, _ := shakeHands(t, addr, "Sec-WebSocket-Extensions: permessage-deflate\r\n")
			sent := []byte(fragmented(ws.OpText, string(deflated(t, whole)), n))
			sent[0] |= 0x40
			go func() { _ = chopped(conn, string(sent)+normalClose, 0) }()
			if got, want := frames(t, r, true), []string{describe(ws.OpText, whole), alive}; fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("got %v, want %v", got, want)
			}
		})
	}
}
