package http_test

import (
	"context"
	"fmt"
	"io"
	nethttp "net/http"
	"net/http/httptest"

	"github.com/valyala/fasthttp"

	"github.com/portico-go/portico/protocol"
	"github.com/portico-go/portico/protocol/http"
)

// greeter answers each request with a greeting.
var greeter = protocol.ApplicationFunc(func(_ context.Context, scope *protocol.Scope, conn *protocol.Conn) (protocol.Handler, error) {
	return protocol.HandlerFunc(func(_ context.Context, ev protocol.Event) error {
		if _, ok := ev.(*http.Request); !ok {
			return nil
		}
		return conn.Send(&http.Response{Body: []byte("hello from " + scope.Path())})
	}), nil
})

func ExampleNewFront() {
	front := http.NewFront(greeter, http.Config{MaxBody: 64 << 10})
	s := &fasthttp.Server{Handler: front.ServeFastHTTP}
	front.Configure(s)
	// s.ListenAndServe(":8000")
}

func ExampleRequestHandler() {
	var ctx fasthttp.RequestCtx
	ctx.Init(&fasthttp.Request{}, nil, nil)
	ctx.Request.Header.SetProtocol("HTTP/1.0")
	ctx.Request.SetRequestURI("/there")

	http.RequestHandler(greeter, http.Config{})(&ctx)
	fmt.Println(ctx.Response.StatusCode(), string(ctx.Response.Body()))
	// Output: 200 hello from /there
}

func ExampleHandler() {
	s := httptest.NewServer(http.Handler(greeter, http.Config{}))
	defer s.Close()
	fmt.Println(get(s, "/there"))
	// Output: 200 hello from /there
}

func ExampleNetHTTP() {
	app := http.NetHTTP(nethttp.HandlerFunc(func(w nethttp.ResponseWriter, r *nethttp.Request) {
		_, _ = fmt.Fprintf(w, "hello from %s", r.URL.Path)
	}))
	s := httptest.NewServer(http.Handler(app, http.Config{}))
	defer s.Close()
	fmt.Println(get(s, "/there"))
	// Output: 200 hello from /there
}

func ExampleFastHTTP() {
	app := http.FastHTTP(func(ctx *fasthttp.RequestCtx) {
		_, _ = fmt.Fprintf(ctx, "hello from %s", ctx.Path())
	})
	s := httptest.NewServer(http.Handler(app, http.Config{}))
	defer s.Close()
	fmt.Println(get(s, "/there"))
	// Output: 200 hello from /there
}

// A handler that streams sends each part when it has it.
func ExampleStream() {
	app := protocol.ApplicationFunc(func(_ context.Context, scope *protocol.Scope, conn *protocol.Conn) (protocol.Handler, error) {
		http.Stream(scope)
		return protocol.HandlerFunc(func(ctx context.Context, ev protocol.Event) error {
			if _, ok := ev.(*http.Request); !ok {
				return nil
			}
			if err := conn.Send(&http.ResponseStart{}); err != nil {
				return err
			}
			for i := range 3 {
				if err := http.Drain(ctx, conn); err != nil {
					return err
				}
				if err := conn.Send(&http.ResponseBody{Body: fmt.Append(nil, i, " "), More: i < 2}); err != nil {
					return err
				}
			}
			return nil
		}), nil
	})
	s := httptest.NewServer(http.Handler(app, http.Config{}))
	defer s.Close()
	fmt.Println(get(s, "/"))
	// Output: 200 0 1 2
}

func get(s *httptest.Server, path string) string {
	resp, err := s.Client().Get(s.URL + path)
	if err != nil {
		return err.Error()
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return err.Error()
	}
	return fmt.Sprint(resp.StatusCode, " ", string(body))
}
