package protocol

import (
	"context"
	"crypto/tls"
	"errors"
	"iter"
	"math"
	"net/netip"
	"strings"
	"unsafe"
)

// A Scope says what a connection is: what was asked for, and what middleware and
// routers found out about it. It is immutable and safe for concurrent use; With
// derives another one. All scopes of a connection share one record, into which
// middleware can write while the connection opens.
type Scope struct {
	req *asked
	rec *record

	// Slices, of which a scope of each connection in memory has no room for more.
	values  *Binding
	params  *Param
	nvalues uint16
	nparams uint16

	escaped bool   // the path has percent escapes
	raw     uint32 // req.target[:raw] is the path as the client sent it
	at      uint32 // req.target[:at] belongs to the root path
}

// A Param is what a route captured.
type Param struct {
	Name  string // empty for an unnamed group of a regexp route
	Value string // decoded
}

// NewScope returns the first scope of a connection with a record of its own. A
// server uses NewLifecycle, which makes the scope and the Conn together;
// NewScope serves tests of middleware. A bad path is a *Reject with status 400,
// one outside of RootPath with 404.
func NewScope(req *Request, values ...Binding) (*Scope, error) {
	own := new(struct { // in one piece
		asked asked
		rec   record
	})
	own.asked.set(req, newCommon(req, nil))
	s := new(Scope)
	if err := s.init(&own.asked, &own.rec, values); err != nil {
		return nil, err
	}
	return s, nil
}

func (s *Scope) init(req *asked, rec *record, values []Binding) error {
	s.req, s.rec = req, rec
	s.bind(values)
	if req.target == "" {
		return nil
	}
	path, raw, _, err := SplitTarget(req.target)
	if err != nil {
		return &Reject{Status: 400, Reason: strings.TrimPrefix(err.Error(), "protocol: ")}
	}
	if root := req.common.rootPath; root != "" {
		if !strings.HasPrefix(raw, root) || len(raw) > len(root) && raw[len(root)] != '/' {
			return &Reject{Status: 404, Reason: "not found"}
		}
		s.at = uint32(len(root))
	}
	s.raw, s.escaped = uint32(len(raw)), len(path) != len(raw)
	return nil
}

// bind makes values the scope's, and capture params. Both slices stay in use.
func (s *Scope) bind(values []Binding) {
	s.values, s.nvalues = unsafe.SliceData(values), count(len(values)) //nolint:gosec // see bindings
}

func (s *Scope) capture(params []Param) {
	s.params, s.nparams = unsafe.SliceData(params), count(len(params)) //nolint:gosec // see captures
}

// count is n in the form in which a scope keeps it.
func count(n int) uint16 {
	if n > math.MaxUint16 {
		panic("protocol: a scope with more than 65,535 values or captures")
	}
	return uint16(n)
}

func (s *Scope) bindings() []Binding { return unsafe.Slice(s.values, s.nvalues) } //nolint:gosec // what bind was given
func (s *Scope) captures() []Param   { return unsafe.Slice(s.params, s.nparams) } //nolint:gosec // what capture was given

// Protocol returns the name of the protocol: "http", "websocket", "chat", …
func (s *Scope) Protocol() string { return s.req.common.protocol }

// Framing returns what the connection's messages look like.
func (s *Scope) Framing() Framing { return s.req.common.framing }

// Version returns the protocol's version, or "".
func (s *Scope) Version() string { return s.req.common.version }

// Method returns the request's method, or "" for a protocol without.
func (s *Scope) Method() string { return s.req.common.method }

// Scheme returns "http", "https", "ws", "wss", …
func (s *Scope) Scheme() string { return s.req.common.scheme }

// Path returns the whole path, percent-decoded. It allocates only if there is
// something to be decoded.
func (s *Scope) Path() string {
	if !s.escaped {
		return s.RawPath()
	}
	path, _ := decodePath(s.RawPath()) // it was found to be sound
	return path
}

// RawPath returns the whole path as the client sent it.
func (s *Scope) RawPath() string { return s.req.target[:s.raw] }

// RootPath returns what mounts have consumed of the raw path, without a slash at
// its end.
func (s *Scope) RootPath() string { return s.req.target[:s.at] }

// Rest returns what is left of the raw path for the next router, still
// percent-encoded: a router splits it into segments before it decodes them.
func (s *Scope) Rest() string { return s.req.target[s.at:s.raw] }

// RawQuery returns the query without the question mark, as the client sent it.
func (s *Scope) RawQuery() string {
	if len(s.req.target) <= int(s.raw) {
		return ""
	}
	return s.req.target[s.raw+1:]
}

// Query returns the first value of a query parameter, decoded, or "". It parses
// no more of the query than it has to.
func (s *Scope) Query(name string) string {
	v, _ := lookupQuery(s.RawQuery(), name)
	return v
}

// LookupQuery is Query that also reports whether the parameter is there.
func (s *Scope) LookupQuery(name string) (string, bool) { return lookupQuery(s.RawQuery(), name) }

// Headers returns the client's header fields.
func (s *Scope) Headers() Headers { return s.req.headers }

// Header returns the first header called name, or "".
func (s *Scope) Header(name string) string { return s.req.headers.Get(name) }

// Host returns the Host header.
func (s *Scope) Host() string { return s.req.headers.Get("Host") }

// Cookie returns the value of the first cookie called name and whether there is
// one. It reads the Cookie headers on each call; it does not allocate.
func (s *Scope) Cookie(name string) (string, bool) {
	for header := range s.req.headers.Values("Cookie") {
		for header != "" {
			var n, v string
			if n, v, header = cutCookie(header); n == name && n != "" {
				return v, true
			}
		}
	}
	return "", false
}

// Cookies yields the cookies that the client sent, in order (RFC 6265, section
// 5.4). Several Cookie headers are read as one.
func (s *Scope) Cookies() iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		for header := range s.req.headers.Values("Cookie") {
			for header != "" {
				var name, value string
				if name, value, header = cutCookie(header); name != "" && !yield(name, value) {
					return
				}
			}
		}
	}
}

// cutCookie cuts the first pair off a Cookie header. name is "" if it is none.
func cutCookie(header string) (name, value, rest string) {
	pair, rest, _ := strings.Cut(header, ";")
	name, value, ok := strings.Cut(trimSpace(pair), "=")
	if !ok || !IsToken(name) {
		return "", "", rest
	}
	if len(value) > 1 && value[0] == '"' && value[len(value)-1] == '"' {
		value = value[1 : len(value)-1]
	}
	return name, value, rest
}

// Subprotocols returns the subprotocols the client offered, in its order. The
// slice must not be changed.
func (s *Scope) Subprotocols() []string { return s.req.common.subprotocols }

// Client returns the address of the peer.
func (s *Scope) Client() netip.AddrPort { return s.req.client() }

// Server returns the address on which the connection was accepted.
func (s *Scope) Server() netip.AddrPort { return s.req.common.server }

// Peer returns the credentials of the peer of a unix socket, else nil.
func (s *Scope) Peer() *PeerCredentials { return s.req.common.peer }

// TLS returns the state of the TLS connection, nil without TLS.
func (s *Scope) TLS() *tls.ConnectionState { return s.req.common.tls }

// Channel returns the channel that a "channel" scope works on.
func (s *Scope) Channel() string { return s.req.common.channel }

// Param returns what the route captured under name, or "". An inner router's
// captures shadow an outer one's.
func (s *Scope) Param(name string) string {
	v, _ := s.LookupParam(name)
	return v
}

// LookupParam is Param that also reports whether there is such a capture.
func (s *Scope) LookupParam(name string) (string, bool) {
	params := s.captures()
	for i := len(params) - 1; i >= 0; i-- {
		if params[i].Name == name {
			return params[i].Value, true
		}
	}
	return "", false
}

// Params yields all captures, outer routers' first.
func (s *Scope) Params() iter.Seq[Param] {
	return func(yield func(Param) bool) {
		for _, p := range s.captures() {
			if !yield(p) {
				return
			}
		}
	}
}

// With derives a scope that also has the given values.
func (s *Scope) With(values ...Binding) *Scope { return s.derive(values, nil) }

// WithRequest derives a scope whose request was changed by edit, as a proxy's
// headers or a test need it. A changed Target or RootPath has no effect (see
// WithRootPath). The request that edit gets is a copy.
func (s *Scope) WithRequest(edit func(*Request)) *Scope {
	d, req, own := s.derive(nil, nil), s.req.request(), new(asked)
	edit(req)
	req.Target, req.RootPath = s.req.target, s.req.common.rootPath
	own.set(req, newCommon(req, s.req.common.settings))
	d.req = own
	return d
}

// WithRootPath derives a scope whose path has root in front again, which a proxy
// took away: root becomes the beginning of the root path, and Rest stays. root is
// percent-encoded, starts with a slash and has none at its end; another one, or a
// scope without a path, is an error.
func (s *Scope) WithRootPath(root string) (*Scope, error) {
	_, raw, _, err := SplitTarget(root)
	switch {
	case err != nil:
		return nil, err
	case len(raw) != len(root), strings.HasSuffix(root, "/"), strings.Contains(root, "//"):
		return nil, errors.New("protocol: a root path must have no query, no empty segment and no slash at its end")
	case s.raw == 0:
		return nil, errors.New("protocol: a scope without a path has no root path")
	}
	d, req := s.derive(nil, nil), *s.req
	req.target = root + req.target
	d.req = &req
	d.raw, d.at = uint32(len(root))+s.raw, uint32(len(root))+s.at
	d.escaped = strings.Contains(d.RawPath(), "%")
	return d, nil
}

// Descend derives a scope for what a route leads to: consumed bytes of Rest
// become part of the root path, and params are added. The params are kept.
func (s *Scope) Descend(consumed int, params []Param) *Scope {
	d := s.derive(nil, params)
	d.at += uint32(consumed)
	return d
}

// OnResponse registers a hook that sees, and may change, the head of the answer
// to the handshake or request before it is sent: an HTTP response, a WebSocket's
// 101, a refusal. Hooks run once, in the order of their registration; they may
// block. One that fails turns the answer into a 500, and those behind it do not
// run. When a timeout or the shutdown refuses, hooks run beside an Open or a Handle
// that is still busy, so what they share with it needs a lock. Once the hooks run
// OnResponse returns ErrHeadersSent.
func (s *Scope) OnResponse(hook func(ctx context.Context, head *Head) error) error {
	return s.rec.onResponse(hook)
}

// HeadersSent reports whether the answer's head is out, so that OnResponse is too
// late.
func (s *Scope) HeadersSent() bool {
	s.rec.mu.Lock()
	defer s.rec.mu.Unlock()
	return s.rec.answered
}

// OnClose registers a cleanup, as Conn.OnClose does, for middleware that has no
// Conn at hand.
func (s *Scope) OnClose(cleanup func(ctx context.Context, cause error)) {
	s.rec.onClose(cleanup)
}

// Record writes values into the connection's record, where every scope of the
// connection finds them with Key.Recorded: policies, the connection's trace. A
// branch that a router abandons leaves nothing of what it wrote.
func (s *Scope) Record(values ...Binding) {
	s.rec.mu.Lock()
	defer s.rec.mu.Unlock()
	n := s.rec.write()
	n.recorded = append(n.recorded, values...)
}

// Route returns the pattern of the matched route, with the patterns of outer
// mounts before it, or "" before one matched. Use it, not the path, as a label of
// metrics.
func (s *Scope) Route() string { return s.rec.matched() }

// SetRoute appends a pattern to the matched route. Routers call it, and take the
// mark, which is that of before, back to Rollback if the branch was a miss.
func (s *Scope) SetRoute(pattern string) Mark { return s.rec.enter(pattern) }

// Mark returns a mark of the record, for a router that tries a branch.
func (s *Scope) Mark() Mark { return s.rec.mark() }

// Rollback takes back what was written into the record since the mark, when the
// branch turned out to be a miss. Cleanups of the branch run at once, with cause.
func (s *Scope) Rollback(ctx context.Context, m Mark, cause error) {
	s.rec.rollback(ctx, m, cause)
}
