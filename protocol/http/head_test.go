package http_test

import (
	"bufio"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/valyala/fasthttp"

	"github.com/portico-go/portico/protocol"
	"github.com/portico-go/portico/protocol/http"
)

func TestViewHead(t *testing.T) {
	t.Parallel()
	tests := []struct {
		head string
		want http.HeadKind
	}{
		{"GET / HTTP/1.1\r\nHost: a\r\n\r\n", http.Common},
		{"HEAD /a%20b?c=d&e=/http://f HTTP/1.1\r\nhost: a.example:80\r\nConnection: Keep-Alive\r\nX: y\r\n\r\n", http.Common},
		{"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n", http.Upgrading},
		{"GET / HTTP/1.1\r\nUPGRADE: h2c\r\nConnection: keep-alive, upgrade\r\nHost: a\r\n\r\n", http.Upgrading},

		{"POST / HTTP/1.1\r\nHost: a\r\n\r\n", http.Uncommon},
		{"get / HTTP/1.1\r\nHost: a\r\n\r\n", http.Uncommon},
		{"GET  / HTTP/1.1\r\nHost: a\r\n\r\n", http.Uncommon},
		{"GET /  HTTP/1.1\r\nHost: a\r\n\r\n", http.Uncommon},
		{"GET / HTTP/1.0\r\nHost: a\r\n\r\n", http.Uncommon},
		{"GET / HTTP/1.1\nHost: a\n\n", http.Uncommon},
		{"GET / HTTP/1.1\r\nHost: a\r\n\n", http.Uncommon},
		{"GET / HTTP/1.1\r\nHost: a\n\r\n", http.Uncommon},
		{"GET / HTTP/1.1\r\n\r\n", http.Uncommon},
		{"\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", http.Uncommon},
		{"GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n", http.Uncommon},
		{"GET /#a HTTP/1.1\r\nHost: a\r\n\r\n", http.Uncommon},
		{"GET /\x00 HTTP/1.1\r\nHost: a\r\n\r\n", http.Uncommon},
		{"GET /\xc3\xa4 HTTP/1.1\r\nHost: a\r\n\r\n", http.Uncommon},
		{"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", http.Uncommon},
		{"GET / HTTP/1.1\r\nHost:\r\n\r\n", http.Uncommon},
		{"GET / HTTP/1.1\r\nHost: a@b\r\n\r\n", http.Uncommon},
		{"GET / HTTP/1.1\r\nHost: [::1]\r\n\r\n", http.Uncommon},
		{"GET / HTTP/1.1\r\nHost: a\r\nX : y\r\n\r\n", http.Uncommon},
		{"GET / HTTP/1.1\r\nHost: a\r\nX: y\r\n z\r\n\r\n", http.Uncommon},
		{"GET / HTTP/1.1\r\nHost: a\r\nX: \x01\r\n\r\n", http.Uncommon},
		{"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", http.Uncommon},
		{"GET / HTTP/1.1\r\nHost: a\r\ncontent-length: 5\r\n\r\n", http.Uncommon},
		{"GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", http.Uncommon},
		{"GET / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n\r\n", http.Uncommon},
		{"GET / HTTP/1.1\r\nHost: a\r\nTrailer: x\r\n\r\n", http.Uncommon},
		{"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", http.Uncommon},
		{"GET / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, close\r\n\r\n", http.Uncommon},
		{"GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\n\r\n", http.Uncommon},
		{"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\r\n", http.Uncommon},
		{"", http.Uncommon},
		{"GET /", http.Uncommon},
		{"GET / HTTP/1.1\r\n", http.Uncommon},
	}
	for _, test := range tests {
		req := new(protocol.Request)
		if got := http.ViewHead(req, []byte(test.head)); got != test.want {
			t.Errorf("%q: got %d, want %d", test.head, got, test.want)
		} else if got != http.Uncommon {
			sameAsFastHTTP(t, test.head, req)
		}
	}
}

// sameAsFastHTTP checks that fasthttp reads the head too, and sees the same request.
func sameAsFastHTTP(t *testing.T, head string, req *protocol.Request) {
	t.Helper()
	var ctx fasthttp.RequestCtx
	ctx.Init(&fasthttp.Request{}, nil, nil)
	r := bufio.NewReader(strings.NewReader(head))
	h := &ctx.Request.Header
	if err := h.Read(r); err != nil || r.Buffered() > 0 {
		t.Fatalf("%q: fasthttp leaves %d bytes, %v", head, r.Buffered(), err)
	}
	other, err := http.NewRequest(&ctx)
	if err != nil {
		t.Fatalf("%q: %v", head, err)
	}
	if req.Protocol != other.Protocol || req.Version != other.Version || req.Method != other.Method || req.Target != other.Target {
		t.Errorf("%q: %+v, fasthttp sees %+v", head, req, other)
	}
	if !maps.Equal(fields(req), fields(other)) {
		t.Errorf("%q: %q, fasthttp sees %q", head, fields(req), fields(other))
	}
	if closes, length := h.ConnectionClose(), h.ContentLength(); closes || length > 0 || length == -1 || ctx.Request.MayContinue() {
		t.Errorf("%q: fasthttp sees a body of %d bytes, or closes the connection: %v", head, length, closes)
	}
}

// fields are the header fields by name, each with its values.
func fields(req *protocol.Request) map[string]string {
	all := map[string]string{}
	for name, value := range req.Headers.All() {
		all[strings.ToLower(name)] += value + "\n"
	}
	return all
}

// FuzzViewHead checks that what is read in place of fasthttp says the same to both.
func FuzzViewHead(f *testing.F) {
	for _, seed := range []string{
		"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
		"HEAD /a?b=c HTTP/1.1\r\nHost: a:1\r\nConnection: keep-alive\r\nCookie: a=b\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: a\r\nX: a\r\n b\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: a\r\n\r\nGET /b HTTP/1.1\r\nHost: a\r\n\r\n",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, head string) {
		if end := strings.Index(head, "\r\n\r\n"); end >= 0 { // as the server does
			head = head[:end+4]
		}
		req := new(protocol.Request)
		if http.ViewHead(req, []byte(head)) == http.Uncommon {
			return
		}
		sameAsFastHTTP(t, head, req)
		if !slices.Contains([]string{"GET", "HEAD"}, req.Method) || req.Target[0] != '/' {
			t.Errorf("%q: %s %q", head, req.Method, req.Target)
		}
	})
}
