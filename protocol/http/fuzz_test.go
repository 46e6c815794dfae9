package http_test

import (
	"bufio"
	"strings"
	"testing"

	"github.com/valyala/fasthttp"

	"github.com/portico-go/portico/protocol"
	"github.com/portico-go/portico/protocol/http"
)

// FuzzNewRequest checks that what is let through says one thing: one host, one
// framing, an origin-form target that came from the client.
func FuzzNewRequest(f *testing.F) {
	for _, seed := range []string{
		"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
		"GET http://b:80/x?y HTTP/1.1\r\nA: b\r\nHost: a\r\n\r\n",
		"GET https://b HTTP/1.0\r\n\r\n",
		"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
		"CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: a\r\nX: a\r\n b\r\n\r\n",
		"GET / HTTP/1.1\nHost: a\n\n\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: a\r\nX: \x85\r\n\r\n",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, request string) {
		var ctx fasthttp.RequestCtx
		ctx.Init(&fasthttp.Request{}, nil, nil)
		if err := ctx.Request.Header.Read(bufio.NewReader(strings.NewReader(request))); err != nil {
			return
		}
		req, err := http.NewRequest(&ctx)
		if err != nil {
			return
		}
		if req.Target != "" && req.Target[0] != '/' || !strings.Contains(request, strings.TrimPrefix(req.Target, "/")) {
			t.Errorf("%q: target %q", request, req.Target)
		}
		count := map[string]int{}
		for name, value := range req.Headers.All() {
			count[strings.ToLower(name)]++
			if strings.ContainsAny(name+value, "\r\n\x00") || !protocol.IsToken(name) {
				t.Errorf("%q: header %q: %q", request, name, value)
			}
		}
		if count["host"] > 1 || req.Version == "1.1" && count["host"] == 0 || count["content-length"]+count["transfer-encoding"] > 1 {
			t.Errorf("%q: %v", request, count)
		}
	})
}
