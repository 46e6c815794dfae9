package load

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
)

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
