package server_test

import (
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"github.com/portico-go/portico/server"
)

// Handshakes that are not what they seem. None is followed by anything: what comes
// behind it may not be HTTP.
func TestAttackUpgrades(t *testing.T) {
	without := func(header string) func(string) string {
		return func(good string) string {
			before, rest, _ := strings.Cut(good, header+":")
			_, after, _ := strings.Cut(rest, "\r\n")
			return before + after
		}
	}
	with := func(old, changed string) func(string) string {
		return func(good string) string { return strings.Replace(good, old, changed, 1) }
	}
	add := func(header string) func(string) string { return with("Upgrade:", header+"\r\nUpgrade:") }
	to := func(path string) func(string) string { return with("/ws/go", path) }
	tests := []struct {
		name   string
		change func(good string) string
		want   string
	}{
		{"a body with a length", add("Content-Length: 5"), "400 a WebSocket handshake must have no body"},
		{"a body in chunks", add("Transfer-Encoding: chunked"), "400 a WebSocket handshake must have no body"},
		{"a body of both kinds", add("Content-Length: 5\r\nTransfer-Encoding: chunked"), "400 a request has a Content-Length or a Transfer-Encoding, not both"},

		{"no Connection", without("Connection"), "400 a WebSocket handshake must have the header Connection: Upgrade"},
		{"another Connection", with("Connection: Upgrade", "Connection: keep-alive"), "400 a WebSocket handshake must have the header Connection: Upgrade"},
		{"no key", without("Sec-WebSocket-Key"), "400 a WebSocket handshake must have one Sec-WebSocket-Key of 16 bytes in base64"},
		{"a short key", with("dGhlIHNhbXBsZSBub25jZQ==", "c2hvcnQ="), "400 a WebSocket handshake must have one Sec-WebSocket-Key of 16 bytes in base64"},
		{"a key that is none", with("dGhlIHNhbXBsZSBub25jZQ==", "!!!!!!!!!!!!!!!!!!!!!!!!"), "400 a WebSocket handshake must have one Sec-WebSocket-Key of 16 bytes in base64"},
		{"two keys", add("Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA=="), "400 a WebSocket handshake must have one Sec-WebSocket-Key of 16 bytes in base64"},
		{"no version", without("Sec-WebSocket-Version"), "426 the Sec-WebSocket-Version must be 13"},
		{"an old version", with("Version: 13", "Version: 8"), "426 the Sec-WebSocket-Version must be 13"},
		{"two versions", add("Sec-WebSocket-Version: 8"), "426 the Sec-WebSocket-Version must be 13"},
		{"another method", with("GET", "POST"), "405 a WebSocket handshake must be a GET request"},
		{"HTTP/1.0", with("HTTP/1.1", "HTTP/1.0"), "505 a WebSocket handshake must be HTTP/1.1"},
		{"no Host", without("Host"), "400 bad request"},
		{"two Hosts", add("Host: evil.example"), "400 bad request"},
		{"a subprotocol that is no token", add("Sec-WebSocket-Protocol: a b"), "400 the subprotocols in Sec-WebSocket-Protocol must be tokens, each once"},
		{"a subprotocol twice", add("Sec-WebSocket-Protocol: a, a"), "400 the subprotocols in Sec-WebSocket-Protocol must be tokens, each once"},
		{"a bare carriage return", add("X-A: b\rX-C: d"), "400 bad request"},
		{"a bare line feed", add("X-A: b\nX-C: d"), "400 a header line ends in a bare line feed"},
		{"a NUL", add("X-A: b\x00c"), "400 bad request"},

		{"dots", to("/a/../ws/go"), `400 a path must have no "." or ".." segment`},
		{"encoded dots", to("/a/%2e%2e/ws/go"), `400 a path must have no "." or ".." segment`},
		{"dots with an encoded slash", to("/a/%2e%2e%2fws/go"), `400 a path must have no "." or ".." segment`},
		{"a NUL in the path", to("/ws/go%00"), "400 a path must have no control characters"},
		{"an encoded line break", to("/ws/go%0aSet-Cookie:%20a=b"), "400 a path must have no control characters"},
		{"a miss", to("/nowhere?token=" + secret), "404 Not Found"},
		{"another's URL", to("http://evil.example/ws/go"), "421 host not served here"},

		{"a foreign host", with("Host: localhost", "Host: evil.example"), "421 host not served here"},
		{"a foreign page", add("Origin: http://evil.example"), "403 origin not allowed"},
		{"a sandboxed page", add("Origin: null"), "403 origin not allowed"},
		{"a page of another port", add("Origin: http://localhost:1"), "403 origin not allowed"},
		{"no session", without("Cookie"), "403 log in first"},
		{"a session that is forged", with("sessionid=", "sessionid=x"), "403 log in first"},
	}
	besiege(t, rooms(t), server.Config{}, 0, func(addr string) {
		good := upgrade("/ws/go", logIn(t, addr))
		smuggled := request("GET", "/whoami", "Connection: close\r\n")
		for _, tt := range tests {
			t.Run(tt.name, func(t *testing.T) {
				send := tt.change(good)
				if got := shout(t, addr, send+smuggled); send == good || got != tt.want {
					t.Errorf("%q is answered with\n     %q\nwant %q", send, got, tt.want)
				}
			})
		}
		unhurt(t, addr)
	})
}

// Frames that RFC 6455 forbids, that are too much, or that are cut off.
func TestAttackFrames(t *testing.T) {
	const mask = "\x00\x00\x00\x00"
	tests := []struct{ name, send, want string }{
		{"not masked", "\x81\x02hi", "close 1002 frames from client to server must be masked"},
		{"a reserved bit", "\xc1\x82" + mask + "hi", "close 1002 non-zero rsv bits with no extension negotiated"},
		{"another reserved bit", "\xa1\x82" + mask + "hi", "close 1002 non-zero rsv bits with no extension negotiated"},
		{"the third reserved bit", "\x91\x82" + mask + "hi", "close 1002 non-zero rsv bits with no extension negotiated"},
		{"a reserved opcode", "\x83\x82" + mask + "hi", "close 1002 use of reserved op code"},
		{"a reserved control opcode", "\x8b\x82" + mask + "hi", "close 1002 use of reserved op code"},
		{"a frame of 2^62 bytes", "\x81\xff\x40\x00\x00\x00\x00\x00\x00\x00" + mask, "close 1009 a frame has more than 1024 bytes"},
		{"a frame of 2^63 bytes", "\x81\xff\x80\x00\x00\x00\x00\x00\x00\x00" + mask, "close 1002 a frame's length is not in its shortest form"},
		{"a frame of 2^64-1 bytes", "\x81\xff\xff\xff\xff\xff\xff\xff\xff\xff" + mask, "close 1002 a frame's length is not in its shortest form"},
		{"a length in too many bytes", "\x81\xfe\x00\x02" + mask + "hi", "close 1002 a frame's length is not in its shortest form"},
		{"too large a frame", text(`"` + strings.Repeat("x", 1024) + `"`), "close 1009 a frame has more than 1024 bytes"},
		{"too large a message", part(ws.OpText, 1000) + part(ws.OpContinuation, 1000) + part(ws.OpContinuation, 1000), "close 1009 a message has more than 2048 bytes"},
		{"a message of 2^62 bytes in its second frame", part(ws.OpText, 1000) + "\x80\xff\x40\x00\x00\x00\x00\x00\x00\x00" + mask, "close 1009 a frame has more than 1024 bytes"},
		{"a continuation of nothing", "\x80\x82" + mask + "hi", "close 1002 unexpected continuation data frame"},
		{"a message in a message", part(ws.OpText, 1) + text(`"hi"`), "close 1002 unexpected non-continuation data frame"},
		{"a ping in parts", frame(ws.NewFrame(ws.OpPing, false, nil)), "close 1002 control frame is not final"},
		{"a long ping", frame(ws.NewFrame(ws.OpPing, true, make([]byte, 126))), "close 1002 control frame payload limit exceeded"},

		{"bad UTF-8", text("\"\xff\""), "close 1007 a text message is not UTF-8"},
		{"bad UTF-8, split over frames", split("\"\xe2\x28\xa1\"", 2), "close 1007 a text message is not UTF-8"},
		{"bad UTF-8 in an unfinished message", frame(ws.NewFrame(ws.OpText, false, []byte("\"\xf4\x90"))), "close 1007 a text message is not UTF-8"},
		{"half a character at the end", split("\"\xe2\x82", 2), "close 1007 a text message is not UTF-8"},
		{"a surrogate", text("\"\xed\xa0\x80\""), "close 1007 a text message is not UTF-8"},
		{"good UTF-8, split over frames", split(`"€"`, 2) + halfClose, `"<alice> €"`},

		{"binary for a room of text", frame(ws.NewBinaryFrame([]byte(`"hi"`))), "close 1007 invalid message: binary, expected text"},
		{"no JSON", text("hi"), "close 1007 invalid message: invalid character 'h' looking for beginning of value"},

		{"a close of one byte", frame(ws.NewFrame(ws.OpClose, true, []byte{3})), "close 1002 a close frame has no code that may be sent"},
		{"close 0", closing(0), "close 1002 a close frame has no code that may be sent"},
		{"close 999", closing(999), "close 1002 a close frame has no code that may be sent"},
		{"close 1004", closing(1004), "close 1002 a close frame has no code that may be sent"},
		{"close 1005", closing(1005), "close 1002 a close frame has no code that may be sent"},
		{"close 1006", closing(1006), "close 1002 a close frame has no code that may be sent"},
		{"close 1015", closing(1015), "close 1002 a close frame has no code that may be sent"},
		{"close 2999", closing(2999), "close 1002 a close frame has no code that may be sent"},
		{"close 5000", closing(5000), "close 1002 a close frame has no code that may be sent"},
		{"a reason that is not UTF-8", frame(ws.NewFrame(ws.OpClose, true, []byte("\x03\xe8\xff"))), "close 1007 the reason of a close frame is not UTF-8"},
		{"a good close, and more behind it", closing(4999) + text(`"`+secret+`"`), "close 4999"},
	}
	limits := server.Config{Limits: server.Limits{Frame: 1024, Message: 2048}, Timeouts: server.Timeouts{Close: 50 * time.Millisecond}}
	besiege(t, rooms(t), limits, 0, func(addr string) {
		good := upgrade("/ws/go", logIn(t, addr))
		for _, tt := range tests {
			t.Run(tt.name, func(t *testing.T) {
				if got := converse(t, addr, good, tt.send); got != "101; "+tt.want {
					t.Errorf("%q is answered with\n     %q\nwant %q", tt.send, got, "101; "+tt.want)
				}
			})
		}
		for _, cut := range []string{"\x81", "\x81\xfe\x01", "\x81\x82" + mask, "\x81\x82" + mask + "h", part(ws.OpText, 10)} {
			t.Run("truncated", func(t *testing.T) {
				if got := converse(t, addr, good, cut+halfClose); got != "101" {
					t.Errorf("%q and the end is answered with %q", cut, got)
				}
			})
		}
		unhurt(t, addr)
	})
}

// part is a frame of n bytes that another one follows.
func part(op ws.OpCode, n int) string {
	return frame(ws.NewFrame(op, false, []byte(strings.Repeat("x", n))))
}

// split is a text whose first n bytes come in a frame of their own.
func split(s string, n int) string {
	return frame(ws.NewFrame(ws.OpText, false, []byte(s[:n]))) + frame(ws.NewFrame(ws.OpContinuation, true, []byte(s[n:])))
}

func closing(code ws.StatusCode) string {
	return frame(ws.NewCloseFrame(ws.NewCloseFrameBody(code, "")))
}
