//go:build !race

package http_test

import (
	"bufio"
	"context"
	"io"
	"strings"
	"testing"

	"github.com/valyala/fasthttp"

	"github.com/portico-go/portico/protocol"
	"github.com/portico-go/portico/protocol/http"
)

// hello is a trivial application: one handler and one answer per request.
type hello struct{ conn *protocol.Conn }

var helloApp = protocol.ApplicationFunc(func(_ context.Context, _ *protocol.Scope, conn *protocol.Conn) (protocol.Handler, error) {
	return &hello{conn}, nil
})

var helloBody = []byte("hello")

func (h *hello) Handle(_ context.Context, ev protocol.Event) error {
	if _, ok := ev.(*http.Request); ok {
		return h.conn.Send(&http.Response{Body: helloBody})
	}
	return nil
}

const getHello = "GET /hello?a=b HTTP/1.1\r\nHost: example.com\r\nUser-Agent: test\r\nAccept: */*\r\nCookie: a=b; c=d\r\n\r\n"

// parsed returns a RequestCtx that holds a request, as fasthttp has it.
func parsed(tb testing.TB, request string) *fasthttp.RequestCtx {
	tb.Helper()
	var ctx fasthttp.RequestCtx
	ctx.Init(&fasthttp.Request{}, nil, nil)
	if err := ctx.Request.Read(bufio.NewReader(strings.NewReader(request))); err != nil {
		tb.Fatal(err)
	}
	return &ctx
}

// A request costs: the exchange, which is its Request, Transport, Lifecycle and first
// scope; the string of its target and headers; and of the application's own the
// handler and the answer.
func TestAllocationsOfGet(t *testing.T) {
	handler := http.RequestHandler(helloApp, http.Config{})
	ctx := parsed(t, getHello)
	got := testing.AllocsPerRun(1000, func() {
		handler(ctx)
		ctx.Response.Reset()
	})
	if ctx.Response.StatusCode() != 200 {
		t.Fatal(ctx.Response.StatusCode())
	}
	if got > 4 {
		t.Errorf("a GET costs %v allocations, at most 4 are allowed", got)
	}
}

func TestAllocationsOfNewRequest(t *testing.T) {
	ctx := parsed(t, getHello)
	if got := testing.AllocsPerRun(1000, func() {
		if _, err := http.NewRequest(ctx); err != nil {
			t.Fatal(err)
		}
	}); got > 2 { // the Request, and the string of its target and headers
		t.Errorf("NewRequest costs %v allocations, at most 2 are allowed", got)
	}
}

func BenchmarkGet(b *testing.B) {
	bare := func(ctx *fasthttp.RequestCtx) { ctx.SetBody(helloBody) }
	for name, handler := range map[string]fasthttp.RequestHandler{
		"bare":     bare,
		"portico":  http.RequestHandler(helloApp, http.Config{}),
		"fasthttp": http.RequestHandler(http.FastHTTP(bare), http.Config{}),
	} {
		b.Run(name, func(b *testing.B) {
			ctx := parsed(b, getHello)
			b.ReportAllocs()
			for b.Loop() {
				handler(ctx)
				ctx.Response.Reset()
			}
		})
		b.Run(name+"/served", func(b *testing.B) { // parsing and writing included
			ln := newPipeListener()
			s := &fasthttp.Server{Handler: handler, Logger: quiet}
			go func() { _ = s.Serve(ln) }()
			defer func() { _ = s.Shutdown() }()
			conn, err := ln.Dial()
			if err != nil {
				b.Fatal(err)
			}
			defer func() { _ = conn.Close() }()
			buf := make([]byte, 4096)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := io.WriteString(conn, getHello); err != nil {
					b.Fatal(err)
				}
				if _, err := conn.Read(buf); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
