package websocket

import (
	"encoding/base64"
	"net/http"
	"slices"
	"strings"

	"github.com/portico-go/portico/protocol"
)

// Name is the protocol's name: Scope.Protocol of a WebSocket.
const Name = "websocket"

// version is the only version of the protocol (RFC 6455, section 4.1).
const version = "13"

// keySize is the size of the nonce in Sec-WebSocket-Key (RFC 6455, section 4.1).
const keySize = 16

// Config says what an Upgrader allows. The zero value is safe.
type Config struct {
	// Limits bound frames and messages. Handshake is not used: the headers of the
	// request are limited where it is read.
	Limits protocol.Limits
	// Compression says whether messages may be compressed.
	Compression Compression
}

// An Upgrader turns HTTP requests into WebSockets. One serves all connections of a
// server; it is immutable and safe for concurrent use.
type Upgrader struct{ config Config }

// NewUpgrader returns an Upgrader.
func NewUpgrader(c Config) *Upgrader {
	c.Limits, c.Compression = c.Limits.WithDefaults(), c.Compression.withDefaults()
	return &Upgrader{config: c}
}

// IsUpgrade reports whether a request asks for a WebSocket, well-formed or not:
// Upgrade then says what is wrong with it.
func IsUpgrade(h protocol.Headers) bool { return h.Contains("Upgrade", "websocket") }

// Upgrade checks the opening handshake of an HTTP request (RFC 6455, section
// 4.2.1) and returns the codec of the connection, which answers it. req becomes a
// WebSocket's: its Protocol, Framing and Subprotocols are set, and its Scheme
// becomes "ws" or "wss". The request and the codec keep copies of what they need: what
// req aliased before may be used again when Upgrade has returned without an error.
//
// Of the header fields those go that were for the handshake alone: Connection, Upgrade,
// Keep-Alive, Content-Length, and all that begin with Sec-WebSocket-. A connection that
// lasts for days keeps the rest. Request.Subprotocols has what was offered.
//
// A request that asks for a WebSocket in the wrong way is a *protocol.Reject, and
// req stays as it was: 405, 426 or 505 with the headers they need, else 400.
func (u *Upgrader) Upgrade(req *protocol.Request) (*Codec, error) {
	s := lookAt(req.Headers)
	err := s.check(req)
	if err != nil {
		return nil, err
	}
	var offered []string
	if s.offers {
		if offered, err = subprotocols(req.Headers); err != nil {
			return nil, err
		}
	}
	var extension string
	var window uint8
	if u.config.Compression.Enabled {
		if extension, window, err = negotiate(req.Headers); err != nil {
			return nil, err
		}
	}
	h, _ := hellos.Get().(*hello)
	copy(h.key[:], s.key.value)
	h.offered, h.extension = offered, strings.Clone(extension)
	c := &Codec{config: &u.config, hello: h, window: window}
	req.Protocol, req.Framing, req.Subprotocols = Name, protocol.FramingMessage, offered
	switch req.Scheme {
	case "http":
		req.Scheme = "ws"
	case "https":
		req.Scheme = "wss"
	}
	req.Shrink(outlives)
	return c, nil
}

// outlives reports whether a header field says more than how to shake hands.
func outlives(name string) bool {
	const own = "Sec-WebSocket-"
	switch len(name) {
	case len("Upgrade"):
		return !strings.EqualFold(name, "Upgrade")
	case len("Connection"): // and Keep-Alive
		return !strings.EqualFold(name, "Connection") && !strings.EqualFold(name, "Keep-Alive")
	case len("Content-Length"):
		return !strings.EqualFold(name, "Content-Length")
	}
	return len(name) <= len(own) || !strings.EqualFold(name[:len(own)], own)
}

// A handshake is what the fields of a request say of it.
type handshake struct {
	host, version, key once
	upgrade            bool // to WebSocket
	connection         bool // is about the upgrade
	body               bool // is announced
	offers             bool // there are subprotocols
}

// once is a field that must be there once.
type once struct {
	value string
	count int
}

func (o *once) see(value string) {
	o.value = value
	o.count++
}

// lookAt looks at all fields; the length of a name tells most others apart at once.
func lookAt(h protocol.Headers) (s handshake) {
	for name, value := range h.All() {
		switch len(name) {
		case len("Host"):
			if strings.EqualFold(name, "Host") {
				s.host.see(value)
			}
		case len("Upgrade"):
			s.upgrade = s.upgrade || strings.EqualFold(name, "Upgrade") && protocol.HasToken(value, "websocket")
		case len("Connection"):
			s.connection = s.connection || strings.EqualFold(name, "Connection") && protocol.HasToken(value, "upgrade")
		case len("Content-Length"):
			s.body = s.body || strings.EqualFold(name, "Content-Length") && value != "0"
		case len("Sec-WebSocket-Key"): // and Transfer-Encoding
			s.body = s.body || strings.EqualFold(name, "Transfer-Encoding")
			if strings.EqualFold(name, "Sec-WebSocket-Key") {
				s.key.see(value)
			}
		case len("Sec-WebSocket-Version"):
			if strings.EqualFold(name, "Sec-WebSocket-Version") {
				s.version.see(value)
			}
		case len("Sec-WebSocket-Protocol"):
			s.offers = s.offers || strings.EqualFold(name, "Sec-WebSocket-Protocol")
		}
	}
	return s
}

// check refuses what is no handshake as it should be. A body that is announced would be
// read as frames, or as a request by whoever stands between.
func (s *handshake) check(req *protocol.Request) error {
	switch {
	case req.Method != http.MethodGet:
		return reject(http.StatusMethodNotAllowed, "a WebSocket handshake must be a GET request",
			protocol.Field{Name: "Allow", Value: http.MethodGet})
	case req.Version != "1.1":
		return reject(http.StatusHTTPVersionNotSupported, "a WebSocket handshake must be HTTP/1.1")
	case s.host.count != 1 || s.host.value == "":
		return reject(http.StatusBadRequest, "a WebSocket handshake must have one Host header")
	case s.body:
		return reject(http.StatusBadRequest, "a WebSocket handshake must have no body")
	case !s.upgrade:
		return reject(http.StatusUpgradeRequired, "only WebSocket is served here",
			protocol.Field{Name: "Upgrade", Value: "websocket"})
	case !s.connection:
		return reject(http.StatusBadRequest, "a WebSocket handshake must have the header Connection: Upgrade")
	case s.version.count != 1 || s.version.value != version:
		return reject(http.StatusUpgradeRequired, "the Sec-WebSocket-Version must be "+version,
			protocol.Field{Name: "Upgrade", Value: "websocket"},
			protocol.Field{Name: "Sec-WebSocket-Version", Value: version})
	case s.key.count != 1 || !isKey(s.key.value):
		return reject(http.StatusBadRequest, "a WebSocket handshake must have one Sec-WebSocket-Key of 16 bytes in base64")
	}
	return nil
}

func isKey(key string) bool {
	if len(key) != base64.StdEncoding.EncodedLen(keySize) {
		return false
	}
	var nonce [keySize + 2]byte // DecodedLen counts the padding
	n, err := base64.StdEncoding.Decode(nonce[:], []byte(key))
	return err == nil && n == keySize
}

// subprotocols returns what the client offers, in its order. Names that are no
// tokens and names that come twice are errors (RFC 6455, section 4.1, item 10).
func subprotocols(h protocol.Headers) ([]string, error) {
	var offered []string
	for v := range h.Values("Sec-WebSocket-Protocol") {
		for name := range strings.SplitSeq(v, ",") {
			name = strings.Trim(name, " \t")
			if name == "" {
				continue // RFC 9110, section 5.6.1.2
			}
			if !protocol.IsToken(name) || slices.Contains(offered, name) {
				return nil, reject(http.StatusBadRequest, "the subprotocols in Sec-WebSocket-Protocol must be tokens, each once")
			}
			offered = append(offered, strings.Clone(name))
		}
	}
	return offered, nil
}

func reject(status int, reason string, header ...protocol.Field) error {
	return &protocol.Reject{Status: status, Reason: reason, Header: header}
}
