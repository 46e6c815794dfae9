// Coder is coder/websocket on net/http, as its README has it, with messages read and
// written whole; a message for all is written to one member after another.
package main

import (
	"context"
	"flag"
	"log"
	"net/http"

	"github.com/coder/websocket"

	"github.com/portico-go/portico/benchmarks/peers/members"
)

func main() {
	addr := flag.String("addr", "127.0.0.1:9000", "listen on `HOST:PORT`")
	flag.Parse()
	var room members.Set[*websocket.Conn]
	http.HandleFunc("/ws", func(w http.ResponseWriter, r *http.Request) {
		conn, err := websocket.Accept(w, r, nil)
		if err != nil {
			return
		}
		defer func() { _ = conn.CloseNow() }()
		for echo(context.Background(), conn) == nil {
		}
	})
	http.HandleFunc("/bc", func(w http.ResponseWriter, r *http.Request) {
		conn, err := websocket.Accept(w, r, nil)
		if err != nil {
			return
		}
		defer func() { _ = conn.CloseNow() }()
		room.Add(conn)
		defer room.Remove(conn)
		for broadcast(context.Background(), conn, &room) == nil {
		}
	})
	log.Fatal(http.ListenAndServe(*addr, nil)) //nolint:gosec // without timeouts, as the documentation has it
}

func echo(ctx context.Context, conn *websocket.Conn) error {
	kind, message, err := conn.Read(ctx)
	if err != nil {
		return err
	}
	return conn.Write(ctx, kind, message)
}

func broadcast(ctx context.Context, conn *websocket.Conn, room *members.Set[*websocket.Conn]) error {
	kind, message, err := conn.Read(ctx)
	if err != nil {
		return err
	}
	room.Each(func(c *websocket.Conn) { _ = c.Write(ctx, kind, message) }) // its own loop sees that it is gone
	return nil
}
