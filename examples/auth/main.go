// Auth is a gallery: each file has one way to find out whose a connection is, as an
// application to copy. All of them run in one server:
//
//	go run ./examples/auth
//
// refuse.go refuses anonymous users, connect.go greets everybody by name.
// querytoken.go looks up a token of the query; queryuser.go and handwritten.go are
// middlewares of one's own. regexproute.go and oneconsumer.go show where a stack can
// stand, chatname.go how a terminal becomes a user, login.go how a browser does.
package main

import (
	"context"
	"flag"
	"fmt"
	"net"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/portico-go/portico/auth"
	"github.com/portico-go/portico/middleware"
	"github.com/portico-go/portico/middleware/session"
	"github.com/portico-go/portico/protocol"
	"github.com/portico-go/portico/router"
	"github.com/portico-go/portico/server"
)

func main() {
	addr := flag.String("addr", "127.0.0.1:8000", "listen on `HOST:PORT`")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *addr); err != nil {
		fmt.Fprintln(os.Stderr, "auth:", err)
		os.Exit(1)
	}
}

// run serves the gallery on addr until ctx is done.
func run(ctx context.Context, addr string) error {
	users, err := auth.Users(map[string]string{"alice": "wonderland", "bob": "builder"})
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
	fmt.Print(strings.NewReplacer("HOST:PORT", ln.Addr().String(), "HOST", host, "PORT", port).Replace(usage))
	return server.New(gallery(users), server.Config{}).Serve(ctx, server.Listener{Net: ln})
}

const usage = `Users are alice/wonderland and bob/builder. With any WebSocket client, such as websocat:

  curl -c jar -d 'username=alice&password=wonderland' http://HOST:PORT/login
  token=$(curl -s -b jar -X POST http://HOST:PORT/token)

  ws://HOST:PORT/ws/members           403 without the cookie
  ws://HOST:PORT/ws/whoami            greets users and strangers
  ws://HOST:PORT/ws/chat/?token=...   a token
  ws://HOST:PORT/ws/user?user=bob     a name that is believed
  ws://alice:wonderland@HOST:PORT/ws/basic/whoami
  ws://HOST:PORT/ws/one/members       beside /ws/one/everybody
  ws://HOST:PORT/frontend/            a regular expression

  printf '/nick alice\n/pass wonderland\n/join /lobby\nhi\n' | nc -N HOST PORT
`

// gallery joins everything, each under a route of its own. Pages of other sites, and
// names that only pretend to be this server's, are kept out of all of it.
func gallery(users auth.Backend) protocol.Application {
	sessions := session.New(session.NewMemoryStore(), session.Config{})
	tokens := newTokenStore(users, time.Minute)
	guard := protocol.Chain(middleware.AllowedHosts(), middleware.SameOrigin(middleware.SameOriginConfig{}))
	return guard(router.ProtocolTypeRouter{
		"http": login(users, sessions, tokens),
		"websocket": router.MustURLRouter(
			router.Path("/ws/members", refuse(users, sessions)),
			router.Path("/ws/whoami", connect(users, sessions)),
			router.Path("/ws/chat/", queryToken(tokens)),
			router.Path("/ws/user", queryUser(users)),
			router.Mount("/ws/basic", handwritten(users)),
			router.Mount("/ws/one", oneConsumer(users, sessions)),
			router.Mount("/", regexpRoute(users, sessions)),
		),
		"chat": chatName(users, sessions, tokens),
	})
}
