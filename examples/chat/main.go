// Chat is one program in which a browser, a terminal and an HTTP client sit in the
// same room: three protocols on one port, through one chain of middleware.
//
//	go run ./examples/chat
//
// Several of them form one chat, on one Redis or NATS server:
//
//	go run ./examples/chat -addr 127.0.0.1:8001 -layer redis://127.0.0.1:6379
//	go run ./examples/chat -addr 127.0.0.1:8002 -layer redis://127.0.0.1:6379
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"os/signal"
	"syscall"

	"github.com/portico-go/portico/auth"
	"github.com/portico-go/portico/channellayer"
	"github.com/portico-go/portico/channellayer/presence"
	"github.com/portico-go/portico/middleware"
	"github.com/portico-go/portico/middleware/session"
	"github.com/portico-go/portico/protocol"
	"github.com/portico-go/portico/router"
	"github.com/portico-go/portico/server"
)

func main() {
	addr := flag.String("addr", "127.0.0.1:8000", "listen on `HOST:PORT`")
	layer := flag.String("layer", "memory", "share the rooms with others: memory (with nobody), or the `URL` of a server, redis://… or nats://…")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *addr, *layer); err != nil {
		fmt.Fprintln(os.Stderr, "chat:", err)
		os.Exit(1)
	}
}

// run serves the chat on addr until ctx is done, and then drains.
func run(ctx context.Context, addr, layer string) (err error) {
	hub, err := openLayer(layer)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, hub.Close()) }()
	people, err := openPeople(hub)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, people.Close()) }()
	app, err := chat(hub, people)
	if err != nil {
		return err
	}
	ln, err := (&net.ListenConfig{}).Listen(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	host, port, err := net.SplitHostPort(ln.Addr().String())
	if err != nil {
		return err
	}
	fmt.Printf("In a browser:   http://%s/   (alice/wonderland, bob/builder, carol/singer)\n", ln.Addr())
	fmt.Printf("In a terminal:  (printf '/nick bob\\n/pass builder\\n/join /rooms/go\\n'; cat) | nc %s %s\n", host, port)
	return server.New(app, server.Config{}).Serve(ctx, server.Listener{Net: ln})
}

// chat returns the application: one tree for all protocols.
func chat(hub *channellayer.Hub, people *presence.Tracker) (protocol.Application, error) {
	users, err := auth.Users(map[string]string{"alice": "wonderland", "bob": "builder", "carol": "singer"})
	if err != nil {
		return nil, err
	}
	rooms := room(hub, people)
	sessions := session.New(session.NewMemoryStore(), session.Config{})
	stack := protocol.Chain(
		middleware.AllowedHosts(),
		middleware.SameOrigin(middleware.SameOriginConfig{}),
		auth.Stack(users, sessions),
	)
	return stack(router.ProtocolTypeRouter{
		"http":      (&site{users: users, hub: hub}).routes(),
		"websocket": router.MustURLRouter(router.Path("/ws/chat/{room}", rooms)),
		"chat":      auth.ChatUsername(users)(router.MustURLRouter(router.Path("/rooms/{room}", rooms))),
	}), nil
}
