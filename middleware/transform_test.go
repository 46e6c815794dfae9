package middleware_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/portico-go/portico/middleware"
	"github.com/portico-go/portico/protocol"
)

var testKey = protocol.NewKey[string]("the test's key")

// every lists the middlewares of this package as they are used, for what holds for
// all of them.
func every() map[string]protocol.Middleware {
	proxies := []string{"192.0.2.0/24"}
	return map[string]protocol.Middleware{
		"AccessLog":        middleware.AccessLog(middleware.AccessLogConfig{Logger: zap.NewNop()}),
		"AllowedHosts":     middleware.AllowedHosts("localhost"),
		"AllowedOrigins":   middleware.AllowedOrigins("localhost"),
		"CORS":             middleware.CORS(middleware.CORSConfig{Origins: []string{"*"}}),
		"HandshakeTimeout": middleware.HandshakeTimeout(time.Minute),
		"ProxyHeaders":     middleware.ProxyHeaders(middleware.ProxyHeadersConfig{TrustedProxies: proxies, Host: true}),
		"Recover":          middleware.Recover(middleware.RecoverConfig{Logger: zap.NewNop()}),
		"RequestID":        middleware.RequestID(middleware.RequestIDConfig{TrustedProxies: proxies}),
		"SameOrigin":       middleware.SameOrigin(middleware.SameOriginConfig{}),
		"SecurityHeaders":  middleware.SecurityHeaders(),
		"TraceContext":     middleware.TraceContext(middleware.TraceContextConfig{TrustedProxies: proxies}),
		"Transform":        middleware.Transform{Name: "Transform", Scope: same}.Middleware(),
		"Around":           middleware.Around{Name: "Around", Open: through}.Middleware(),
	}
}

func same(_ context.Context, scope *protocol.Scope) (*protocol.Scope, error) { return scope, nil }

func through(ctx context.Context, s *protocol.Scope, c *protocol.Conn, inner protocol.Application) (protocol.Handler, error) {
	return inner.Open(ctx, s, c)
}

// usual returns a request that all of them let pass.
func usual(t *testing.T, proto string) *protocol.Request {
	t.Helper()
	if proto == "chat" {
		return request(t, proto, "Nick: alice")
	}
	return request(t, proto, "Host: localhost", "Origin: http://localhost")
}

func TestEveryMiddlewareServesEveryProtocol(t *testing.T) {
	t.Parallel()
	for name, mw := range every() {
		var described protocol.Node
		err := protocol.Walk(mw(yes), func(n protocol.Node) error {
			if described.App == nil {
				described = n
			}
			return nil
		})
		if err != nil || described.Name != name || len(described.Inner) != 1 || described.Err != nil {
			t.Errorf("%s describes itself as %q with %d inner applications and the fault %v", name, described.Name, len(described.Inner), described.Err)
		}
		for _, proto := range []string{"http", "POST http", "websocket", "chat"} {
			d := run(t, mw(yes), usual(t, proto))
			if len(d.of(protocol.Accepted)) != 1 || len(d.of(protocol.Failed)) != 0 {
				t.Errorf("%s over %s: refused %v, failed %v", name, proto, d.of(protocol.Refused), d.of(protocol.Failed))
			}
		}
	}
}

// tracing is an application with a cleanup in Open and one in its handler, which
// panics where it is told to, and writes down what is called at the end.
func tracing(panics string, end *[]string) protocol.Application {
	return protocol.ApplicationFunc(func(_ context.Context, scope *protocol.Scope, conn *protocol.Conn) (protocol.Handler, error) {
		scope.OnClose(func(context.Context, error) { *end = append(*end, "cleanup of Open") })
		if panics == "open" {
			panic("in Open")
		}
		return protocol.HandlerFunc(func(_ context.Context, ev protocol.Event) error {
			switch ev.(type) {
			case *protocol.Connect:
				conn.OnClose(func(context.Context, error) { *end = append(*end, "cleanup of Connect") })
				panic("in Connect")
			case *protocol.Disconnect:
				*end = append(*end, "Disconnect")
			}
			return nil
		}), nil
	})
}

func TestCleanupsRunAfterAPanicInsideOfEveryMiddleware(t *testing.T) {
	t.Parallel()
	for name, mw := range every() {
		for _, proto := range []string{"http", "websocket", "chat"} {
			for panics, want := range map[string][]string{
				"open":    {"cleanup of Open"},
				"connect": {"cleanup of Connect", "Disconnect", "cleanup of Open"},
			} {
				var end []string
				d := run(t, mw(tracing(panics, &end)), usual(t, proto))
				if !slices.Equal(end, want) || d.status() != 500 {
					t.Errorf("%s over %s, panic in %s: at the end %q, want %q; status %d, want 500", name, proto, panics, end, want, d.status())
				}
			}
		}
	}
}

func TestCleanupsRunAfterAPanicInAMiddleware(t *testing.T) {
	t.Parallel()
	broken := map[string]protocol.Middleware{
		"Transform": middleware.Transform{Scope: func(context.Context, *protocol.Scope) (*protocol.Scope, error) { panic("in Scope") }}.Middleware(),
		"Around": middleware.Around{Open: func(context.Context, *protocol.Scope, *protocol.Conn, protocol.Application) (protocol.Handler, error) {
			panic("in Open")
		}}.Middleware(),
	}
	for name, mw := range broken {
		undone := 0
		outer := middleware.Transform{Scope: func(_ context.Context, s *protocol.Scope) (*protocol.Scope, error) {
			s.OnClose(func(context.Context, error) { undone++ })
			return s, nil
		}}.Middleware()
		if d := run(t, outer(mw(yes)), request(t, "websocket")); undone != 1 || d.status() != 500 {
			t.Errorf("%s: %d cleanups, want 1; status %d, want 500", name, undone, d.status())
		}
	}
}

func TestWrongOrderNamesBothSides(t *testing.T) {
	t.Parallel()
	needing := middleware.Transform{Name: "greeting", Requires: []protocol.AnyKey{testKey}, Scope: same}.Middleware()
	needingAround := middleware.Around{Name: "greeting", Requires: []protocol.AnyKey{testKey}, Open: through}.Middleware()
	giving := middleware.Transform{Name: "naming", Provides: []protocol.AnyKey{testKey}, Scope: same}.Middleware()
	givingAround := middleware.Around{Name: "naming", Provides: []protocol.AnyKey{testKey}, Open: through}.Middleware()
	for _, inner := range []protocol.Middleware{needing, needingAround} {
		for _, outer := range []protocol.Middleware{giving, givingAround} {
			wantNoFault(t, protocol.Chain(outer, inner))
			wantFault(t, protocol.Chain(inner, outer), "greeting needs", "the test's key", "put naming outside of greeting")
		}
		wantFault(t, inner, "greeting needs", "the test's key", "nothing around it provides it")
	}
	wantFault(t, middleware.Around{Name: "x", Open: through, Check: errTest}.Middleware(), "x: ", errTest.Error())
}

func TestTransformIsOutOfTheWay(t *testing.T) {
	t.Parallel()
	own := protocol.HandlerFunc(func(context.Context, protocol.Event) error { return errTest })
	app := middleware.Transform{Scope: func(_ context.Context, s *protocol.Scope) (*protocol.Scope, error) {
		return s.With(testKey.Of("alice")), nil
	}}.Middleware()(protocol.ApplicationFunc(func(_ context.Context, s *protocol.Scope, _ *protocol.Conn) (protocol.Handler, error) {
		if name, _ := testKey.From(s); name != "alice" {
			t.Errorf("the key has %q, want alice", name)
		}
		return own, nil
	}))
	scope, err := protocol.NewScope(request(t, "http"))
	if err != nil {
		t.Fatal(err)
	}
	h, err := app.Open(t.Context(), scope, nil)
	if err != nil || !errors.Is(h.Handle(t.Context(), &protocol.Connect{}), errTest) {
		t.Errorf("got %T, %v: want the application's own handler", h, err)
	}
	if _, ok := h.(protocol.HandlerFunc); !ok {
		t.Errorf("the handler was wrapped in a %T", h)
	}
}

func TestTransformRefuses(t *testing.T) {
	t.Parallel()
	app := middleware.Transform{Scope: func(context.Context, *protocol.Scope) (*protocol.Scope, error) {
		return nil, protocol.Rejectf(418, "no coffee")
	}}.Middleware()(protocol.ApplicationFunc(func(context.Context, *protocol.Scope, *protocol.Conn) (protocol.Handler, error) {
		t.Error("the application was opened behind a refusal")
		return nil, errTest
	}))
	wantRefusal(t, run(t, app, request(t, "websocket")), 418, "no coffee")
}

func ExampleTransform() {
	tenant := protocol.NewKey[string]("tenant")
	byHost := middleware.Transform{
		Name:     "tenant",
		Provides: []protocol.AnyKey{tenant},
		Scope: func(_ context.Context, scope *protocol.Scope) (*protocol.Scope, error) {
			if scope.Host() == "" {
				return nil, protocol.Rejectf(400, "which tenant?")
			}
			return scope.With(tenant.Of(scope.Host())), nil
		},
	}.Middleware()
	fmt.Println(protocol.Check(byHost(yes)))
	// Output: <nil>
}

func ExampleAround() {
	timing := middleware.Around{
		Name: "timing",
		Open: func(ctx context.Context, scope *protocol.Scope, conn *protocol.Conn, inner protocol.Application) (protocol.Handler, error) {
			handler, err := inner.Open(ctx, scope, conn)
			if err != nil {
				return nil, err
			}
			return protocol.HandlerFunc(func(ctx context.Context, ev protocol.Event) error {
				start := time.Now()
				defer func() { _ = time.Since(start) }() // for a metric
				return handler.Handle(ctx, ev)
			}), nil
		},
	}.Middleware()
	fmt.Println(protocol.Check(timing(yes)))
	// Output: <nil>
}
