package http_test

import (
	"context"
	"crypto/tls"
	"net"
	nethttp "net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/valyala/fasthttp"

	"github.com/portico-go/portico/protocol"
	"github.com/portico-go/portico/protocol/http"
)

func TestH1_PostBodyStatusAndHeaders(t *testing.T) {
	t.Parallel()
	c := client(t, serve(t, echo, http.Config{}))
	resp, err := c.Post("http://test/a", "application/json", strings.NewReader(`{"value": 42}`))
	if err != nil {
		t.Fatal(err)
	}
	if got := read(t, resp); resp.StatusCode != 200 || got != `{"value": 42}` || resp.Header.Get("X-Path") != "/a" {
		t.Errorf("answer = %d %v %q", resp.StatusCode, resp.Header, got)
	}
}

func TestH3_AHandlerPerRequest(t *testing.T) {
	t.Parallel()
	conns := make(chan *protocol.Conn, 2)
	app := open(func(_ *protocol.Scope, conn *protocol.Conn) protocol.HandlerFunc {
		conns <- conn
		return answering(nil, &http.Response{})(nil, conn)
	})
	c := client(t, serve(t, app, http.Config{}))
	for range 2 {
		resp, err := c.Get("http://test/")
		if err != nil {
			t.Fatal(err)
		}
		_ = read(t, resp)
	}
	if a, b := <-conns, <-conns; a == b || a.ID() == b.ID() {
		t.Errorf("two requests on one connection had the same Conn %q", a.ID())
	}
}

// Addresses and the state of TLS are in the scope, over TCP.
func TestScopeOverTLS(t *testing.T) {
	t.Parallel()
	pki := httptest.NewTLSServer(nil)
	pki.Close()
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	out := make(chan *seen, 1)
	serveOn(t, tls.NewListener(tcp, &tls.Config{Certificates: pki.TLS.Certificates}), capture(out), http.Config{})
	c := pki.Client()
	t.Cleanup(c.CloseIdleConnections)
	c.Transport.(*nethttp.Transport).DialContext = dialTo(dialer.DialContext, tcp.Addr().String())
	resp, err := c.Get("https://example.com/")
	if err != nil {
		t.Fatal(err)
	}
	_ = read(t, resp)
	s := (<-out).scope
	if s.Scheme() != "https" || s.TLS() == nil || s.TLS().ServerName != "example.com" {
		t.Errorf("scheme = %q, TLS = %+v", s.Scheme(), s.TLS())
	}
	if !s.Client().Addr().IsLoopback() || !s.Client().Addr().Is4() || s.Server().String() != tcp.Addr().String() {
		t.Errorf("client = %v, server = %v", s.Client(), s.Server())
	}
}

func TestPrepareAndScheme(t *testing.T) {
	t.Parallel()
	type key struct{}
	cfg := http.Config{
		Scheme: "https",
		Context: func(*fasthttp.RequestCtx) context.Context {
			return context.WithValue(context.Background(), key{}, "parent")
		},
		Prepare: func(ctx *fasthttp.RequestCtx, req *protocol.Request) error {
			if string(ctx.Path()) == "/no" {
				return protocol.Rejectf(403, "not you")
			}
			req.Peer = &protocol.PeerCredentials{UID: 7}
			return nil
		},
	}
	out := make(chan string, 1)
	app := protocol.ApplicationFunc(func(ctx context.Context, s *protocol.Scope, conn *protocol.Conn) (protocol.Handler, error) {
		if s.Peer().UID != 7 || s.Scheme() != "https" {
			t.Errorf("peer = %v, scheme = %q", s.Peer(), s.Scheme())
		}
		v, _ := ctx.Value(key{}).(string)
		out <- v
		return answering(nil, &http.Response{})(s, conn), nil
	})
	ln := serve(t, app, cfg)
	if resp := raw(t, ln, "GET / HTTP/1.1\r\nHost: a\r\n\r\n"); resp.StatusCode != 200 || <-out != "parent" {
		t.Errorf("status = %d", resp.StatusCode)
	}
	if resp := raw(t, ln, "GET /no HTTP/1.1\r\nHost: a\r\n\r\n"); resp.StatusCode != 403 {
		t.Errorf("status = %d, want 403", resp.StatusCode)
	}
}
