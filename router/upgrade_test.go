package router_test

import (
	"errors"
	"testing"

	"github.com/portico-go/portico/protocol"
	"github.com/portico-go/portico/router"
)

func TestPlainGETOfAWebSocketRoute(t *testing.T) {
	t.Parallel()
	sockets := routerOf(t,
		router.Path("/ws/{room}", app("room")),
		router.Mount("/nested/", described(routerOf(t, router.Path("GET /{x:int}", app("nested"))))),
		router.Mount("/opaque", app("opaque")),
	)
	site := routerOf(t, router.Path("/", app("site")), router.Path("POST /ws/form", app("form")))
	both := router.ProtocolTypeRouter{"http": described(site), "websocket": described(sockets)}
	want(t, both, map[string]string{
		"/": "site", "/ws/go": "426", "/ws/": "404", "/nested/1": "426", "/nested/x": "404", "/opaque/x": "426",
		"POST /ws/go": "404", "HEAD /ws/go": "404", "/ws/form": "405 OPTIONS, POST",
	})
	_, err := try(t, both, get("/ws/go"))
	if r, ok := errors.AsType[*protocol.Reject](err); !ok || r.Header.Get("Upgrade") != "websocket" {
		t.Errorf("got %v, want a Reject with Upgrade", err)
	}

	want(t, router.ProtocolTypeRouter{"http": site}, map[string]string{"/ws/go": "404"})
	want(t, router.ProtocolTypeRouter{"http": site, "websocket": plain(sockets)}, map[string]string{"/ws/go": "404"})
	want(t, routerOf(t, router.Mount("/", both), router.Path("/ws/{x}", app("outer"))), map[string]string{"/ws/go": "outer x=go"})

	chat := router.ProtocolTypeRouter{"chat": site, "websocket": sockets}
	if got := open(t, chat, &protocol.Request{Protocol: "chat", Target: "/ws/go"}); got != "404" {
		t.Errorf("chat gets %q, want 404", got)
	}
}
