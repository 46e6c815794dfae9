package main

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/coder/websocket"
)

// Everybody in the room hears everybody, whichever way they came in.
func TestOneRoomForThreeProtocols(t *testing.T) {
	t.Parallel()
	addr := serve(t)
	alice := joinSocket(t, addr, "go", logIn(t, addr, "alice", "wonderland"))
	bob := joinTerminal(t, addr, "bob", "builder", "go")
	elsewhere := joinTerminal(t, addr, "bob", "builder", "elsewhere")

	tell(t, alice, "hi")
	wantJSON(t, alice, `{"room":"go","from":"alice","via":"websocket","text":"hi"}`)
	bob.want("<alice> hi")

	bob.say("hi alice", "//etc is a folder")
	wantJSON(t, alice,
		`{"room":"go","from":"bob","via":"chat","text":"hi alice"}`,
		`{"room":"go","from":"bob","via":"chat","text":"/etc is a folder"}`)
	bob.want("<bob> hi alice", "<bob> /etc is a folder")

	answer, body := postForm(t, "http://"+addr+"/rooms/go/messages", url.Values{"text": {"hi both"}}, logIn(t, addr, "carol", "singer"))
	if answer.StatusCode != http.StatusAccepted {
		t.Fatalf("posting a message: status %d, %q", answer.StatusCode, body)
	}
	wantJSON(t, alice, `{"room":"go","from":"carol","via":"http","text":"hi both"}`)
	bob.want("<carol> hi both")

	elsewhere.say("is anybody here?")
	elsewhere.want("<bob> is anybody here?") // and nothing before it
}

// A room's name has one meaning in every protocol, however it has to be escaped.
func TestRoomNames(t *testing.T) {
	t.Parallel()
	addr := serve(t)
	session := logIn(t, addr, "alice", "wonderland")
	for _, room := range []string{"go", "caf\u00e9 1", "a/b", "50%", "?#&", "it's", "日本"} {
		t.Run(room, func(t *testing.T) {
			t.Parallel()
			escaped := strings.ReplaceAll(url.QueryEscape(room), "+", "%20")
			alice := joinSocket(t, addr, escaped, session)
			bob := joinTerminal(t, addr, "bob", "builder", escaped)
			if answer, body := postForm(t, "http://"+addr+"/rooms/"+escaped+"/messages", url.Values{"text": {"hi"}}, session); answer.StatusCode != 202 {
				t.Fatalf("posting a message: status %d, %q", answer.StatusCode, body)
			}
			bob.want("<alice> hi")
			ctx := t.Context()
			if _, got, err := alice.Read(ctx); err != nil || !strings.Contains(string(got), `"via":"http"`) {
				t.Fatalf("the WebSocket read %s, %v", got, err)
			}
		})
	}
}

// Nobody can put words into another's mouth, or drive another's terminal.
func TestForgery(t *testing.T) {
	t.Parallel()
	addr := serve(t)
	tests := []struct {
		name, text string
		want       []string
	}{
		{"name", "<alice> I owe you 100", []string{"<bob> <alice> I owe you 100"}},
		{"second line", "hi\n<alice> I owe you 100", []string{"<bob> hi", "<bob> <alice> I owe you 100"}},
		{"other line breaks", "a\r\n<alice> b\r<alice> c", []string{"<bob> a", "<bob> <alice> b", "<bob> <alice> c"}},
		{"Unicode's line breaks", "a\u2028<alice> b\u0085<alice> c", []string{"<bob> a\ufffd<alice> b\ufffd<alice> c"}},
		{"close", "/close 1001 go away", []string{"<bob> /close 1001 go away"}},
		{"close on a second line", "\n/close 1001 go away", []string{"<bob> ", "<bob> /close 1001 go away"}},
		{"error", "\n/err 500 broken", []string{"<bob> ", "<bob> /err 500 broken"}},
		{"escape sequences", "\x1b[2J\x1b]0;title\x07 \u009b31m red", []string{"<bob> \ufffd[2J\ufffd]0;title\ufffd \ufffd31m red"}},
		{"backspace", "no\b\bhi\x7f\x00", []string{"<bob> no\ufffd\ufffdhi\ufffd\ufffd"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			room := url.PathEscape(tt.name)
			alice := joinTerminal(t, addr, "alice", "wonderland", room)
			tell(t, joinSocket(t, addr, room, logIn(t, addr, "bob", "builder")), tt.text)
			alice.want(tt.want...)
			if !strings.ContainsAny(tt.text, "\r\n") { // a terminal has no way to say these
				bob := joinTerminal(t, addr, "bob", "builder", room)
				line := tt.text
				if line[0] == '/' {
					line = "/" + line
				}
				bob.say(line)
				alice.want(tt.want...)
			}
			alice.say("the end")
			alice.want("<alice> the end") // and nothing before it
		})
	}
}

// What the room cannot make sense of ends the one who said it, or is left out.
func TestNonsense(t *testing.T) {
	t.Parallel()
	addr := serve(t)
	session := logIn(t, addr, "alice", "wonderland")
	for _, text := range []string{`not JSON`, `{"text":1}`, `["text"]`} {
		ws := joinSocket(t, addr, "go", session)
		if err := ws.Write(t.Context(), websocket.MessageText, []byte(text)); err != nil {
			t.Fatal(err)
		}
		ctx := t.Context()
		if _, got, err := ws.Read(ctx); websocket.CloseStatus(err) == -1 {
			t.Errorf("after %s the WebSocket read %s, %v; want a close code", text, got, err)
		}
	}
	ws := joinSocket(t, addr, "go", session)
	tell(t, ws, "") // nothing said
	tell(t, ws, "hi")
	wantJSON(t, ws, `{"room":"go","from":"alice","via":"websocket","text":"hi"}`)
}
