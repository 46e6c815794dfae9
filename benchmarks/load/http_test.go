package load_test

import (
	"bufio"
	"bytes"
	"net/http"
	"strings"
	"testing"

	"github.com/portico-go/portico/benchmarks/load"
)

func TestResponseLength(t *testing.T) {
	t.Parallel()
	const head = "HTTP/1.1 200 OK\r\n"
	for _, c := range []struct {
		name, data string
		want       int
		err        string
	}{
		{"exact", head + "Content-Length: 2\r\n\r\nhi", len(head) + 21 + 2, ""},
		{"more behind it", head + "Content-Length: 2\r\n\r\nhiHTTP/1.1", len(head) + 21 + 2, ""},
		{"its body is still to come", head + "content-length: 9\r\n\r\n", len(head) + 21 + 9, ""},
		{"half a head", head + "Content-Length: 2\r\n", 0, "in one piece"},
		{"an error", "HTTP/1.1 500 Oh\r\nContent-Length: 2\r\n\r\nhi", 0, `"HTTP/1.1 500 Oh"`},
		{"chunked", head + "Transfer-Encoding: chunked\r\n\r\n", 0, "no Content-Length"},
		{"no number", head + "Content-Length: two\r\n\r\n", 0, "invalid syntax"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, err := load.ResponseLength([]byte(c.data))
			if c.err != "" {
				if err == nil || !strings.Contains(err.Error(), c.err) {
					t.Errorf("got the error %v, want one with %q", err, c.err)
				}
				return
			}
			if err != nil || got != c.want {
				t.Errorf("got %d, %v; want %d", got, err, c.want)
			}
		})
	}
}

func TestRequestsAreWhatTheStandardLibraryReads(t *testing.T) {
	t.Parallel()
	for _, cookie := range []string{"", "sessionid=abc"} {
		for path, request := range map[string][]byte{
			"/hello": load.Get("127.0.0.1:80", "/hello", cookie),
			"/ws":    load.Upgrade("127.0.0.1:80", "/ws", cookie),
		} {
			r := bufio.NewReader(bytes.NewReader(request))
			req, err := http.ReadRequest(r)
			if err != nil {
				t.Fatal(err)
			}
			if req.URL.Path != path || req.Host != "127.0.0.1:80" || req.Header.Get("Cookie") != cookie || r.Buffered() != 0 {
				t.Errorf("got %s %s with the cookie %q and %d bytes behind it", req.Host, req.URL, req.Header.Get("Cookie"), r.Buffered())
			}
		}
	}
}
