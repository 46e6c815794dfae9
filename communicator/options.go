package communicator

import (
	"crypto/tls"
	"net/netip"
	"strings"
	"testing"

	"github.com/portico-go/portico/protocol"
)

// An Option changes the request that a communicator opens a connection with.
type Option interface{ apply(r *request) }

// A request is what options build.
type request struct {
	*protocol.Request

	fields protocol.Fields
	values []protocol.Binding
}

type optionFunc func(r *request)

func (f optionFunc) apply(r *request) { f(r) }

// Header adds a header field.
func Header(name, value string) Option {
	return optionFunc(func(r *request) {
		if strings.EqualFold(name, "Host") {
			r.fields.Del(name)
		}
		r.fields.Add(name, value)
	})
}

// Subprotocols are what the client offers, in its order.
func Subprotocols(names ...string) Option {
	return optionFunc(func(r *request) { r.Subprotocols = names })
}

// Client is the address of the peer.
func Client(addr netip.AddrPort) Option {
	return optionFunc(func(r *request) { r.Request.Client = addr })
}

// Secure makes the connection one over TLS.
func Secure() Option {
	return optionFunc(func(r *request) {
		r.TLS = &tls.ConnectionState{Version: tls.VersionTLS13, HandshakeComplete: true}
		switch r.Scheme {
		case "http":
			r.Scheme = "https"
		case "ws":
			r.Scheme = "wss"
		}
	})
}

// RootPath is the prefix under which the application is mounted.
func RootPath(path string) Option { return optionFunc(func(r *request) { r.Request.RootPath = path }) }

// Values are bound in the first scope, as the state of lifespan hooks is.
func Values(values ...protocol.Binding) Option {
	return optionFunc(func(r *request) { r.values = append(r.values, values...) })
}

func build(t testing.TB, app protocol.Application, req *protocol.Request, fields protocol.Fields, options []Option) *Communicator {
	t.Helper()
	r := &request{Request: req, fields: fields}
	for _, o := range options {
		o.apply(r)
	}
	headers, err := protocol.NewHeaders(r.fields)
	if err != nil {
		t.Fatalf("communicator: bad headers: %v", err)
	}
	req.Headers = headers
	return New(t, app, req, r.values...)
}
