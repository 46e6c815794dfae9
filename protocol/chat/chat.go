package chat

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/portico-go/portico/protocol"
)

// Name is the protocol's name: Scope.Protocol of a chat connection.
const Name = "chat"

// MaxLine is the length of a line in bytes, without the LF or CRLF at its end.
const MaxLine = 4096

// Config says what clients may do. The zero value is safe.
type Config struct {
	// Headers are the names that /header may set; without regard to case, and shown
	// to the application as they are written here. None by default. A client can
	// give them any value, so list no name that anything trusts. Those that the
	// handshake or a proxy sets are refused: see New.
	Headers []string
}

// Protocol is the chat protocol, for server.Config.Protocols. It is immutable and
// safe for concurrent use.
type Protocol struct{ headers []string }

var _ protocol.Protocol = (*Protocol)(nil)

// New returns the protocol. A header name that is no token is an error, and so is
// one that says where a connection comes from, frames a message, or has a command
// of its own: Host, Origin, Referer, Via, Forwarded, X-Forwarded-*, X-Real-Ip,
// Sec-*, Proxy-*, Connection, Upgrade, Content-Length, Transfer-Encoding,
// Authorization, Cookie, Nick, Pass.
func New(c Config) (*Protocol, error) {
	var errs []error
	for _, name := range c.Headers {
		switch {
		case !protocol.IsToken(name):
			errs = append(errs, fmt.Errorf("chat: Config.Headers has %q, which is no header name", name))
		case forbidden(strings.ToLower(name)):
			errs = append(errs, fmt.Errorf("chat: Config.Headers has %q, which a client must not set by /header; remove it", name))
		}
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	return &Protocol{headers: slices.Clone(c.Headers)}, nil
}

// forbidden reports whether /header must never set name, which is in lower case.
func forbidden(name string) bool {
	for _, prefix := range [...]string{"x-forwarded-", "sec-", "proxy-"} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	switch name {
	case "host", "origin", "referer", "via", "forwarded", "x-real-ip",
		"connection", "upgrade", "content-length", "transfer-encoding",
		"authorization", "cookie", "nick", "pass":
		return true
	}
	return false
}

// Name implements protocol.Protocol.
func (*Protocol) Name() string { return Name }

// Detect implements protocol.Detector: a chat client begins with a command, and no
// other protocol with a slash.
func (*Protocol) Detect(prefix []byte) protocol.Verdict {
	if prefix[0] == '/' {
		return protocol.Yes
	}
	return protocol.No
}

// New implements protocol.Protocol. Limits.Handshake bounds all lines up to /join
// with their ends, Limits.Frame the length of a line if it is less than MaxLine.
func (p *Protocol) New(limits protocol.Limits) (protocol.Handshake, protocol.Codec) {
	limits = limits.WithDefaults()
	line := min(limits.Frame, MaxLine)
	return &handshake{allowed: p.headers, maxLine: line, left: limits.Handshake}, &codec{maxLine: line}
}
