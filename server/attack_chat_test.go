package server_test

import (
	"bufio"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/portico-go/portico/protocol"
	"github.com/portico-go/portico/protocol/chat"
	"github.com/portico-go/portico/server"
)

// enter are the lines that let bob into a room.
const enter = "/nick bob\n/pass " + secret + "\n/join /rooms/go\n"

// chatOnly makes a listener serve nothing but the chat.
func chatOnly(l *server.Listener) { l.Protocols = []string{"chat"} }

// Lines that are no handshake end the connection there: what is behind them in the
// same bytes is not read.
func TestAttackHandshakes(t *testing.T) {
	const (
		unknown = "/err 400 expected /nick, /pass, /token, /cookie, /header or /join"
		dots    = `/err 400 a path must have no "." or ".." segment`
	)
	tests := []struct{ name, send, want string }{
		{"a header", "/nick alice\r\nHost: localhost\r\n" + enter, unknown},
		{"a text before /join", "/nick alice\nhello " + secret + "\n" + enter, unknown},
		{"an unknown command", "/user alice\n" + enter, unknown},
		{"a forbidden header", "/header X-Forwarded-For: 127.0.0.1\n" + enter, "/err 400 /header needs NAME: VALUE, with a name that this server lists"},
		{"another's origin", "/header Origin: http://localhost\n" + enter, "/err 400 /header needs NAME: VALUE, with a name that this server lists"},
		{"a host", "/header Host: localhost\n" + enter, "/err 400 /header needs NAME: VALUE, with a name that this server lists"},
		{"a header that is not listed", "/header X-Admin: yes\n" + enter, "/err 400 /header needs NAME: VALUE, with a name that this server lists"},
		{"two names", "/nick alice\n/nick bob\n" + enter, "/err 400 /nick was given twice"},
		{"two cookies", "/cookie a=b\n/cookie a=c\n" + enter, "/err 400 a cookie was given twice"},
		{"a cookie with another in it", "/cookie a=b; sessionid=c\n" + enter, "/err 400 /cookie needs NAME=VALUE, of printable ASCII without spaces and semicolons"},
		{"a name like another's line", "/nick bob> hello\n" + enter, "/err 400 a nick has 1 to 64 visible characters, without spaces, < and >"},
		{"a name that drives a terminal", "/nick \x1b[2Jbob\n" + enter, "/err 400 a line has a control character"},
		{"a NUL", "/nick bob\x00\n" + enter, "/err 400 a line has a control character"},
		{"a carriage return in a line", "/nick bob\r/pass x\n" + enter, "/err 400 a line has a control character"},
		{"not UTF-8", "/nick \xff\n" + enter, "/err 400 a line is not UTF-8"},
		{"too long a line", "/pass " + strings.Repeat("x", 5000) + "\n" + enter, "/err 400 a line has more than 4096 bytes"},
		{"too many lines", strings.Repeat("/cookie a=b\n", 2000), "/err 400 a cookie was given twice"},
		{"too long a handshake", strings.Repeat("/token "+strings.Repeat("a", 4000)+"\n", 1) + cookies(5, 4000) + enter, "/err 431 the handshake is too long"},

		{"dots", "/join /a/../rooms/go\n", dots},
		{"encoded dots", "/join /a/%2e%2e/rooms/go\n", dots},
		{"dots with an encoded slash", "/join /a/%2e%2e%2frooms/go\n", dots},
		{"an encoded NUL", "/join /rooms/go%00\n", "/err 400 a path must have no control characters"},
		{"an encoded line break", "/join /rooms/go%0a/close\n", "/err 400 a path must have no control characters"},
		{"no path", "/join rooms/go\n", `/err 400 a path must start with "/"`},
		{"a miss", "/join /nowhere?token=" + secret + "\n", "/err 404 Not Found"},
		{"the WebSocket's path", "/join /ws/go\n", "/err 404 Not Found"},

		{"nobody", "/join /rooms/go\n", "/err 403 log in first"},
		{"a name without a proof", "/nick bob\n/join /rooms/go\n", "/err 401 the name needs a proof: a password, a token or a session"},
		{"a wrong password", "/nick bob\n/pass wrong\n/join /rooms/go\nhello\n", "/err 401 wrong credentials"},
		{"a forged session", "/nick bob\n/cookie sessionid=" + secret + "\n/join /rooms/go\n", "/err 401 the session is not logged in"},
	}
	besiege(t, rooms(t), server.Config{}, 0, func(addr string) {
		for _, tt := range tests {
			t.Run(tt.name, func(t *testing.T) {
				if got := shout(t, addr, tt.send); got != tt.want {
					t.Errorf("%q is answered with\n     %q\nwant %q", tt.send, got, tt.want)
				}
			})
		}
		unhurt(t, addr)
	})
}

// cookies are n cookies of a size.
func cookies(n, size int) string {
	var lines strings.Builder
	for i := range n {
		lines.WriteString("/cookie c" + string(rune('a'+i)) + "=" + strings.Repeat("x", size) + "\n")
	}
	return lines.String()
}

// A page can make a browser send nearly anything in a form, but not its first line.
// On a port of the chat alone that is the end, without a word; on the shared port
// it is an HTTP request.
func TestAttackForms(t *testing.T) {
	forms := map[string]string{
		"a form":                  request("POST", "/login", "Content-Type: text/plain\r\nConnection: close\r\nContent-Length: 40\r\n") + enter,
		"its body alone":          "POST / HTTP/1.1\r\n\r\n" + enter,
		"lines as headers":        "POST / HTTP/1.1\r\nHost: localhost\r\n" + enter,
		"a method like a command": "/nick / HTTP/1.1\r\nHost: localhost\r\n\r\n" + enter,
	}
	soon := server.Config{Timeouts: server.Timeouts{Header: 200 * time.Millisecond}} // some have no end
	besiege(t, rooms(t), soon, 0, func(addr string) {
		for name, form := range forms {
			want := ""
			if strings.HasPrefix(name, "a method") {
				want = "/err 400 a nick has 1 to 64 visible characters, without spaces, < and >"
			}
			if got := shout(t, addr, form); got != want {
				t.Errorf("%s is answered with %q, want %q", name, got, want)
			}
		}
		if got := converse(t, addr, enter+"hello\n"+halfClose); got != "/ok; <bob> hello" {
			t.Errorf("afterwards: %q", got)
		}
	}, chatOnly)
	besiege(t, rooms(t), soon, 0, func(addr string) {
		for name, form := range forms {
			if got := shout(t, addr, form); !strings.HasPrefix(got, "4") && !strings.HasPrefix(got, "/err 400 ") || strings.Contains(got, "/ok") {
				t.Errorf("%s is answered with %q, want a refusal", name, got)
			}
		}
		unhurt(t, addr)
	})
}

// What is wrong in a conversation ends it with a reason.
func TestAttackLines(t *testing.T) {
	tests := []struct{ name, send, want string }{
		{"too long a line", strings.Repeat("x", 4097) + "\n", "/err 400 a line has more than 4096 bytes"},
		{"a line without an end", strings.Repeat("x", 1<<20), "/err 400 a line has more than 4096 bytes"},
		{"not UTF-8", "\xff\n", "/err 400 a line is not UTF-8"},
		{"half a character", "\xe2\x82\n", "/err 400 a line is not UTF-8"},
		{"an unknown command", "/kick alice\n", "/err 400 unknown command; write // for a text that starts with a slash"},
		{"a command of the server", "/close 1001 bye\n", "/err 400 unknown command; write // for a text that starts with a slash"},
		{"an error of the server", "/err 500 broken\n", "/err 400 unknown command; write // for a text that starts with a slash"},
		{"another handshake", enter, "/err 400 unknown command; write // for a text that starts with a slash"},
		{"a ping with an escape sequence", "/ping \x1b[2J\n/quit\n", "/pong \ufffd[2J; /close 1000"},
		{"a long farewell", "/quit " + strings.Repeat("x", 4000) + "\nhello\n", "/close 1000"},
	}
	besiege(t, rooms(t), server.Config{}, 0, func(addr string) {
		for _, tt := range tests {
			t.Run(tt.name, func(t *testing.T) {
				if got := converse(t, addr, enter, tt.send); got != "/ok; "+tt.want {
					t.Errorf("%q is answered with\n     %q\nwant %q", tt.send, got, "/ok; "+tt.want)
				}
			})
		}
		unhurt(t, addr)
	})
}

// Whatever somebody says, over whichever protocol, the others read it behind their
// name, on lines of its own, and their terminals do nothing.
func TestAttackForgery(t *testing.T) {
	tests := []struct{ said, json, line string }{
		{"a name", `"<bob> I owe you 100"`, "<bob> I owe you 100"},
		{"a name on a second line", `"hi\n<bob> I owe you 100"`, ""},
		{"a name behind other line breaks", `"hi\r<bob> I owe you\u2028<bob> 100\u0085<bob> 1"`, ""},
		{"a close", `"/close 1001 bye"`, "//close 1001 bye"},
		{"a close on a second line", `"\n/close 1001 bye"`, ""},
		{"an error on a second line", `"\r\n/err 500 broken"`, ""},
		{"an escape sequence", `"\u001b[2J\u001b]0;title\u0007"`, "\x1b[2J\x1b]0;title\x07"},
		{"a C1 control", `"\u009b31m red"`, "\u009b31m red"},
		{"a backspace", `"no\b\byes"`, "no\b\byes"},
	}
	besiege(t, rooms(t), server.Config{}, 0, func(addr string) {
		cookie := logIn(t, addr)
		for _, tt := range tests {
			t.Run(tt.said, func(t *testing.T) {
				victim := dial(t, addr)
				defer victim.Close()
				lines := bufio.NewReader(victim)
				_, _ = io.WriteString(victim, enter) // the reading tells
				wantLines(t, lines, "/ok")
				if got := converse(t, addr, upgrade("/ws/go", cookie), text(tt.json)+halfClose); !strings.HasPrefix(got, "101; ") {
					t.Fatalf("the WebSocket reads %q", got)
				}
				if tt.line != "" {
					alice := strings.Replace(enter, "bob", "alice", 1)
					if got := converse(t, addr, alice, tt.line+"\n"+halfClose); !strings.HasPrefix(got, "/ok; <alice> ") {
						t.Fatalf("the terminal reads %q", got)
					}
				}
				_, _ = io.WriteString(victim, "the end\n")
				for line := ""; line != "<bob> the end\n"; {
					var err error
					if line, err = lines.ReadString('\n'); err != nil {
						t.Fatal(err)
					}
					by := strings.HasPrefix(line, "<alice> ") || line == "<bob> the end\n"
					if !by || strings.ContainsFunc(strings.TrimSuffix(line, "\n"), func(r rune) bool { return r < ' ' || r == 0x7f || 0x80 <= r && r < 0xa0 || r == '\u2028' }) {
						t.Errorf("the victim reads %q", line)
					}
				}
			})
		}
		unhurt(t, addr)
	})
}

// A header that the server does list comes through, and no other one; however it is
// written.
func TestAttackListedHeaders(t *testing.T) {
	lines, err := chat.New(chat.Config{Headers: []string{"X-Color"}})
	if err != nil {
		t.Fatal(err)
	}
	cfg := server.Config{Protocols: []protocol.Protocol{lines}}
	besiege(t, rooms(t), cfg, 0, func(addr string) {
		for send, want := range map[string]string{
			"/header x-color: red\n" + enter + "/quit\n": "/ok; /close 1000",
			"/header X-Color : red\n" + enter:            "/err 400 /header needs NAME: VALUE, with a name that this server lists",
			"/header Cookie: sessionid=x\n" + enter:      "/err 400 /header needs NAME: VALUE, with a name that this server lists",
			"/header X-Color: red\rHost: x\n" + enter:    "/err 400 a line has a control character",
		} {
			if got := shout(t, addr, send); got != want {
				t.Errorf("%q is answered with %q, want %q", send, got, want)
			}
		}
	})
}
