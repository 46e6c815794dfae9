package server_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/portico-go/portico/server"
)

// Requests that are not what they seem. What stands behind one in the same bytes
// is not read as another, unless the connection goes on: then the answer to
// /whoami shows it.
func TestAttackRequests(t *testing.T) {
	smuggled := "GET /whoami?" + secret + " HTTP/1.1\r\nHost: localhost\r\n\r\n"
	last := request("GET", "/whoami", "Connection: close\r\n")
	tests := []struct{ name, send, want string }{
		// paths
		{"dots", request("GET", "/a/../whoami", "") + last, `400 a path must have no "." or ".." segment; 200 you are`},
		{"encoded dots", request("GET", "/a/%2e%2e/whoami", "") + last, `400 a path must have no "." or ".." segment; 200 you are`},
		{"half encoded dots", request("GET", "/a/.%2E/whoami", "") + last, `400 a path must have no "." or ".." segment; 200 you are`},
		{"dots with an encoded slash", request("GET", "/a/%2e%2e%2fwhoami", "") + last, `400 a path must have no "." or ".." segment; 200 you are`},
		{"a NUL", request("GET", "/whoami%00.html", "") + last, "400 a path must have no control characters; 200 you are"},
		{"an encoded line break", request("GET", "/whoami%0d%0aSet-Cookie:%20a=b", "") + last, "400 a path must have no control characters; 200 you are"},
		{"bad UTF-8", request("GET", "/%c0%ae%c0%ae/whoami", "") + last, "400 a percent-decoded path must be UTF-8; 200 you are"},
		{"a broken escape", request("GET", "/%zz", "") + last, "400 a path has a broken percent escape; 200 you are"},
		{"a backslash", request("GET", `/..\whoami`, "") + last, "404 Not Found; 200 you are"},
		{"two slashes", request("GET", "//whoami", "") + last, "404 Not Found; 200 you are"},
		{"no path", request("GET", "whoami", ""), "400 bad request"},
		{"another's URL", request("GET", "http://evil.example/whoami", "") + last, "421 host not served here; 200 you are"},
		{"a miss", request("GET", "/nowhere?token="+secret, "") + last, "404 Not Found; 200 you are"},
		{"a wrong method", request("DELETE", "/whoami", "") + last, "405 Method Not Allowed; 200 you are"},
		{"a tunnel", "CONNECT localhost:22 HTTP/1.1\r\nHost: localhost:22\r\n\r\n", "501 this server is no proxy"},

		// where a request ends
		{"CL and TE", request("POST", "/login", "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n") + "0\r\n\r\n" + smuggled, "400 a request has a Content-Length or a Transfer-Encoding, not both"},
		{"TE and CL", request("POST", "/login", "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n") + "0\r\n\r\n" + smuggled, "400 a request has a Content-Length or a Transfer-Encoding, not both"},
		{"two lengths", request("POST", "/login", "Content-Length: 0\r\nContent-Length: 44\r\n") + smuggled, "400 bad request"},
		{"a length with a sign", request("POST", "/login", "Content-Length: +5\r\n") + smuggled, "400 bad request"},
		{"a negative length", request("POST", "/login", "Content-Length: -5\r\n") + smuggled, "400 bad request"},
		{"a length of 2^62", request("POST", "/login", "Content-Length: 4611686018427387904\r\n") + "x", "413 the request's body has more than 1048576 bytes"},
		{"another encoding", request("POST", "/login", "Transfer-Encoding: gzip, chunked\r\n") + "0\r\n\r\n" + smuggled, "400 bad request"},
		{"a hidden encoding", request("POST", "/login", "Transfer-Encoding: \x0bchunked\r\n") + "0\r\n\r\n" + smuggled, "400 bad request"},
		{"a chunk of 2^62", request("POST", "/login", "Content-Type: application/x-www-form-urlencoded\r\nTransfer-Encoding: chunked\r\n") + "4000000000000000\r\nx", "400 the request's body has a broken chunk"},
		{"a chunk that is none", request("POST", "/login", "Content-Type: application/x-www-form-urlencoded\r\nTransfer-Encoding: chunked\r\n") + "zz\r\nx", "400 the request's body has a broken chunk"},

		// bytes that one server sees and another does not
		{"a bare line feed", "GET /whoami HTTP/1.1\nHost: localhost\n\n" + smuggled, "400 a header line ends in a bare line feed"},
		{"a bare line feed in a header", request("GET", "/whoami", "X-A: b\nX-C: d\r\n") + smuggled, "400 a header line ends in a bare line feed"},
		{"a bare carriage return", request("GET", "/whoami", "X-A: b\rX-C: d\r\n") + smuggled, "400 bad request"},
		{"a NUL in a header", request("GET", "/whoami", "X-A: b\x00c\r\n") + smuggled, "400 bad request"},
		{"a space before the colon", request("POST", "/login", "Content-Length : 44\r\n") + smuggled, "400 bad request"},
		{"a folded header", request("GET", "/whoami", "X-A: b\r\n folded\r\n") + smuggled, "400 a header line has no colon"},
		{"no name", request("GET", "/whoami", ": b\r\n") + smuggled, "400 bad request"},
		{"an underscore", request("GET", "/whoami", "Content_Length: 44\r\n") + last, "200 you are; 200 you are"},
		{"two hosts", request("GET", "/whoami", "Host: evil.example\r\n") + smuggled, "400 bad request"},
		{"no host", "GET /whoami HTTP/1.1\r\n\r\n" + smuggled, "400 bad request"},
		{"a host with a path", "GET /whoami HTTP/1.1\r\nHost: localhost/@evil\r\n\r\n", "400 bad request"},
		{"another version", "GET /whoami HTTP/2.0\r\nHost: localhost\r\n\r\n" + smuggled, "505 this server speaks HTTP/1.1"},
		{"HTTP/2 outright", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "505 this server speaks HTTP/1.1"},
		{"no request at all", "EHLO evil.example\r\n\r\n", "400 bad request"},

		// whose they are
		{"a foreign host", "GET /whoami?" + secret + " HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n", "421 host not served here"},
		{"a foreign page", request("POST", "/login", "Origin: http://evil.example\r\nConnection: close\r\nContent-Length: 0\r\n"), "403 origin not allowed"},
		{"a foreign page of a modern browser", request("POST", "/login", "Sec-Fetch-Site: cross-site\r\nConnection: close\r\nContent-Length: 0\r\n"), "403 origin not allowed"},
		{"a forged session", request("GET", "/whoami", "Cookie: sessionid="+secret+"\r\nConnection: close\r\n"), "200 you are"},
		{"a password that is wrong", request("POST", "/login", "Content-Type: application/x-www-form-urlencoded\r\nConnection: close\r\nContent-Length: 31\r\n") + "username=alice&password=" + secret[:6] + "!", "401 wrong credentials"},
		{"a chat behind a request", request("POST", "/nowhere", "Content-Length: 0\r\n") + "/nick alice\n/pass " + secret + "\n/join /rooms/go\n", "404 Not Found; 400 bad request"},
		{"a chat in a form", request("POST", "/login", "Content-Type: text/plain\r\nConnection: close\r\nContent-Length: 45\r\n") + "/nick alice\n/pass " + secret + "\n/join /rooms/go\n\n\n\n", "415 expected a form (application/x-www-form-urlencoded)"},
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

// A cookie whose signature is not ours, or of which a bit was changed, is nobody's,
// on each protocol.
func TestAttackSignature(t *testing.T) {
	besiege(t, rooms(t), server.Config{}, 0, func(addr string) {
		cookie := strings.TrimSuffix(logIn(t, addr), "\r\n")
		for i := len("Cookie: sessionid="); i < len(cookie); i++ {
			changed := "A"
			if cookie[i] == 'A' {
				changed = "B"
			}
			forged := cookie[:i] + changed + cookie[i+1:]
			if got := shout(t, addr, request("GET", "/whoami", forged+"\r\nConnection: close\r\n")); got != "200 you are" {
				t.Fatalf("changed at byte %d, the cookie is answered with %q", i, got)
			}
		}
		last := cookie[:len(cookie)-2] + "!!"
		if got := shout(t, addr, upgrade("/ws/go", last+"\r\n")); got != "403 log in first" {
			t.Errorf("on a WebSocket: %q", got)
		}
		line := fmt.Sprintf("/cookie %s\n", strings.TrimPrefix(last, "Cookie: "))
		if got := shout(t, addr, "/nick alice\n"+line+"/join /rooms/go\n"); !strings.HasPrefix(got, "/err 401 ") {
			t.Errorf("on chat: %q", got)
		}
		unhurt(t, addr)
	})
}
