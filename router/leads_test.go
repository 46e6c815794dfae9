package router_test

import (
	"context"
	"testing"

	"github.com/portico-go/portico/middleware"
	"github.com/portico-go/portico/protocol"
	"github.com/portico-go/portico/router"
)

func TestLeads(t *testing.T) {
	t.Parallel()
	end := protocol.ApplicationFunc(func(context.Context, *protocol.Scope, *protocol.Conn) (protocol.Handler, error) {
		t.Error("something was opened")
		return nil, protocol.NoRoute()
	})
	around := middleware.Transform{Name: "around", Scope: func(_ context.Context, s *protocol.Scope) (*protocol.Scope, error) {
		t.Error("a middleware ran")
		return s, nil
	}}.Middleware()
	inner := router.MustURLRouter(router.Path("/{room:int}", end))
	app := around(router.ProtocolTypeRouter{
		"websocket": around(router.MustURLRouter(
			router.Path("/ws", end),
			router.Mount("/rooms", around(inner)),
			router.Mount("/all", end),
		)),
		"chat": end,
	})
	cases := map[string]bool{
		"websocket /ws":       true,
		"websocket /rooms/7":  true,
		"websocket /rooms/x":  false,
		"websocket /all/of":   true,
		"websocket /nowhere":  false,
		"chat /ws":            false, // there is no router
		"http /ws":            false,
		"websocket /ws/below": false,
	}
	for name, want := range cases {
		t.Run(name, func(t *testing.T) {
			var req protocol.Request
			for i := range name {
				if name[i] == ' ' {
					req = protocol.Request{Protocol: name[:i], Method: "GET", Target: name[i+1:]}
				}
			}
			scope, err := protocol.NewScope(&req)
			if err != nil {
				t.Fatal(err)
			}
			if got := router.Leads(app, scope); got != want {
				t.Errorf("Leads = %v, want %v", got, want)
			}
		})
	}
}
