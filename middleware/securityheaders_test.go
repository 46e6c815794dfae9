package middleware_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/portico-go/portico/middleware"
	"github.com/portico-go/portico/protocol"
)

func TestSecurityHeaders(t *testing.T) {
	t.Parallel()
	app := protocol.ApplicationFunc(func(context.Context, *protocol.Scope, *protocol.Conn) (protocol.Handler, error) {
		return nil, &protocol.Reject{Status: 404, Header: protocol.Fields{{Name: "x-frame-options", Value: "DENY"}}}
	})
	h := run(t, middleware.SecurityHeaders()(app), request(t, "http")).header()
	if h.Get("X-Frame-Options") != "DENY" || h.Get("X-Content-Type-Options") != "nosniff" || h.Get("Referrer-Policy") == "" || len(h) != 4 {
		t.Errorf("the answer has %v, want the four headers with the application's own", h)
	}
	for _, proto := range []string{"websocket", "chat"} {
		if h := run(t, middleware.SecurityHeaders()(yes), request(t, proto)).header(); len(h) != 0 {
			t.Errorf("%s: the answer has %v, want nothing", proto, h)
		}
	}
}

func ExampleSecurityHeaders() {
	fmt.Println(protocol.Check(middleware.SecurityHeaders()(yes)))
	// Output: <nil>
}
