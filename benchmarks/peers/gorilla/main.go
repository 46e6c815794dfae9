// Gorilla is gorilla/websocket on net/http, with the echo loop of its
// documentation; a message for all is a prepared message.
package main

import (
	"flag"
	"log"
	"net/http"

	"github.com/gorilla/websocket"

	"github.com/portico-go/portico/benchmarks/peers/members"
)

var upgrader websocket.Upgrader

func main() {
	addr := flag.String("addr", "127.0.0.1:9000", "listen on `HOST:PORT`")
	flag.Parse()
	var room members.Set[*websocket.Conn]
	http.HandleFunc("/ws", echo)
	http.HandleFunc("/bc", func(w http.ResponseWriter, r *http.Request) { broadcast(w, r, &room) })
	log.Fatal(http.ListenAndServe(*addr, nil)) //nolint:gosec // without timeouts, as the documentation has it
}

func echo(w http.ResponseWriter, r *http.Request) {
	conn, err := upgrader.Upgrade(w, r, nil)
	if err != nil {
		return
	}
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

func broadcast(w http.ResponseWriter, r *http.Request, room *members.Set[*websocket.Conn]) {
	conn, err := upgrader.Upgrade(w, r, nil)
	if err != nil {
		return
	}
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
