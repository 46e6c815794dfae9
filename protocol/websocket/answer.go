package websocket

import (
	"crypto/sha1" //nolint:gosec // RFC 6455 asks for it, and not to keep a secret
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/portico-go/portico/protocol"
)

// acceptGUID is what the key is hashed with (RFC 6455, section 1.3).
const acceptGUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

// keyChars is the length of a key, which is 16 bytes in base64.
const keyChars = 24

var errAnswered = errors.New("websocket: the handshake was already answered")

// appendAccept appends the 101 (RFC 6455, section 4.2.2).
func (c *Codec) appendAccept(dst []byte, ev *protocol.Accept) ([]byte, error) {
	if c.hello == nil {
		return dst, errAnswered
	}
	if ev.Subprotocol != "" && !slices.Contains(c.hello.offered, ev.Subprotocol) {
		return dst, fmt.Errorf("websocket: the subprotocol %q was not offered; the client offered %q", ev.Subprotocol, c.hello.offered)
	}
	if err := checkAcceptHeader(ev.Head.Header); err != nil {
		return dst, err
	}
	var room [keyChars + len(acceptGUID)]byte
	sum := sha1.Sum(append(append(room[:0], c.hello.key[:]...), acceptGUID...)) //nolint:gosec // RFC 6455 asks for it
	dst = append(dst, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
		"Sec-WebSocket-Accept: "...)
	dst = base64.StdEncoding.AppendEncode(dst, sum[:])
	dst = append(dst, "\r\n"...)
	if ev.Subprotocol != "" {
		dst = appendField(dst, "Sec-WebSocket-Protocol", ev.Subprotocol)
	}
	if c.hello.extension != "" {
		dst = appendField(dst, "Sec-WebSocket-Extensions", c.hello.extension)
	}
	for _, f := range ev.Head.Header {
		dst = appendField(dst, f.Name, f.Value)
	}
	c.answered()
	return append(dst, "\r\n"...), nil
}

// checkAcceptHeader refuses fields that would change what the 101 says.
func checkAcceptHeader(fields protocol.Fields) error {
	for _, f := range fields {
		name := strings.ToLower(f.Name)
		if name == "upgrade" || framesResponse(name) || strings.HasPrefix(name, "sec-websocket-") {
			return fmt.Errorf("websocket: the header %s cannot be set on the answer to a handshake, which has its own", f.Name)
		}
	}
	if err := fields.Check(); err != nil {
		return fmt.Errorf("websocket: accept: %w", err)
	}
	return nil
}

// framesResponse reports whether a field, in lower case, says where a response
// ends, which the codec alone knows.
func framesResponse(name string) bool {
	return name == "connection" || name == "content-length" || name == "transfer-encoding"
}

// appendReject appends an HTTP response that refuses the handshake. Fields that
// frame the response are the codec's; those of r are left out.
func (c *Codec) appendReject(dst []byte, r *protocol.Reject) ([]byte, error) {
	if c.hello == nil {
		return dst, errAnswered
	}
	status := r.StatusOrDefault()
	if status < 200 || status > 999 {
		return dst, fmt.Errorf("websocket: cannot refuse with the status %d, which is no final HTTP status", status)
	}
	if err := r.Header.Check(); err != nil {
		return dst, fmt.Errorf("websocket: reject: %w", err)
	}
	dst = append(dst, "HTTP/1.1 "...)
	dst = strconv.AppendInt(dst, int64(status), 10)
	dst = append(dst, ' ')
	dst = append(dst, http.StatusText(status)...)
	dst = append(dst, "\r\nConnection: close\r\n"...)
	for _, f := range r.Header {
		if !framesResponse(strings.ToLower(f.Name)) {
			dst = appendField(dst, f.Name, f.Value)
		}
	}
	c.answered()
	return appendBody(dst, status, r), nil
}

func appendBody(dst []byte, status int, r *protocol.Reject) []byte {
	if status == http.StatusNoContent || status == http.StatusNotModified {
		return append(dst, "\r\n"...) // RFC 9110, section 6.4.1: these have no content
	}
	body := r.Body
	if body == nil {
		body = append([]byte(r.Text()), '\n')
	}
	if r.Header.Get("Content-Type") == "" {
		dst = appendField(dst, "Content-Type", "text/plain; charset=utf-8")
		dst = appendField(dst, "X-Content-Type-Options", "nosniff")
	}
	dst = appendField(dst, "Content-Length", strconv.Itoa(len(body)))
	dst = append(dst, "\r\n"...)
	return append(dst, body...)
}

func appendField(dst []byte, name, value string) []byte {
	dst = append(dst, name...)
	dst = append(dst, ": "...)
	dst = append(dst, value...)
	return append(dst, "\r\n"...)
}
