package http

import (
	"strings"

	"github.com/portico-go/portico/protocol"
)

// splitAbsolute takes a request target apart that is in absolute form
// ("http://host:8000/a?b"), as clients send it to proxies and servers must take it
// (RFC 9112, section 3.2.2). authority is "" for a target in origin form.
func splitAbsolute(target string) (authority, origin string, err error) {
	if strings.IndexByte(target, '#') >= 0 {
		return "", "", badRequest("the request target has a fragment")
	}
	if target[0] == '/' {
		return "", target, nil
	}
	scheme, rest, ok := strings.Cut(target, "://")
	if !ok || !strings.EqualFold(scheme, "http") && !strings.EqualFold(scheme, "https") {
		return "", "", badRequest("the request target is neither a path nor an http URL")
	}
	end := strings.IndexAny(rest, "/?")
	if end < 0 {
		end = len(rest)
	}
	authority, origin = rest[:end], rest[end:]
	if authority == "" || !validHost(authority) {
		return "", "", badRequest("the request target has a bad host")
	}
	if origin == "" || origin[0] == '?' {
		origin = "/" + origin
	}
	return authority, origin, nil
}

// validHost reports whether s has the characters of host[:port] only (RFC 3986,
// section 3.2): no user, no space, no path.
func validHost(s string) bool {
	for i := range len(s) {
		if !hostByte[s[i]] {
			return false
		}
	}
	return true
}

var hostByte = func() (valid [256]bool) {
	for c := range valid {
		b := byte(c)
		valid[c] = '0' <= b && b <= '9' || 'a' <= b && b <= 'z' || 'A' <= b && b <= 'Z' ||
			strings.IndexByte("-._~%!$&'()*+;=:[]", b) >= 0
	}
	return valid
}()

// replaceHost returns a header section in which the authority of the request
// target stands for the Host field, as RFC 9112, section 3.2.2 wants it.
func replaceHost(block, authority string) string {
	var b strings.Builder
	b.Grow(len(block) + len(authority) + len("Host: \r\n"))
	b.WriteString("Host: ")
	b.WriteString(authority)
	b.WriteString("\r\n")
	for line := range strings.Lines(block) {
		if name, _, _ := strings.Cut(line, ":"); !strings.EqualFold(name, "Host") {
			b.WriteString(line)
		}
	}
	return b.String()
}

// badRequest refuses a request that cannot be trusted to end where it seems to, so
// the connection is closed.
func badRequest(reason string) *protocol.Reject {
	return refuseAndClose(400, reason)
}

func refuseAndClose(status int, reason string) *protocol.Reject {
	return &protocol.Reject{
		Status: status,
		Reason: reason,
		Header: protocol.Fields{{Name: "Connection", Value: "close"}},
	}
}
