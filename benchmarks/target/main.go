// Target is portico as a user would build it: protocols, sessions, users, 200 routes
// and groups, to be measured beside bare libraries.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/portico-go/portico/auth"
	"github.com/portico-go/portico/channellayer"
	"github.com/portico-go/portico/consumer"
	"github.com/portico-go/portico/middleware/session"
	"github.com/portico-go/portico/protocol"
	"github.com/portico-go/portico/router"
	"github.com/portico-go/portico/server"
)

func main() {
	addr := flag.String("addr", "127.0.0.1:9000", "listen on `HOST:PORT`")
	stats := flag.String("stats", "", "tell about goroutines and heap at `PATH`; nobody but the load generator may reach it")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *addr, *stats); err != nil {
		fmt.Fprintln(os.Stderr, "target:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, addr, stats string) error {
	users := newDirectory("alice", "bob", "carol")
	hub, err := channellayer.New(channellayer.Config{})
	if err != nil {
		return err
	}
	stack := auth.Stack(users, session.New(session.NewMemoryStore(), session.Config{}))
	app := router.ProtocolTypeRouter{
		"http":      stack(site(users, statsRoute(stats)...)),
		"websocket": stack(sockets(hub)),
	}
	return server.New(app, server.Config{}).ListenAndServe(ctx, addr)
}

// site has 200 routes, of which two are used, and further ones.
func site(users auth.Backend, further ...router.Route) *router.URLRouter {
	routes := append(further,
		router.Path("GET /hello", consumer.HTTPFunc(hello)),
		router.Path("GET /login", consumer.HTTPFunc(func(ctx context.Context, x *consumer.Exchange) error {
			user, err := users.Get(ctx, x.Scope().Query("user"))
			if err != nil {
				return protocol.Rejectf(404, "no such user")
			}
			if err := auth.Login(ctx, x.Scope(), user); err != nil {
				return err
			}
			return x.NoContent(204)
		})),
	)
	for i := range 99 {
		routes = append(routes,
			router.Path(fmt.Sprintf("GET /section%d/about", i), consumer.HTTPFunc(hello)),
			router.Path(fmt.Sprintf("GET /section%d/items/{id:int}", i), consumer.HTTPFunc(hello)))
	}
	return router.MustURLRouter(routes...)
}

var greeting = []byte("hello, world\n")

func hello(_ context.Context, x *consumer.Exchange) error {
	return x.Respond(200, "text/plain; charset=utf-8", greeting)
}

// sockets are the WebSocket routes.
func sockets(hub *channellayer.Hub) *router.URLRouter {
	echo := func(_ *struct{}, _ context.Context, c *consumer.Conn, m *protocol.Message) error { return c.Send(m) }
	return router.MustURLRouter(
		router.Path("/ws", &consumer.Messages[struct{}]{Receive: echo}),
		router.Path("/bc", &consumer.Messages[struct{}]{
			Layer:      hub,
			Groups:     []string{"bc"},
			Broadcasts: consumer.Broadcasts{"bc": verbatim},
			Receive: func(_ *struct{}, ctx context.Context, c *consumer.Conn, m *protocol.Message) error {
				return c.Broadcast(ctx, "bc", "bc", text(m.Data))
			},
		}),
		router.Path("/ws/{room}", &consumer.Messages[struct{}]{
			Layer: hub,
			Connect: func(_ *struct{}, ctx context.Context, c *consumer.Conn) error {
				return c.Join(ctx, c.Scope().Param("room"))
			},
			Receive: echo,
		}),
	)
}

// text is a message that is passed on as it is.
type text string

func verbatim(_ protocol.Framing, m *channellayer.Message) ([]byte, error) {
	value, err := channellayer.Value[text](m)
	return []byte(value), err
}
