package load

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
)

// handshake takes the answer to a handshake and returns what comes behind it.
func (c *client) handshake(data []byte) (rest []byte, err error) {
	c.head = append(c.head, data...)
	end := bytes.Index(c.head, []byte("\r\n\r\n"))
	if end < 0 {
		return nil, nil
	}
	if !bytes.HasPrefix(c.head, []byte("HTTP/1.1 101 ")) {
		line, _, _ := bytes.Cut(c.head, []byte("\r\n"))
		return nil, fmt.Errorf("load: the handshake was answered with %q", line)
	}
	rest = c.head[end+4:]
	c.ready, c.head = true, nil
	return rest, nil
}

// responseLength returns the length of the HTTP response that data begins with.
func responseLength(data []byte) (int, error) {
	head := bytes.Index(data, []byte("\r\n\r\n"))
	if head < 0 {
		return 0, errors.New("load: the first response's head did not come in one piece")
	}
	if !bytes.HasPrefix(data, []byte("HTTP/1.1 200 ")) {
		line, _, _ := bytes.Cut(data, []byte("\r\n"))
		return 0, fmt.Errorf("load: the first response is %q", line)
	}
	for line := range bytes.SplitSeq(data[:head], []byte("\r\n")) {
		name, value, _ := bytes.Cut(line, []byte(":"))
		if bytes.EqualFold(name, []byte("Content-Length")) {
			n, err := strconv.Atoi(string(bytes.TrimSpace(value)))
			return head + 4 + n, err
		}
	}
	return 0, errors.New("load: the first response has no Content-Length")
}

// Get returns a GET request, with a cookie unless it is "".
func Get(host, path, cookie string) []byte {
	return []byte("GET " + path + " HTTP/1.1\r\nHost: " + host + "\r\nUser-Agent: load\r\nAccept: */*\r\n" + cookieLine(cookie) + "\r\n")
}

// Upgrade returns a WebSocket handshake, with a cookie unless it is "".
func Upgrade(host, path, cookie string) []byte {
	return []byte("GET " + path + " HTTP/1.1\r\nHost: " + host + "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\nOrigin: http://" + host + "\r\n" + cookieLine(cookie) + "\r\n")
}

func cookieLine(cookie string) string {
	if cookie == "" {
		return ""
	}
	return "Cookie: " + cookie + "\r\n"
}

// Frame returns a masked WebSocket text frame with size bytes, fewer than 65,536,
// and the length of the server's echo of it.
func Frame(size int) (frame []byte, echo int) {
	frame = []byte{0x81}
	switch {
	case size < 126:
		frame, echo = append(frame, 0x80|byte(size)), 2
	default:
		frame, echo = append(frame, 0x80|126, byte(size>>8), byte(size)), 4
	}
	mask := [4]byte{0x12, 0x34, 0x56, 0x78}
	frame = append(frame, mask[:]...)
	for i := range size {
		frame = append(frame, 'x'^mask[i%4])
	}
	return frame, echo + size
}
