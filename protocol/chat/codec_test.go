package chat_test

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"unsafe"

	"github.com/portico-go/portico/protocol"
	"github.com/portico-go/portico/protocol/chat"
)

func TestDecode(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", chat.MaxLine)
	tests := []struct {
		name, in string
		want     []string
	}{
		{"text", "hello\nyou\r\n", []string{`text "hello"`, `text "you"`}},
		{"an empty text", "\n\r\n", []string{`text ""`, `text ""`}},
		{"V8_TextWithEmoji", "what is here? 🌍\n", []string{`text "what is here? 🌍"`}},
		{"text that starts with a slash", "//x\n///\n//\n", []string{`text "/x"`, `text "//"`, `text "/"`}},
		{"text is not touched", " a\tb \x1b\x00\r\r\n", []string{`text " a\tb \x1b\x00\r"`}},
		{"ping", "/ping\n/ping a b\n", []string{`ping ""`, `ping "a b"`}},
		{"pong", "/pong x\n", []string{`pong "x"`}},
		{"quit", "a\n/quit\nb\n", []string{`text "a"`, `close 1000 ""`}},
		{"quit with a reason", "/quit good night\n", []string{`close 1000 "good night"`}},
		{"V11_UnderTheLimit", long + "\n" + long + "\r\n", []string{`text "` + long + `"`, `text "` + long + `"`}},
		{"incomplete", "a\nb", []string{`text "a"`}},
		{"V10_LineOverTheLimit", "a\n" + long + "x\n", []string{`text "a"`, "error 1009"}},
		{"over the limit, without an end", long + "x", []string{"error 1009"}},
		{"over the limit, with CR", long + "\rx", []string{"error 1009"}},
		{"not UTF-8", "a\n\xff\nb\n", []string{`text "a"`, "error 1007"}},
		{"an unknown command", "/close 1000\na\n", []string{"error 1002"}},
		{"a slash", "/\n", []string{"error 1002"}},
		{"a command of the handshake", "/nick bob\n", []string{"error 1002"}},
		{"a command in capitals", "/Quit\n", []string{"error 1002"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			eachSplit([]byte(test.in), func(how string, chunks ...[]byte) {
				if got := decode(t, codec(t, protocol.Limits{}), chunks...); !reflect.DeepEqual(got, test.want) {
					t.Errorf("%s:\n got %q\nwant %q", how, got, test.want)
				}
			})
		})
	}
}

// After an error or a quit everything is consumed and nothing emitted.
func TestDecodeEnds(t *testing.T) {
	t.Parallel()
	for _, line := range []string{"/quit\n", "/what\n", "\xff\n", strings.Repeat("x", 5000)} {
		c := codec(t, protocol.Limits{})
		decode(t, c, []byte(line))
		if got := decode(t, c, []byte("a\n"), []byte("/quit\n")); got != nil {
			t.Errorf("after %.10q there is %q", line, got)
		}
	}
}

func TestDecodeErrorOfEmit(t *testing.T) {
	t.Parallel()
	stop := errors.New("stop")
	c := codec(t, protocol.Limits{})
	n, err := c.Decode([]byte("a\nb\n"), func(protocol.Event) error { return stop })
	if n != 2 || !errors.Is(err, stop) {
		t.Errorf("Decode = %d, %v; want 2, %v", n, err, stop)
	}
	if got := decode(t, c, []byte("b\n")); !reflect.DeepEqual(got, []string{`text "b"`}) {
		t.Errorf("afterwards got %q", got)
	}
}

func TestDecodeAliases(t *testing.T) {
	t.Parallel()
	in := []byte("//x\n")
	_, err := codec(t, protocol.Limits{}).Decode(in, func(ev protocol.Event) error {
		if m, ok := ev.(*protocol.Message); !ok || unsafe.SliceData(m.Data) != &in[1] {
			t.Errorf("%s was copied", describe(ev))
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

func TestAppend(t *testing.T) {
	t.Parallel()
	text := func(s string) protocol.Event { return &protocol.Message{Data: []byte(s)} }
	long := strings.Repeat("x", chat.MaxLine)
	tests := []struct {
		name string
		ev   protocol.Event
		want string
	}{
		{"accept", &protocol.Accept{}, "/ok\n"},
		{"accept leaves headers out", &protocol.Accept{Head: protocol.Head{Header: protocol.Fields{{Name: "Set-Cookie", Value: "a=b"}}}}, "/ok\n"},
		{"reject", protocol.Rejectf(401, "wrong password"), "/err 401 wrong password\n"},
		{"reject without a reason", &protocol.Reject{}, "/err 403 Forbidden\n"},
		{"reject leaves header and body out", &protocol.Reject{Status: 404, Header: protocol.Fields{{Name: "A", Value: "b"}}, Body: []byte("gone\n/ok")}, "/err 404 Not Found\n"},
		{"reject of one line", protocol.Rejectf(400, "a\n/ok\r\n<alice> hi"), "/err 400 a\ufffd/ok\ufffd\ufffd<alice> hi\n"},
		{"text", text("hello"), "hello\n"},
		{"an empty text", text(""), "\n"},
		{"a slash", text("/close 1000"), "//close 1000\n"},
		{"two slashes", text("//x"), "///x\n"},
		{"lines", text("a\n/b\r\n\n/c"), "a\n//b\n\n//c\n"},
		{"a break at the end", text("a\n"), "a\n"},
		{"a break alone", text("\n"), "\n"},
		{"tab", text("a\tb"), "a\tb\n"},
		{"an escape sequence", text("\x1b[2J\x1b]0;title\a"), "\ufffd[2J\ufffd]0;title\ufffd\n"},
		{"C1", text("\u009b2J"), "\ufffd2J\n"},
		{"C1 as a lone byte", text("\x9b2J"), "\ufffd2J\n"},
		{"DEL and backspace", text("a\x7f\b"), "a\ufffd\ufffd\n"},
		{"all that some take for a line break", text("a\rb\vc\fd\u0085e\u2028f\u2029g"), "a\ufffdb\ufffdc\ufffdd\ufffde\ufffdf\ufffdg\n"},
		{"not UTF-8", text("a\xffb\xe2\x82"), "a\ufffdb\ufffd\ufffd\n"},
		{"other scripts", text("שלום 🌍 \ufffd"), "שלום 🌍 \ufffd\n"},
		{"the longest line", text(long), long + "\n"},
		{"a longer line", text(long + "<alice> hi"), long + "\n… <alice> hi\n"},
		{"a longer line with a slash", text("/" + long[:4094] + "ab"), "//" + long[:4094] + "\n… ab\n"},
		{"a longer line, cut between characters", text(long[:4095] + "é"), long[:4095] + "\n… é\n"},
		{"ping", &protocol.Ping{}, "/ping\n"},
		{"ping with data", &protocol.Ping{Data: []byte("a\nb")}, "/ping a\ufffdb\n"},
		{"pong", &protocol.Pong{Data: []byte("1 2")}, "/pong 1 2\n"},
		{"pong, cut", &protocol.Pong{Data: []byte(long)}, "/pong " + long[:4090] + "\n"},
		{"pong, cut between characters", &protocol.Pong{Data: []byte(long[:4089] + "é")}, "/pong " + long[:4089] + "\n"},
		{"close", &protocol.Close{}, "/close 1000\n"},
		{"close with a reason", &protocol.Close{Code: 1001, Reason: "server shutting down"}, "/close 1001 server shutting down\n"},
		{"close of the application", &protocol.Close{Code: 4001, Reason: "a\n/ok"}, "/close 4001 a\ufffd/ok\n"},
		{"close without a status", &protocol.Close{Code: protocol.CloseNoStatus}, "/close 1000\n"},
		{"a connection that breaks", &protocol.Close{Code: protocol.CloseAbnormal}, ""},
		{"protocol error", &protocol.Close{Code: 1002, Reason: "unknown command"}, "/err 400 unknown command\n"},
		{"unsupported data", &protocol.Close{Code: 1003}, "/err 400 Bad Request\n"},
		{"invalid payload", &protocol.Close{Code: 1007, Reason: "a line is not UTF-8"}, "/err 400 a line is not UTF-8\n"},
		{"too big", &protocol.Close{Code: 1009, Reason: "too long"}, "/err 400 too long\n"},
		{"internal error", &protocol.Close{Code: 1011, Reason: "internal error"}, "/err 500 internal error\n"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got, err := codec(t, protocol.Limits{}).Append([]byte("before\n"), test.ev)
			if err != nil || string(got) != "before\n"+test.want {
				t.Errorf("got %q, %v; want %q", got, err, "before\n"+test.want)
			}
		})
	}
}

func TestAppendErrors(t *testing.T) {
	t.Parallel()
	for name, ev := range map[string]protocol.Event{
		"a subprotocol":    &protocol.Accept{Subprotocol: "x"},
		"a binary message": &protocol.Message{Binary: true, Data: []byte("a")},
		"an unknown event": &protocol.Connect{},
		"a bad close code": &protocol.Close{Code: 999},
		"code 1015":        &protocol.Close{Code: 1015},
	} {
		got, err := codec(t, protocol.Limits{}).Append([]byte("before"), ev)
		if err == nil || !strings.HasPrefix(err.Error(), "chat: ") || string(got) != "before" {
			t.Errorf("%s: Append = %q, %v; want an error and nothing appended", name, got, err)
		}
	}
}
