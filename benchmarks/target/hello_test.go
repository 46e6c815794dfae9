package main

import (
	"bufio"
	"net"
	"strings"
	"testing"

	"github.com/valyala/fasthttp"

	"github.com/portico-go/portico/auth"
	"github.com/portico-go/portico/middleware/session"
	"github.com/portico-go/portico/protocol/http"
	"github.com/portico-go/portico/router"
)

// BenchmarkHello is what a request costs between fasthttp's parser and its writer.
func BenchmarkHello(b *testing.B) {
	users := newDirectory("alice")
	stack := auth.Stack(users, session.New(session.NewMemoryStore(), session.Config{}))
	handler := http.RequestHandler(router.ProtocolTypeRouter{"http": stack(site(users))}, http.Config{})
	b.Run("anonymous", func(b *testing.B) { serve(b, handler, "") })

	login := request("/login?user=alice", "")
	handler(login)
	var cookie fasthttp.Cookie
	cookie.SetKey("sessionid")
	if !login.Response.Header.Cookie(&cookie) {
		b.Fatalf("no cookie: %s", &login.Response)
	}
	b.Run("session", func(b *testing.B) { serve(b, handler, "sessionid="+string(cookie.Value())) })
}

func serve(b *testing.B, handler fasthttp.RequestHandler, cookie string) {
	b.Helper()
	ctx := request("/hello", cookie)
	b.ReportAllocs()
	for b.Loop() {
		ctx.Response.Reset()
		handler(ctx)
	}
	if ctx.Response.StatusCode() != 200 {
		b.Fatalf("answered %s", &ctx.Response)
	}
}

func request(target, cookie string) *fasthttp.RequestCtx {
	var ctx fasthttp.RequestCtx
	var req fasthttp.Request
	raw := "GET " + target + " HTTP/1.1\r\nHost: 127.0.0.1:9000\r\nUser-Agent: load\r\nAccept: */*\r\n"
	if cookie != "" {
		raw += "Cookie: " + cookie + "\r\n"
	}
	client, server := net.Pipe()
	_ = client.Close()
	ctx.Init2(server, nil, false)
	if err := req.Header.Read(reader(raw + "\r\n")); err != nil {
		panic(err)
	}
	req.CopyTo(&ctx.Request)
	return &ctx
}

func reader(s string) *bufio.Reader { return bufio.NewReader(strings.NewReader(s)) }
