// Customprotocol adds a protocol of its own to a server: programs speak netstrings
// in the rooms in which browsers speak WebSocket and people speak the line
// protocol, behind the same authentication, with HTTP on the same port.
//
//	go run ./examples/customprotocol
//
// protocol.go is all that there is to a protocol. It is listed in
// server.Config.Protocols and has an entry in the ProtocolTypeRouter; everything
// else in this program knows nothing of it.
package main

import (
	"context"
	"flag"
	"fmt"
	"net"
	"os"
	"os/signal"
	"syscall"

	"github.com/portico-go/portico/auth"
	"github.com/portico-go/portico/channellayer"
	"github.com/portico-go/portico/consumer"
	"github.com/portico-go/portico/protocol"
	"github.com/portico-go/portico/protocol/chat"
	"github.com/portico-go/portico/router"
	"github.com/portico-go/portico/server"
)

func main() {
	addr := flag.String("addr", "127.0.0.1:8000", "listen on `HOST:PORT`")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *addr); err != nil {
		fmt.Fprintln(os.Stderr, "customprotocol:", err)
		os.Exit(1)
	}
}

// run serves on addr until ctx is done.
func run(ctx context.Context, addr string) error {
	srv, err := newServer(server.Config{})
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
	fmt.Printf("A person:   (printf '/token wonderland\\n/join /rooms/go\\n'; cat) | nc %s %s\n", host, port)
	fmt.Printf("A program:  (printf '17:/rooms/go builder,13:{\"text\":\"hi\"},'; sleep 600) | nc %s %s\n", host, port)
	fmt.Printf("HTTP:       curl http://%s/\n", ln.Addr())
	return srv.Serve(ctx, server.Listener{Net: ln})
}

// newServer returns the server, which speaks netstrings besides what it would
// speak anyway.
func newServer(cfg server.Config) (*server.Server, error) {
	hub, err := channellayer.New(channellayer.Config{})
	if err != nil {
		return nil, err
	}
	lines, err := chat.New(chat.Config{})
	if err != nil {
		return nil, err
	}
	cfg.Protocols = []protocol.Protocol{netstrings{}, lines}
	rooms := router.MustURLRouter(router.Path("/rooms/{room}", room(hub)))
	app := auth.Token(demoUser)(router.ProtocolTypeRouter{
		"http":      router.MustURLRouter(router.Path("GET /{$}", consumer.HTTPFunc(home))),
		"websocket": rooms,
		"chat":      rooms,
		"netstring": rooms,
	})
	return server.New(app, cfg), nil
}

func home(_ context.Context, x *consumer.Exchange) error {
	return x.Text(200, "This port speaks HTTP, WebSocket, netstrings and chat.\n")
}
