//go:build !race

package middleware_test

import (
	"context"
	"testing"

	"github.com/portico-go/portico/middleware"
	"github.com/portico-go/portico/protocol"
)

func TestPassingAllocatesNothing(t *testing.T) {
	inner := protocol.ApplicationFunc(func(context.Context, *protocol.Scope, *protocol.Conn) (protocol.Handler, error) {
		return nil, nil
	})
	page := []string{"Host: example.com:8000", "User-Agent: test", "Origin: http://example.com:8000"}
	trusted := middleware.SameOriginConfig{TrustedOrigins: []string{"https://.example.org"}}
	tests := map[string]struct {
		mw  protocol.Middleware
		req *protocol.Request
	}{
		"SameOrigin websocket":      {middleware.SameOrigin(middleware.SameOriginConfig{}), request(t, "websocket", page...)},
		"SameOrigin Sec-Fetch-Site": {middleware.SameOrigin(middleware.SameOriginConfig{}), request(t, "POST http", "Host: a", "Sec-Fetch-Site: same-origin")},
		"SameOrigin trusted":        {middleware.SameOrigin(trusted), request(t, "websocket", "Host: a", "Origin: https://b.example.org")},
		"SameOrigin safe":           {middleware.SameOrigin(middleware.SameOriginConfig{}), request(t, "http", page...)},
		"AllowedOrigins":            {middleware.AllowedOrigins("example.com:8000"), request(t, "websocket", page...)},
		"AllowedHosts listed":       {middleware.AllowedHosts(".a.example", "example.com"), request(t, "http", page...)},
		"AllowedHosts localhost":    {middleware.AllowedHosts(), request(t, "http", "Host: localhost:8000")},
		"AllowedHosts [::1]":        {middleware.AllowedHosts(), request(t, "http", "Host: [::1]:8000")},
	}
	for name, tt := range tests {
		scope, err := protocol.NewScope(tt.req)
		if err != nil {
			t.Fatal(err)
		}
		app := tt.mw(inner)
		if _, err := app.Open(context.Background(), scope, nil); err != nil {
			t.Errorf("%s does not pass: %v", name, err)
		}
		if n := testing.AllocsPerRun(100, func() { _, _ = app.Open(context.Background(), scope, nil) }); n != 0 {
			t.Errorf("%s: %v allocations, want 0", name, n)
		}
	}
}
