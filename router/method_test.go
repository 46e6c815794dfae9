package router_test

import (
	"context"
	"testing"

	"github.com/portico-go/portico/protocol"
	"github.com/portico-go/portico/router"
)

func TestMethods(t *testing.T) {
	t.Parallel()
	r := routerOf(t,
		router.Path("GET /a", app("get")),
		router.Path("POST /a", app("post")),
		router.Path("GET /b", app("get b")), router.Path("HEAD /b", app("head b")), router.Path("OPTIONS /b", app("options b")),
		router.Path("/c", app("any c")), router.Path("GET /c", app("get c")),
		router.Path("DELETE /{x}", app("delete")),
		router.Path("QUERY  /q/", app("query")),
	)
	want(t, r, map[string]string{
		"GET /a": "get", "HEAD /a": "get", "POST /a": "post", "DELETE /a": "delete x=a",
		"PUT /a":     "405 DELETE, GET, HEAD, OPTIONS, POST",
		"OPTIONS /a": "204 DELETE, GET, HEAD, OPTIONS, POST",
		"HEAD /b":    "head b", "OPTIONS /b": "options b", "PUT /b": "405 DELETE, GET, HEAD, OPTIONS",
		"HEAD /c": "get c", "POST /c": "any c", "OPTIONS /c": "any c",
		"GET /x": "405 DELETE, OPTIONS", "QUERY /q/": "query", "GET /q/": "405 OPTIONS, QUERY",
		"PUT /q/x": "404", "get /b": "405 DELETE, GET, HEAD, OPTIONS",
	})
}

// A 405 does not keep an outer router from going on, and in the end the answer
// names what all of them allow.
func TestWrongMethodInNestedRouters(t *testing.T) {
	t.Parallel()
	inner := routerOf(t, router.Path("GET /x", app("inner")))
	r := routerOf(t,
		router.Mount("/api", plain(inner)),
		router.Path("POST /api/{rest...}", app("post")),
		router.Path("PUT /other", app("put")),
		router.Mount("/a", routerOf(t, router.Path("GET /x", app("a")))),
		router.Path("/a/x/{y...}", app("more")),
		router.Regexp(`^api/x$`, noRoute),
	)
	want(t, r, map[string]string{
		"GET /api/x": "inner /api|/x", "POST /api/x": "post rest=x",
		"PUT /api/x":     "405 GET, HEAD, OPTIONS, POST",
		"OPTIONS /api/x": "204 GET, HEAD, OPTIONS, POST",
		"POST /a/x":      "405 GET, HEAD, OPTIONS",
		"PUT /nowhere":   "404",
	})
	_, err := try(t, r, get("OPTIONS /api/x"))
	if reject, _ := protocol.RejectOf(err); reject.Body == nil || len(reject.Body) > 0 {
		t.Errorf("the 204 has the body %q, want an empty one", reject.Body)
	}
	if !protocol.IsNoRoute(err) {
		t.Error("IsNoRoute is false for the automatic OPTIONS")
	}
}

func TestAnotherAnswerThanNotFoundIsKept(t *testing.T) {
	t.Parallel()
	upgrade := protocol.ApplicationFunc(func(context.Context, *protocol.Scope, *protocol.Conn) (protocol.Handler, error) {
		return nil, protocol.NoRouteWith(protocol.Reject{Status: 426})
	})
	want(t, routerOf(t, router.Path("/a", noRoute), router.Path("/{x}", upgrade), router.Path("/{x...}", noRoute)), map[string]string{
		"/a": "426", "/b": "426", "/a/b": "404",
	})
}

// Chat and jobs have no methods: routes with one are for others.
func TestProtocolsWithoutMethods(t *testing.T) {
	t.Parallel()
	r := routerOf(t, router.Path("GET /a", app("get")), router.Path("/{x}", app("any")), router.Path("GET /b/c", app("c")))
	for target, want := range map[string]string{"/a": "any x=a", "/b/c": "404"} {
		if got := open(t, r, &protocol.Request{Protocol: "chat", Target: target}); got != want {
			t.Errorf("%s leads to %q, want %q", target, got, want)
		}
	}
}
