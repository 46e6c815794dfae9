// Gws is lxzan/gws on net/http, as its README's best practice has it, but with
// messages in order and without compression; a message for all goes through a
// Broadcaster.
package main

import (
	"flag"
	"log"
	"net/http"

	"github.com/lxzan/gws"

	"github.com/portico-go/portico/benchmarks/peers/members"
)

func main() {
	addr := flag.String("addr", "127.0.0.1:9000", "listen on `HOST:PORT`")
	flag.Parse()
	options := &gws.ServerOption{Recovery: gws.Recovery}
	http.Handle("/ws", upgrade{gws.NewUpgrader(&echo{}, options)})
	http.Handle("/bc", upgrade{gws.NewUpgrader(&broadcast{}, options)})
	log.Fatal(http.ListenAndServe(*addr, nil)) //nolint:gosec // without timeouts, as the README has it
}

type upgrade struct{ *gws.Upgrader }

func (u upgrade) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	socket, err := u.Upgrade(w, r)
	if err != nil {
		return
	}
	go socket.ReadLoop() // in a goroutine of its own, so that the request can be collected
}

type echo struct{ gws.BuiltinEventHandler }

func (echo) OnMessage(socket *gws.Conn, message *gws.Message) {
	defer func() { _ = message.Close() }()
	_ = socket.WriteMessage(message.Opcode, message.Bytes()) // errors are handled inside, the README says
}

type broadcast struct {
	gws.BuiltinEventHandler
	room members.Set[*gws.Conn]
}

func (b *broadcast) OnOpen(socket *gws.Conn) { b.room.Add(socket) }

func (b *broadcast) OnClose(socket *gws.Conn, _ error) { b.room.Remove(socket) }

func (b *broadcast) OnMessage(_ *gws.Conn, message *gws.Message) {
	defer func() { _ = message.Close() }()
	broadcaster := gws.NewBroadcaster(message.Opcode, message.Bytes())
	defer func() { _ = broadcaster.Close() }()
	b.room.Each(func(c *gws.Conn) { _ = broadcaster.Broadcast(c) })
}
