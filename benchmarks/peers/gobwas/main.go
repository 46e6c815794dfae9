// Gobwas is gobwas/ws alone, a goroutine per connection and the loop over headers
// that its README shows; a message for all is a compiled frame.
package main

import (
	"flag"
	"io"
	"log"
	"net"

	"github.com/gobwas/ws"

	"github.com/portico-go/portico/benchmarks/peers/members"
)

func main() {
	addr := flag.String("addr", "127.0.0.1:9000", "listen on `HOST:PORT`")
	flag.Parse()
	ln, err := net.Listen("tcp", *addr) //nolint:noctx // it listens until it is killed
	if err != nil {
		log.Fatal(err)
	}
	var room members.Set[net.Conn]
	for {
		conn, err := ln.Accept()
		if err != nil {
			log.Fatal(err)
		}
		go serve(conn, &room)
	}
}

func serve(conn net.Conn, room *members.Set[net.Conn]) {
	defer func() { _ = conn.Close() }()
	var path string
	upgrader := ws.Upgrader{OnRequest: func(uri []byte) error { path = string(uri); return nil }}
	if _, err := upgrader.Upgrade(conn); err != nil {
		return
	}
	if path == "/bc" {
		room.Add(conn)
		defer room.Remove(conn)
	}
	for {
		header, err := ws.ReadHeader(conn)
		if err != nil {
			return
		}
		payload := make([]byte, header.Length)
		if _, err := io.ReadFull(conn, payload); err != nil {
			return
		}
		if header.Masked {
			ws.Cipher(payload, header.Mask, 0)
		}
		if header.OpCode == ws.OpClose {
			return
		}
		if path == "/bc" {
			frame := ws.MustCompileFrame(ws.NewTextFrame(payload))
			room.Each(func(c net.Conn) { _, _ = c.Write(frame) }) // its own loop sees that it is gone
			continue
		}
		header.Masked = false // a server's frames are not
		if err := ws.WriteHeader(conn, header); err != nil {
			return
		}
		if _, err := conn.Write(payload); err != nil {
			return
		}
	}
}
