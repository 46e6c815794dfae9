package websocket

import (
	"net/http"
	"strings"

	"github.com/portico-go/portico/protocol"
)

// negotiate returns the answer to the first acceptable offer of compression, and
// the window for what is sent; "" and 0 if there is none. Extensions in the wrong
// form are an error (RFC 6455, section 9.1).
func negotiate(h protocol.Headers) (answer string, window uint8, err error) {
	for value := range h.Values("Sec-WebSocket-Extensions") {
		list := extensionList(value)
		for !list.empty() {
			name, o, ok := list.extension()
			if !ok {
				return "", 0, reject(http.StatusBadRequest, "the Sec-WebSocket-Extensions are not in the form of RFC 6455, section 9.1")
			}
			if answer == "" && name == deflateName && !o.declined {
				answer, window = o.accepted()
			}
		}
	}
	return answer, window, nil
}

// An extensionList is what is still to be read of the value of a
// Sec-WebSocket-Extensions field.
type extensionList string

// A parameter is one parameter of an extension.
type parameter struct {
	name, value string
	valued      bool // there is a value
}

// empty reports whether nothing is left, and skips empty elements of the list (RFC
// 9110, section 5.6.1.2).
func (l *extensionList) empty() bool {
	*l = extensionList(strings.TrimLeft(string(*l), " \t,"))
	return *l == ""
}

// extension reads an extension with its parameters, up to the next comma.
func (l *extensionList) extension() (name string, o offer, ok bool) {
	name, ok = l.token()
	for ok && l.skip(';') {
		var p parameter
		p, ok = l.parameter()
		o.add(p)
	}
	return name, o, ok && (*l == "" || l.skip(','))
}

func (l *extensionList) parameter() (p parameter, ok bool) {
	if p.name, ok = l.token(); !ok || !l.skip('=') {
		return p, ok
	}
	p.valued = true
	quoted := l.skip('"')
	p.value, ok = l.token()
	if quoted {
		ok = ok && strings.HasPrefix(string(*l), `"`) // RFC 6455, section 9.1: a token within the quotes
		*l = extensionList(strings.TrimPrefix(string(*l), `"`))
	}
	return p, ok
}

// token reads a token, and the space before it.
func (l *extensionList) token() (string, bool) {
	s := strings.TrimLeft(string(*l), " \t")
	n := strings.IndexAny(s, " \t,;=\"")
	if n < 0 {
		n = len(s)
	}
	*l = extensionList(s[n:])
	return s[:n], protocol.IsToken(s[:n])
}

// skip skips a separator with the space before it, if it comes next.
func (l *extensionList) skip(separator byte) bool {
	s := strings.TrimLeft(string(*l), " \t")
	*l = extensionList(s)
	if s == "" || s[0] != separator {
		return false
	}
	*l = extensionList(s[1:])
	return true
}
