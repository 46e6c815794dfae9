package server_test

import (
	"bufio"
	"bytes"
	"compress/flate"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"github.com/portico-go/portico/server"
)

// The cases of these tables have the numbers of the Autobahn test suite, whose peer is
// an echo server. Each is tried over a connection of its own, from the handshake to the
// end of the stream, and what comes back is compared frame by frame.

// An autobahnCase is what a client sends, and all frames that it gets.
type autobahnCase struct {
	id   string
	send string
	chop int // how many bytes go out at a time; 0 is all
	want []string
}

// alive is the end of a connection that nothing was wrong with: the answer to
// normalClose.
const alive = "close 1000"

var normalClose = closing(1000)

// autobahn tries cases against an echo server. end is sent behind those that are to find
// the server alive.
func autobahn(t *testing.T, end string, cases []autobahnCase) {
	t.Helper()
	t.Parallel()
	addr := start(t, echo, server.Config{Limits: server.Limits{Frame: 32 << 20, Message: 32 << 20, Queue: 64 << 20}})
	for _, c := range cases {
		t.Run(c.id, func(t *testing.T) {
			conn, r, _ := shakeHands(t, addr)
			sent := c.send
			if slices.Contains(c.want, alive) {
				sent += end
			}
			go func() {
				_ = chopped(conn, sent, c.chop) // a server that has found the fault need not read on
			}()
			if got := frames(t, r, false); !slices.Equal(got, c.want) {
				t.Errorf("got %s\nwant %s", strings.Join(got, ", "), strings.Join(c.want, ", "))
			}
		})
	}
}

// shakeHands opens a WebSocket over a socket of its own.
func shakeHands(t *testing.T, addr string, extra ...string) (net.Conn, *bufio.Reader, http.Header) {
	t.Helper()
	conn := dial(t, addr)
	if err := conn.SetDeadline(time.Now().Add(3 * patience)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, upgradeRequest("/", extra...)); err != nil {
		t.Fatal(err)
	}
	r := bufio.NewReader(conn)
	res, err := http.ReadResponse(r, nil)
	if err != nil || res.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("the handshake is answered with %+v, %v", res, err)
	}
	_ = res.Body.Close()
	return conn, r, res.Header
}

// chopped writes n bytes at a time.
func chopped(w io.Writer, s string, n int) error {
	if n == 0 {
		n = max(len(s), 1)
	}
	for b := []byte(s); len(b) > 0; {
		part := b[:min(n, len(b))]
		b = b[len(part):]
		if _, err := w.Write(part); err != nil {
			return err
		}
	}
	return nil
}

// frames reads frames up to the end of the stream, and describes them.
func frames(t *testing.T, r io.Reader, inflate bool) (all []string) {
	t.Helper()
	for {
		h, err := ws.ReadHeader(r)
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatalf("after %v: %v", all, err)
		}
		if h.Masked || !h.Fin || h.Rsv&^0b100 != 0 {
			t.Fatalf("the server sent %+v", h)
		}
		payload := make([]byte, h.Length)
		if _, err := io.ReadFull(r, payload); err != nil {
			t.Fatalf("after %v: %v", all, err)
		}
		if h.Rsv1() {
			if !inflate {
				t.Fatalf("the server sent %+v", h)
			}
			payload = inflated(t, payload)
		}
		all = append(all, describe(h.OpCode, payload))
	}
}

// describe says what a frame is; long ones by their length and checksum.
func describe(op ws.OpCode, payload []byte) string {
	name := map[ws.OpCode]string{ws.OpText: "text", ws.OpBinary: "binary", ws.OpPing: "ping", ws.OpPong: "pong"}[op]
	switch {
	case op == ws.OpClose && len(payload) == 0:
		return "close"
	case op == ws.OpClose:
		return fmt.Sprintf("close %d", ws.StatusCode(payload[0])<<8|ws.StatusCode(payload[1]))
	case len(payload) > 130:
		return fmt.Sprintf("%s of %d bytes, %08x", name, len(payload), crc32.ChecksumIEEE(payload))
	}
	return fmt.Sprintf("%s %q", name, payload)
}

func inflated(t *testing.T, payload []byte) []byte {
	t.Helper()
	tail := "\x00\x00\xff\xff\x01\x00\x00\xff\xff" // RFC 7692, section 7.2.2, and an end
	data, err := io.ReadAll(flate.NewReader(io.MultiReader(bytes.NewReader(payload), strings.NewReader(tail))))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// raw is a frame with any bits in its first byte.
func raw(first byte, payload string) string {
	f := []byte(frame(ws.NewFrame(ws.OpText, true, []byte(payload))))
	f[0] = first
	return string(f)
}

// fragmented is a message in frames of n bytes.
func fragmented(op ws.OpCode, payload string, n int) string {
	var b strings.Builder
	for len(payload) > n {
		b.WriteString(frame(ws.NewFrame(op, false, []byte(payload[:n]))))
		op, payload = ws.OpContinuation, payload[n:]
	}
	b.WriteString(frame(ws.NewFrame(op, true, []byte(payload))))
	return b.String()
}

func ping(payload string) string { return frame(ws.NewPingFrame([]byte(payload))) }
func pong(payload string) string { return frame(ws.NewPongFrame([]byte(payload))) }
func blob(payload string) string { return frame(ws.NewBinaryFrame([]byte(payload))) }

func TestAutobahn1_Framing(t *testing.T) {
	var cases []autobahnCase
	for i, n := range []int{0, 125, 126, 127, 128, 65535, 65536, 65536} {
		chop := 0
		if i == 7 {
			chop = 997
		}
		s := strings.Repeat("*", n)
		cases = append(cases,
			autobahnCase{fmt.Sprintf("1.1.%d", i+1), text(s), chop, []string{describe(ws.OpText, []byte(s)), alive}})
		s = strings.Repeat("\xfe", n)
		cases = append(cases,
			autobahnCase{fmt.Sprintf("1.2.%d", i+1), blob(s), chop, []string{describe(ws.OpBinary, []byte(s)), alive}})
	}
	autobahn(t, normalClose, cases)
}

func TestAutobahn2_PingsAndPongs(t *testing.T) {
	long := strings.Repeat("\xfe", 125)
	var ten string
	var answers []string
	for i := range 10 {
		ten += ping(fmt.Sprint("payload-", i))
		answers = append(answers, fmt.Sprintf("pong %q", fmt.Sprint("payload-", i)))
	}
	answers = append(answers, alive)
	autobahn(t, normalClose, []autobahnCase{
		{"2.1", ping(""), 0, []string{`pong ""`, alive}},
		{"2.2", ping("Hello, world!"), 0, []string{`pong "Hello, world!"`, alive}},
		{"2.3", ping("\x00\xff\xfe\xfd\xfc\xfb\x00\xff"), 0, []string{describe(ws.OpPong, []byte("\x00\xff\xfe\xfd\xfc\xfb\x00\xff")), alive}},
		{"2.4", ping(long), 0, []string{describe(ws.OpPong, []byte(long)), alive}},
		{"2.5", raw(0x89, long+"\xfe"), 0, []string{"close 1002"}},
		{"2.6", ping(long), 1, []string{describe(ws.OpPong, []byte(long)), alive}},
		{"2.7", pong(""), 0, []string{alive}},
		{"2.8", pong("unsolicited pong payload"), 0, []string{alive}},
		{"2.9", pong("unsolicited pong payload") + ping("ping payload"), 0, []string{`pong "ping payload"`, alive}},
		{"2.10", ten, 0, answers},
		{"2.11", ten, 1, answers},
	})
}

func TestAutobahn3_ReservedBits(t *testing.T) {
	hello, echoed := text("Hello, world!"), `text "Hello, world!"`
	autobahn(t, normalClose, []autobahnCase{
		{"3.1", raw(0x80|1<<4|1, "Hello, world!"), 0, []string{"close 1002"}},
		{"3.2", hello + raw(0x80|2<<4|1, "Hello, world!") + ping(""), 0, []string{echoed, "close 1002"}},
		{"3.3", hello + raw(0x80|3<<4|1, "Hello, world!") + ping(""), 18, []string{echoed, "close 1002"}},
		{"3.4", hello + raw(0x80|4<<4|1, "Hello, world!") + ping(""), 1, []string{echoed, "close 1002"}},
		{"3.5", raw(0x80|5<<4|2, "\x00\xff\xfe\xfd\xfc\xfb\x00\xff"), 0, []string{"close 1002"}},
		{"3.6", raw(0x80|6<<4|9, "Hello, world!"), 0, []string{"close 1002"}},
		{"3.7", raw(0x80|7<<4|8, "\x03\xe8"), 0, []string{"close 1002"}},
	})
}

func TestAutobahn4_Opcodes(t *testing.T) {
	hello, echoed := text("Hello, world!"), `text "Hello, world!"`
	var cases []autobahnCase
	for section, opcodes := range [][]byte{{3, 4, 5, 6, 7}, {11, 12, 13, 14, 15}} {
		for i, op := range opcodes {
			c := autobahnCase{id: fmt.Sprintf("4.%d.%d", section+1, i+1), want: []string{echoed, "close 1002"}}
			switch i {
			case 0:
				c.send, c.want = raw(0x80|op, ""), []string{"close 1002"}
			case 1:
				c.send, c.want = raw(0x80|op, "reserved opcode payload"), []string{"close 1002"}
			case 2:
				c.send = hello + raw(0x80|op, "") + ping("")
			case 3:
				c.send = hello + raw(0x80|op, "reserved opcode payload") + ping("")
			case 4:
				c.send, c.chop = hello+raw(0x80|op, "reserved opcode payload")+ping(""), 1
			}
			cases = append(cases, c)
		}
	}
	autobahn(t, normalClose, cases)
}

func TestAutobahn5_Fragments(t *testing.T) {
	const first, more = 0x01, 0x00 // without FIN
	two := raw(first, "fragment1") + raw(0x80, "fragment2")
	pinged := raw(first, "fragment1") + ping("ping payload") + raw(0x80, "fragment2")
	nothing := raw(0x80, "non-continuation payload") + text("Hello, world!")
	unfinished := raw(more, "non-continuation payload") + text("Hello, world!")
	five := raw(first, "fragment1") + raw(more, "fragment2") + ping("pongme 1!") +
		raw(more, "fragment3") + raw(more, "fragment4") + ping("pongme 2!") + raw(0x80, "fragment5")
	whole := []string{`text "fragment1fragment2"`, alive}
	between := []string{`pong "ping payload"`, `text "fragment1fragment2"`, alive}
	all := []string{`pong "pongme 1!"`, `pong "pongme 2!"`, `text "fragment1fragment2fragment3fragment4fragment5"`, alive}
	fault := []string{"close 1002"}
	autobahn(t, normalClose, []autobahnCase{
		{"5.1", raw(0x09, "fragment1") + raw(0x80, "fragment2"), 0, fault},
		{"5.2", raw(0x0a, "fragment1") + raw(0x80, "fragment2"), 0, fault},
		{"5.3", two, 0, whole},
		{"5.4", two, 15, whole}, // a frame at a time
		{"5.5", two, 1, whole},
		{"5.6", pinged, 0, between},
		{"5.7", pinged, 15, between},
		{"5.8", pinged, 1, between},
		{"5.9", nothing, 0, fault},
		{"5.10", nothing, 30, fault},
		{"5.11", nothing, 1, fault},
		{"5.12", unfinished, 0, fault},
		{"5.13", unfinished, 30, fault},
		{"5.14", unfinished, 1, fault},
		{"5.15", two + raw(more, "fragment3") + text("fragment4"), 0, []string{`text "fragment1fragment2"`, "close 1002"}},
		{"5.16", strings.Repeat(raw(more, "fragment1")+raw(first, "fragment2")+raw(0x80, "fragment3"), 2), 0, fault},
		{"5.17", strings.Repeat(raw(0x80, "fragment1")+raw(first, "fragment2")+raw(0x80, "fragment3"), 2), 0, fault},
		{"5.18", raw(first, "fragment1") + raw(0x81, "fragment2"), 0, fault},
		{"5.19", five, 0, all},
		{"5.20", five, 15, all},
	})
}
