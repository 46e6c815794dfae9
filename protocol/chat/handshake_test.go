package chat_test

import (
	"strings"
	"testing"

	"github.com/portico-go/portico/protocol"
	"github.com/portico-go/portico/protocol/chat"
)

const prefix = "chat chat line "

func TestHandshake(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 4096-len("/pass "))
	tests := []struct{ name, in, want, rest string }{
		{"join alone", "/join /rooms/go\n", prefix + "/rooms/go", ""},
		{"CRLF", "/nick alice\r\n/join /a\r\n", prefix + "/a|Nick: alice", ""},
		{
			"everything, in any order", "/token abc.d-e_f~g+h/i==\n/header accept-language: de, en\n/cookie a=1\n/pass  two words \n/cookie b=\"2\"\n/nick alice\n/join /rooms/go?x=%20y\n",
			prefix + "/rooms/go?x=%20y|Authorization: Bearer abc.d-e_f~g+h/i==|Accept-Language: de, en|Pass: two words|Nick: alice|Cookie: a=1; b=\"2\"", "",
		},
		{"a header twice", "/header X-Client: a\n/header x-client:b\n/join /\n", prefix + "/|X-Client: a|X-Client: b", ""},
		{"what follows is left", "/join /a\nhello\n//x\n", prefix + "/a", "hello\n//x\n"},
		{"names in any script", "/nick Алиса\n/pass пароль\n/join /\n", prefix + "/|Nick: Алиса|Pass: пароль", ""},
		{"spaces around arguments", "/nick  alice \t\n/join  /a \n", prefix + "/a|Nick: alice", ""},
		{"the longest line", "/pass " + long + "\r\n/join /\n", prefix + "/|Pass: " + long, ""},
		{"incomplete", "/nick alice\n/join /a", "", "/join /a"},

		{"a line too long", "/pass " + long + "x\n/join /\n", "400 a line has more than 4096 bytes", ""},
		{"a line too long, CRLF", "/pass " + long + "x\r\n/join /\n", "400 a line has more than 4096 bytes", ""},
		{"a line without end", "/pass " + long + "xx", "400 a line has more than 4096 bytes", ""},
		{"a handshake too long", strings.Repeat("/header X-Client: 0123456789\n", 600), "431 the handshake is too long", ""},
		{"not UTF-8", "/nick al\xffice\n", "400 a line is not UTF-8", ""},
		{"NUL", "/nick al\x00ice\n", "400 a line has a control character", ""},
		{"an escape sequence", "/pass \x1b[2J\n", "400 a line has a control character", ""},
		{"a C1 control", "/nick \u009b2J\n", "400 a line has a control character", ""},
		{"NEL", "/header X-Client: a\u0085Nick: bob\n", "400 a line has a control character", ""},
		{"a lone CR", "/header X-Client: a\rNick: bob\n", "400 a line has a control character", ""},

		{"a nick twice", "/nick a\n/nick a\n", "400 /nick was given twice", ""},
		{"a password twice", "/pass a\n/pass b\n", "400 /pass was given twice", ""},
		{"a token twice", "/token a\n/token b\n", "400 /token was given twice", ""},
		{"a cookie twice", "/cookie a=1\n/cookie a=2\n", "400 a cookie was given twice", ""},
		{"an empty nick", "/nick\n", nickReason, ""},
		{"a nick that looks like a message", "/nick alice> hi <bob\n", nickReason, ""},
		{"a nick with an angle", "/nick <alice\n", nickReason, ""},
		{"a nick with a no-break space", "/nick al\u00a0ice\n", nickReason, ""},
		{"a nick with an invisible character", "/nick al\u200bice\n", nickReason, ""},
		{"a nick that turns the line around", "/nick \u202eecila\n", nickReason, ""},
		{"a nick that begins with an accent", "/nick \u0301a\n", nickReason, ""},
		{"a nick too long", "/nick " + strings.Repeat("я", 65) + "\n", nickReason, ""},
		{"an empty password", "/pass \n", "400 /pass needs a password", ""},
		{"a token with a space", "/token a b\n", tokenReason, ""},
		{"a token of padding", "/token ==\n", tokenReason, ""},
		{"a cookie without a value", "/cookie a\n", cookieReason, ""},
		{"a cookie that hides another one", "/cookie a=1;b=2\n", cookieReason, ""},
		{"a header that is not listed", "/header X-Other: a\n", headerReason, ""},
		{"a header that is forbidden", "/header X-Forwarded-For: 127.0.0.1\n", headerReason, ""},
		{"a header without a colon", "/header X-Client\n", headerReason, ""},
		{"a header with a space before the colon", "/header X-Client : a\n", headerReason, ""},

		{"an unknown command", "/nickname alice\n", commandReason, ""},
		{"a command of later", "/ping\n", commandReason, ""},
		{"an empty line", "\n/join /\n", commandReason, ""},
		{"text", "hello\n/join /\n", commandReason, ""},
		{"a command in capitals", "/JOIN /\n", commandReason, ""},

		{"join without a path", "/join\n", `400 a path must start with "/"`, ""},
		{"join without a slash", "/join rooms/go\n", `400 a path must start with "/"`, ""},
		{"a path with a space", "/join /rooms/go now\n", pathReason, ""},
		{"a path that is not ASCII", "/join /rooms/café\n", pathReason, ""},
		{"a path that climbs", "/join /rooms/%2e./x\n", `400 a path must have no "." or ".." segment`, ""},
		{"a path with NUL", "/join /rooms/%00\n", `400 a path must have no control characters`, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			eachSplit([]byte(test.in), func(how string, chunks ...[]byte) {
				h, _ := newProtocol(t).New(protocol.Limits{})
				got, rest := shake(t, h, chunks...)
				if got != test.want || string(rest) != test.rest {
					t.Errorf("%s: got %q and the rest %q, want %q and %q", how, got, rest, test.want, test.rest)
				}
			})
		})
	}
}

const (
	nickReason    = "400 a nick has 1 to 64 visible characters, without spaces, < and >"
	tokenReason   = "400 /token needs a token of letters, digits and -._~+/ with = at the end only"
	cookieReason  = "400 /cookie needs NAME=VALUE, of printable ASCII without spaces and semicolons"
	headerReason  = "400 /header needs NAME: VALUE, with a name that this server lists"
	commandReason = "400 expected /nick, /pass, /token, /cookie, /header or /join"
	pathReason    = "400 a path or query must be printable ASCII, with anything else percent-encoded"
)

// A page in a browser can make its browser post anything to any port. It can never
// log in: the request line already ends the connection, and if it could forge that
// the headers would.
func TestHandshakeOfABrowser(t *testing.T) {
	t.Parallel()
	form := "POST / HTTP/1.1\r\nHost: 127.0.0.1:8000\r\nContent-Type: text/plain\r\nContent-Length: 46\r\n\r\n" +
		"/nick alice\r\n/pass wonderland\r\n/join /rooms/go\r\n"
	eachSplit([]byte(form), func(how string, chunks ...[]byte) {
		h, _ := newProtocol(t).New(protocol.Limits{})
		if got, rest := shake(t, h, chunks...); got != commandReason || len(rest) > 0 {
			t.Errorf("%s: got %q", how, got)
		}
	})
	if verdict := newProtocol(t).Detect([]byte("P")); verdict != protocol.No {
		t.Errorf("Detect says %d of a browser's first byte", verdict)
	}
}

// Limits are checked as bytes come, so a handshake cannot grow without an end.
func TestHandshakeLimits(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, in string
		limits   protocol.Limits
		want     string
	}{
		{"exactly the handshake's limit", "/nick a\n/join /\n", protocol.Limits{Handshake: 16}, prefix + "/|Nick: a"},
		{"a byte more", "/nick ab\n/join /\n", protocol.Limits{Handshake: 16}, "431 the handshake is too long"},
		{"a lower limit of lines", "/nick alice\n", protocol.Limits{Frame: 10}, "400 a line has more than 10 bytes"},
		{"limits of lines above the protocol's", "/pass " + strings.Repeat("x", 4091) + "\n", protocol.Limits{Frame: 1 << 20}, "400 a line has more than 4096 bytes"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			eachSplit([]byte(test.in), func(how string, chunks ...[]byte) {
				h, _ := newProtocol(t).New(test.limits)
				if got, _ := shake(t, h, chunks...); got != test.want {
					t.Errorf("%s: got %q, want %q", how, got, test.want)
				}
			})
		})
	}
}

// What a refused line held is in no reason: it may be half a password.
func TestHandshakeKeepsSecrets(t *testing.T) {
	t.Parallel()
	for _, line := range []string{"/passwonderland", "/pas wonderland", "wonderland", "/token wonder land", "/cookie wonderland", "/header Pass: wonderland", "/nick wonderland>", "/join wonderland"} {
		h, _ := newProtocol(t).New(protocol.Limits{})
		if got, _ := shake(t, h, []byte(line+"\n")); !strings.HasPrefix(got, "400 ") || strings.Contains(got, "wonderland") {
			t.Errorf("%q was refused with %q", line, got)
		}
	}
}

func TestNew(t *testing.T) {
	t.Parallel()
	for _, name := range []string{
		"Host", "ORIGIN", "Referer", "Via", "Forwarded", "X-Forwarded-For", "x-forwarded-anything", "X-Real-IP",
		"Sec-Fetch-Site", "Sec-WebSocket-Protocol", "Proxy-Authorization", "Connection", "Upgrade", "Content-Length", "Transfer-Encoding",
		"Authorization", "Cookie", "Nick", "pass", "", "X Y", "X:Y",
	} {
		if p, err := chat.New(chat.Config{Headers: []string{"Accept", name}}); err == nil || p != nil {
			t.Errorf("the header %q is allowed", name)
		}
	}
	p, err := chat.New(chat.Config{})
	if err != nil || p.Name() != chat.Name {
		t.Errorf("New = %v, %v for the zero Config", p, err)
	}
}

func TestDetect(t *testing.T) {
	t.Parallel()
	p := newProtocol(t)
	for first, want := range map[string]protocol.Verdict{
		"/": protocol.Yes, "/join /\n": protocol.Yes, "GET / HTTP/1.1": protocol.No, "\x16\x03\x01": protocol.No, " /": protocol.No, "\n": protocol.No,
	} {
		if got := p.Detect([]byte(first)); got != want {
			t.Errorf("Detect(%q) = %d, want %d", first, got, want)
		}
	}
}
