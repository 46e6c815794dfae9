// Chi is go-chi/chi on the standard library's server, without an access log.
package main

import (
	"flag"
	"log"
	"net/http"

	"github.com/go-chi/chi/v5"
)

func main() {
	addr := flag.String("addr", "127.0.0.1:9000", "listen on `HOST:PORT`")
	flag.Parse()
	r := chi.NewRouter()
	r.Get("/hello", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_, _ = w.Write([]byte("hello, world\n"))
	})
	log.Fatal(http.ListenAndServe(*addr, r)) //nolint:gosec // without timeouts, as the README has it
}
