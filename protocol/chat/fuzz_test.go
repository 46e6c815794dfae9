package chat_test

import (
	"bytes"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/portico-go/portico/protocol"
	"github.com/portico-go/portico/protocol/chat"
)

// Whatever a client types, in whatever pieces, gives the same request or refusal,
// and a request that the rest of the system can take.
func FuzzHandshake(f *testing.F) {
	f.Add([]byte("/nick alice\r\n/pass wonderland\n/join /rooms/go?x=y\nhello\n"), uint(3))
	f.Add([]byte("/cookie a=1\n/cookie b=2\n/token abc==\n/header X-Client: z\n/join /\n"), uint(20))
	f.Add([]byte("/nick \xff\n"), uint(1))
	f.Add([]byte("POST / HTTP/1.1\r\n"), uint(1))
	f.Fuzz(func(t *testing.T, data []byte, cut uint) {
		limits := protocol.Limits{Handshake: 200, Frame: 60}
		split := int(cut % uint(len(data)+1))
		h, _ := newProtocol(t).New(limits)
		want, wantRest := shake(t, h, data)
		for how, chunks := range map[string][][]byte{
			"byte by byte": slices.Collect(slices.Chunk(data, 1)),
			"cut in two":   {data[:split], data[split:]},
		} {
			h, _ := newProtocol(t).New(limits)
			if got, rest := shake(t, h, chunks...); got != want || !bytes.Equal(rest, wantRest) {
				t.Fatalf("%s: got %q and %q, want %q and %q", how, got, rest, want, wantRest)
			}
		}
		h, _ = newProtocol(t).New(limits)
		req, _, err := h.Decode(data)
		if err != nil || req == nil {
			return
		}
		if _, err := protocol.NewScope(req); err != nil {
			t.Fatalf("a request that is none: %v", err)
		}
		for name, value := range req.Headers.All() {
			if !slices.Contains([]string{"Nick", "Pass", "Authorization", "Cookie", "Accept-Language", "X-Client"}, name) || hasControl(value) {
				t.Fatalf("the header %s: %q", name, value)
			}
		}
	})
}

// Whatever a client types, in whatever pieces, gives the same events.
func FuzzDecode(f *testing.F) {
	f.Add([]byte("hello\r\n//x\n/ping a\n/pong\n/quit bye\nlost\n"), uint(9))
	f.Add([]byte("\xff\n"), uint(0))
	f.Add([]byte("/what\n"), uint(2))
	f.Add([]byte(strings.Repeat("x", 70)+"\n"), uint(61))
	f.Fuzz(func(t *testing.T, data []byte, cut uint) {
		limits := protocol.Limits{Frame: 60}
		split := int(cut % uint(len(data)+1))
		want := decode(t, codec(t, limits), data)
		for how, chunks := range map[string][][]byte{
			"byte by byte": slices.Collect(slices.Chunk(data, 1)),
			"cut in two":   {data[:split], data[split:]},
		} {
			if got := decode(t, codec(t, limits), chunks...); !reflect.DeepEqual(got, want) {
				t.Fatalf("%s:\n got %q\nwant %q", how, got, want)
			}
		}
	})
}

// command is what the server's own lines look like.
var command = regexp.MustCompile(`^/(ok|err|close|ping|pong)( |$)`)

// checkHarmless checks what the specification promises of each line.
func checkHarmless(t *testing.T, out []byte) (texts, commands int) {
	t.Helper()
	if len(out) > 0 && out[len(out)-1] != '\n' {
		t.Fatalf("the last line of %q has no end", out)
	}
	for line := range bytes.Lines(out) {
		line = line[:len(line)-1]
		switch {
		case len(line) > chat.MaxLine:
			t.Fatalf("a line of %d bytes", len(line))
		case hasControl(string(line)) || !utf8.Valid(line):
			t.Fatalf("the line %q does harm", line)
		case bytes.HasPrefix(line, []byte("/")) && !bytes.HasPrefix(line, []byte("//")):
			if commands++; !command.Match(line) {
				t.Fatalf("the line %q is no command", line)
			}
		default:
			texts++
		}
	}
	return texts, commands
}

func hasControl(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool {
		return unicode.In(r, unicode.Cc, unicode.Zl, unicode.Zp) && r != '\t'
	})
}

// Whatever an event holds, its lines are harmless, only its own command is one,
// and a client reads the text of a message as it was.
func FuzzAppend(f *testing.F) {
	f.Add([]byte("hello\n/close 1000\r\n\x1b[2J"), 1000)
	f.Add([]byte("\n<alice> hi\u2028\u0085\x9b"), 1002)
	f.Add([]byte(strings.Repeat("/é", 3000)), 1011)
	f.Add([]byte("\xe2\x82"), 4000)
	f.Fuzz(func(t *testing.T, data []byte, number int) {
		c := codec(t, protocol.Limits{})
		out, err := c.Append(nil, &protocol.Message{Data: data})
		if _, commands := checkHarmless(t, out); err != nil || commands > 0 || len(out) == 0 {
			t.Fatalf("a message of %q is %q, %v", data, out, err)
		}
		if clean := utf8.Valid(data) && !hasControl(string(data)); clean && len(data) < chat.MaxLine {
			want := []string{describe(&protocol.Message{Data: data})}
			if got := decode(t, codec(t, protocol.Limits{}), out); !reflect.DeepEqual(got, want) {
				t.Fatalf("a client reads %q, want %q", got, want)
			}
		}
		for _, ev := range []protocol.Event{
			&protocol.Ping{Data: data},
			&protocol.Pong{Data: data},
			&protocol.Reject{Status: number, Reason: string(data)},
			&protocol.Close{Code: protocol.CloseCode(number), Reason: string(data)},
		} {
			out, err := c.Append(nil, ev)
			if err != nil || len(out) == 0 {
				continue // a close code that must not be sent
			}
			if texts, commands := checkHarmless(t, out); commands != 1 || texts > 0 {
				t.Fatalf("a %s is %q", ev.EventType(), out)
			}
		}
	})
}
