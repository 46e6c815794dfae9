package http_test

import (
	"context"
	"fmt"
	"io"
	nethttp "net/http"
	"net/http/httptest"
	"strings"

	"github.com/portico-go/portico/protocol"
	"github.com/portico-go/portico/protocol/http"
)

// counter answers with the number of the parts and bytes of a body.
var counter = protocol.ApplicationFunc(func(_ context.Context, _ *protocol.Scope, conn *protocol.Conn) (protocol.Handler, error) {
	parts, size := 0, 0
	return protocol.HandlerFunc(func(_ context.Context, ev protocol.Event) error {
		r, ok := ev.(*http.Request)
		if !ok {
			return nil
		}
		parts, size = parts+1, size+len(r.Body)
		if r.More {
			return nil
		}
		return conn.Send(&http.Response{Body: fmt.Appendf(nil, "several parts: %v, %d bytes", parts > 1, size)})
	}), nil
})

// post posts n bytes to an application.
func post(app protocol.Application, n int) {
	server := httptest.NewServer(http.Handler(app, http.Config{}))
	defer server.Close()
	answer, err := nethttp.Post(server.URL, "text/plain", strings.NewReader(strings.Repeat("x", n)))
	if err != nil {
		panic(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	fmt.Println(answer.StatusCode, strings.TrimSpace(string(text)), err)
}

func ExampleBodyLimit() {
	limited := http.BodyLimit(1000)(counter)
	post(limited, 1000)
	post(limited, 1001)
	// Output:
	// 200 several parts: false, 1000 bytes <nil>
	// 413 the request's body has more than 1000 bytes <nil>
}

func ExampleStreamBody() {
	post(http.StreamBody()(counter), 1<<20)
	// Output: 200 several parts: true, 1048576 bytes <nil>
}
