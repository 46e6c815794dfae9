// Fasthttpws is fasthttp/websocket on fasthttp, with the echo loop of its
// documentation; a message for all is a prepared message.
package main

import (
	"flag"
	"log"

	"github.com/fasthttp/websocket"
	"github.com/valyala/fasthttp"

	"github.com/portico-go/portico/benchmarks/peers/members"
)

func main() {
	addr := flag.String("addr", "127.0.0.1:9000", "listen on `HOST:PORT`")
	flag.Parse()
	var (
		upgrader websocket.FastHTTPUpgrader
		room     members.Set[*websocket.Conn]
	)
	log.Fatal(fasthttp.ListenAndServe(*addr, func(ctx *fasthttp.RequestCtx) {
		handler := echo
		if string(ctx.Path()) == "/bc" {
			handler = func(conn *websocket.Conn) { broadcast(conn, &room) }
		}
		if err := upgrader.Upgrade(ctx, handler); err != nil {
			log.Print(err)
		}
	}))
}

func echo(conn *websocket.Conn) {
	defer func() { _ = conn.Close() }()
	for {
		kind, message, err := conn.ReadMessage()
		if err != nil {
			return
		}
		if err := conn.WriteMessage(kind, message); err != nil {
			return
		}
	}
}

func broadcast(conn *websocket.Conn, room *members.Set[*websocket.Conn]) {
	defer func() { _ = conn.Close() }()
	room.Add(conn)
	defer room.Remove(conn)
	for {
		kind, message, err := conn.ReadMessage()
		if err != nil {
			return
		}
		prepared, err := websocket.NewPreparedMessage(kind, message)
		if err != nil {
			return
		}
		room.Each(func(c *websocket.Conn) { _ = c.WritePreparedMessage(prepared) }) // its own loop sees that it is gone
	}
}
