package http

import (
	"errors"
	"strings"

	"github.com/portico-go/portico/protocol"
)

// A HeadKind says what is to be done with a request, as far as its head tells.
type HeadKind uint8

// What ViewHead says of a head.
const (
	// Uncommon says that fasthttp has to read it, and perhaps to refuse it.
	Uncommon HeadKind = iota
	// Common says that Front.Answer takes it: a GET or HEAD without a body, on a
	// connection that goes on.
	Common
	// Upgrading says that the client asks for another protocol behind it.
	Upgrading
)

// ViewHead reads the head of a request in place of fasthttp, if it is one that nearly
// all clients send: a GET or HEAD of HTTP/1.1 for a path, with one Host that is a plain
// name or address, and without a body or anything that has to be decided before the
// application opens. What is in any way unusual is Uncommon, so that there is one place
// for what is wrong.
//
// head is all up to the empty line, which is its end. req, which must be zero, is filled
// in as ViewRequest does, but for what the connection knows: addresses and Scheme. It
// aliases head. If the request is Uncommon what is in it means nothing.
func ViewHead(req *protocol.Request, head []byte) HeadKind {
	text := view(head)
	switch {
	case strings.HasPrefix(text, "GET /"):
		req.Method = "GET"
	case strings.HasPrefix(text, "HEAD /"):
		req.Method = "HEAD"
	default:
		return Uncommon
	}
	text = text[len(req.Method)+len(" "):]
	end := 0
	for end < len(text) && targetByte[text[end]] {
		end++
	}
	const version, nothing = " HTTP/1.1\r\n", "\r\n"
	block := text[end:]
	if !strings.HasPrefix(block, version) || !strings.HasSuffix(block, nothing+nothing) {
		return Uncommon
	}
	block = block[len(version) : len(block)-len(nothing)]
	var s sight
	headers, err := protocol.ParseHeadersFunc(block, s.see)
	if err != nil || s.uncommon() {
		return Uncommon
	}
	req.Protocol, req.Version, req.Target, req.Headers = "http", "1.1", text[:end], headers
	if s.upgrades {
		return Upgrading
	}
	return Common
}

// targetByte says which bytes a common request target has: those of a path and a query,
// some that browsers do not escape among them, and no fragment.
var targetByte = func() (valid [256]bool) {
	for c := '!'; c <= '~'; c++ {
		valid[c] = c != '#'
	}
	return valid
}()

// plainHostByte says which bytes a common host has: those of a name or an IPv4 address,
// with a port.
var plainHostByte = func() (valid [256]bool) {
	for c := range valid {
		b := byte(c)
		valid[c] = '0' <= b && b <= '9' || 'a' <= b && b <= 'z' || 'A' <= b && b <= 'Z' || strings.IndexByte("-._:", b) >= 0
	}
	return valid
}()

// A sight is what a head's fields say.
type sight struct {
	framing
	asks     bool // Connection has "upgrade"
	upgrades bool // there is an Upgrade
}

// uncommon reports whether the fields together need a closer look.
func (s *sight) uncommon() bool {
	return s.check("1.1") != nil || s.lengths+s.encodings > 0 || s.asks != s.upgrades
}

var errUncommon = errors.New("http: an uncommon request")

// see looks at one field. The length of a name tells most others apart at once.
func (s *sight) see(name, value string) error {
	switch len(name) {
	case len("Host"):
		if strings.EqualFold(name, "Host") && !isPlainHost(value) {
			return errUncommon
		}
	case len("Expect"):
		if strings.EqualFold(name, "Expect") {
			return errUncommon
		}
	case len("Upgrade"): // and Trailer
		if strings.EqualFold(name, "Trailer") {
			return errUncommon
		}
		s.upgrades = s.upgrades || strings.EqualFold(name, "Upgrade")
	case len("Connection"):
		if strings.EqualFold(name, "Connection") {
			return s.seeConnection(value)
		}
	}
	return s.framing.see(name, value)
}

func (s *sight) seeConnection(value string) error {
	switch {
	case strings.EqualFold(value, "keep-alive"):
	case strings.EqualFold(value, "Upgrade"), strings.EqualFold(value, "keep-alive, Upgrade"):
		s.asks = true
	default:
		return errUncommon
	}
	return nil
}

func isPlainHost(host string) bool {
	for i := range len(host) {
		if !plainHostByte[host[i]] {
			return false
		}
	}
	return host != ""
}
