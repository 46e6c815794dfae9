//go:build linux

// Kernel is what an echo costs without any library: one thread, one edge-triggered
// epoll set, one recv and one send for what has come, frames turned round in place. It
// knows whole, short frames only, and nothing of what can go wrong. No server can be
// much cheaper, so it shows how far the others can go.
//
// With -uring it does the same on io_uring: a multishot receive for each connection into
// buffers that the kernel chooses, and all answers of a wake-up handed over in the call that
// waits for the next.
package main

import (
	"bytes"
	"flag"
	"io"
	"log"
	"net"
	"runtime"

	"github.com/gobwas/ws"
	"golang.org/x/sys/unix"
)

func main() {
	addr := flag.String("addr", "127.0.0.1:9000", "listen on `HOST:PORT`")
	uring := flag.Bool("uring", false, "use io_uring, which many containers refuse")
	flag.Parse()
	runtime.LockOSThread()
	listener, err := listen(*addr)
	if err != nil {
		log.Fatal(err)
	}
	serve := serveEpoll
	if *uring {
		serve = serveUring
	}
	log.Fatal(serve(listener))
}

// listen returns the descriptor of a listening socket.
func listen(addr string) (int, error) {
	at, err := net.ResolveTCPAddr("tcp4", addr)
	if err != nil {
		return -1, err
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1); err != nil {
		return -1, err
	}
	if err := unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1); err != nil { // inherited
		return -1, err
	}
	if err := unix.Bind(fd, &unix.SockaddrInet4{Port: at.Port, Addr: [4]byte(at.IP.To4())}); err != nil {
		return -1, err
	}
	return fd, unix.Listen(fd, 4096)
}

// upgrade answers a handshake.
func upgrade(in []byte) ([]byte, error) {
	var out bytes.Buffer
	_, err := ws.Upgrade(struct {
		io.Reader
		io.Writer
	}{bytes.NewReader(in), &out})
	return out.Bytes(), err
}

// echo appends masked frames of up to 125 bytes to out, as a server sends them. out may lie
// where in does.
func echo(out, in []byte) []byte {
	for len(in) >= 6 && len(in) >= 6+int(in[1]&0x7f) {
		size := int(in[1] & 0x7f)
		header, mask, payload := in[0], [4]byte(in[2:6]), in[6:6+size]
		in = in[6+size:]
		ws.Cipher(payload, mask, 0)
		out = append(append(out, header, byte(size)), payload...)
	}
	return out
}
