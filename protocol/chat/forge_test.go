package chat_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/portico-go/portico/protocol"
)

// Nobody forges a line: neither one of the server's, nor, in an application that
// repeats who speaks, one of another person. Text comes from a WebSocket here, so
// that it can hold line breaks.
func TestForgery(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"/close 1000", "/ok", "/err 401 wrong password, type it again: /pass",
		"hi\n/close 1000", "hi\r\n/close 1000", "hi\r/close 1000", "hi\u2028/close 1000", "hi\u0085/close 1000", "hi\v/close 1000",
		"hi\n<alice> I owe bob money", "hi\r\n<alice> I owe", "hi\r<alice> I owe", "hi\u2029<alice> I owe", "\n\n<alice> I owe",
		"\x1b[2K\r<alice> I owe", "\x1b[1A<alice> I owe", "\u009b1A<alice> I owe", "\x9b1A<alice> I owe", strings.Repeat("\b", 10) + "<alice> I owe",
		strings.Repeat("x", 4096-len("<bob> ")) + "<alice> I owe", strings.Repeat("x", 3*4096) + "\n<alice> I owe",
	} {
		for _, prefix := range []string{"", "<bob> "} {
			out, err := codec(t, protocol.Limits{}).Append(nil, &protocol.Message{Data: []byte(lines(prefix, text))})
			if _, commands := checkHarmless(t, out); err != nil || commands > 0 {
				t.Errorf("%.40q became %.80q, %v", text, out, err)
			}
			for line := range strings.Lines(string(out)) {
				if prefix != "" && !strings.HasPrefix(line, prefix) && !strings.HasPrefix(line, "… ") {
					t.Errorf("%.40q put the line %.80q in nobody's name", text, line)
				}
			}
		}
	}
}

// What a handshake says cannot forge a line either, wherever the application shows
// it: a nick has no end of a bracket and no space, and no header has a line break.
func TestForgeryByHandshake(t *testing.T) {
	t.Parallel()
	for _, line := range []string{
		"/nick alice> I owe bob money", "/nick bob>", "/nick <alice", "/nick a\rb", "/nick a\u2028b", "/nick a\u00a0b", "/nick a\u3000b", "/nick \u200b", "/nick a\u202eb", "/nick a\tb",
		"/header X-Client: a\r/close 1000", "/header X-Client: a\u2028/close 1000", "/header X-Client: \x1b[2J", "/pass a\x00b", "/cookie a=b\rc",
	} {
		h, _ := newProtocol(t).New(protocol.Limits{})
		if got, _ := shake(t, h, fmt.Append(nil, line, "\n/join /\n")); !strings.HasPrefix(got, "400 ") {
			t.Errorf("%q: got %q, want a refusal", line, got)
		}
	}
}
