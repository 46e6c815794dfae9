package middleware

import "github.com/portico-go/portico/protocol"

// isHTTP reports whether a connection began with an HTTP request, as those of
// HTTP and WebSocket do: only then are its headers ones that a browser or a proxy
// wrote. The other protocols have no method.
func isHTTP(scope *protocol.Scope) bool { return scope.Method() != "" }

// only returns the value of a header that may come once, and how often it came. It
// does not allocate.
func only(h protocol.Headers, name string) (value string, n int) {
	for v := range h.Values(name) {
		value = v
		n++
	}
	return value, n
}
