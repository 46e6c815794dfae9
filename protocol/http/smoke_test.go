package http_test

import (
	"context"
	"strings"
	"testing"

	"github.com/portico-go/portico/protocol"
	"github.com/portico-go/portico/protocol/http"
)

var echo = open(func(scope *protocol.Scope, conn *protocol.Conn) protocol.HandlerFunc {
	return func(_ context.Context, ev protocol.Event) error {
		if ev, ok := ev.(*http.Request); ok {
			return conn.Send(&http.Response{
				Head: protocol.Head{Header: protocol.Fields{{Name: "X-Path", Value: scope.Path()}}},
				Body: ev.Body,
			})
		}
		return nil
	}
})

func TestSmoke(t *testing.T) {
	t.Parallel()
	c := client(t, serve(t, echo, http.Config{}))
	for _, body := range []string{"", "hello", strings.Repeat("x", 100_000)} {
		resp, err := c.Post("http://test/a/b", "text/plain", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		if got := read(t, resp); got != body || resp.StatusCode != 200 || resp.Header.Get("X-Path") != "/a/b" {
			t.Fatalf("answer = %d %v %.20q", resp.StatusCode, resp.Header, got)
		}
	}
}
