package server_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"net/netip"
	"os/signal"
	"syscall"

	"github.com/portico-go/portico/protocol"
	"github.com/portico-go/portico/router"
	"github.com/portico-go/portico/server"
)

// One application on one port: HTTP, WebSocket and chat are told apart by the first
// bytes. The program ends in order when it is asked to.
func ExampleNew() {
	var site, room protocol.Application // yours
	app := router.ProtocolTypeRouter{
		"http":      site,
		"websocket": room,
		"chat":      room,
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	err := server.New(app, server.Config{}).ListenAndServe(ctx, "127.0.0.1:8000")

	fmt.Println(err) // the configuration is checked before anything is opened
	// Output:
	// ProtocolTypeRouter: router: the application of the protocol "chat" is nil: give it one or take the entry out
	// router: the application of the protocol "http" is nil: give it one or take the entry out
	// router: the application of the protocol "websocket" is nil: give it one or take the entry out
}

// Listeners differ in what they serve and whom they trust.
func ExampleServer_Serve() {
	ctx, cancel := context.WithCancel(context.Background())
	cancel() // the example serves nobody

	err := server.New(all, server.Config{}).Serve(ctx,
		server.Listener{Address: "127.0.0.1:0", Protocols: []string{"http", "websocket"}},
		server.Listener{Address: "[::1]:0", Limits: server.Limits{Connections: 100}},
		server.Listener{
			Address:       "127.0.0.1:0",
			ProxyProtocol: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")},
		},
	)
	fmt.Println(err)
	// Output: <nil>
}

// What is wrong is said before anything is opened, all of it at once.
func ExampleListener() {
	err := server.New(all, server.Config{}).Serve(context.Background(),
		server.Listener{Address: ":443", TLS: &tls.Config{}},
		server.Listener{Address: ":8000", Protocols: []string{"gopher"}},
	)
	fmt.Println(err)
	// Output:
	// server: the listener :443 has TLS without a certificate: set Certificates or GetCertificate
	// server: the listener :8000 is to serve "gopher", which is unknown: add it to Config.Protocols, or name some of ["http" "websocket" "chat"]
}
