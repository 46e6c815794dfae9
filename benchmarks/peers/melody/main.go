// Melody is olahol/melody on net/http, as its README has it.
package main

import (
	"flag"
	"log"
	"net/http"

	"github.com/olahol/melody"
)

func main() {
	addr := flag.String("addr", "127.0.0.1:9000", "listen on `HOST:PORT`")
	flag.Parse()
	echo, broadcast := melody.New(), melody.New()
	echo.HandleMessage(func(s *melody.Session, message []byte) { _ = s.Write(message) }) // fails when s is gone
	broadcast.HandleMessage(func(_ *melody.Session, message []byte) { _ = broadcast.Broadcast(message) })
	http.HandleFunc("/ws", func(w http.ResponseWriter, r *http.Request) { _ = echo.HandleRequest(w, r) })
	http.HandleFunc("/bc", func(w http.ResponseWriter, r *http.Request) { _ = broadcast.HandleRequest(w, r) })
	log.Fatal(http.ListenAndServe(*addr, nil)) //nolint:gosec // without timeouts, as the README has it
}
