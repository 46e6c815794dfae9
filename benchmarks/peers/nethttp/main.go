// Nethttp is the standard library's server and its router.
package main

import (
	"flag"
	"log"
	"net/http"
)

func main() {
	addr := flag.String("addr", "127.0.0.1:9000", "listen on `HOST:PORT`")
	flag.Parse()
	http.HandleFunc("GET /hello", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_, _ = w.Write([]byte("hello, world\n"))
	})
	log.Fatal(http.ListenAndServe(*addr, nil)) //nolint:gosec // without timeouts, as the documentation has it
}
