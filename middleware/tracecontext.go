package middleware

import (
	"context"
	"slices"
	"strings"

	"github.com/portico-go/portico/protocol"
)

// TraceKey has the trace that TraceContext found or began.
var TraceKey = protocol.NewKey[Trace]("trace context")

// TraceContextConfig says whose traces go on. The zero value begins a new trace for
// every connection.
type TraceContextConfig struct {
	// TrustedProxies are the peers whose traceparent and tracestate count:
	// addresses, networks such as "10.0.0.0/8", or "unix" for whoever connects to a
	// unix socket. "0.0.0.0/0" and "::/0" are everybody, who can then choose what is
	// sampled. It is the peer of the connection that counts, whatever ProxyHeaders
	// found out.
	TrustedProxies []string
}

// TraceContext returns a middleware that provides TraceKey and also puts it into
// the connection's record: the trace of a trusted caller (W3C Trace Context), or a
// new one if there is none or it is malformed, with a span of its own for the
// connection. A tracestate that is malformed is dropped. A job goes on with the trace
// in its header, which this program or another one of its queue has put there. Other
// protocols that do not begin with an HTTP request always get a new trace. New traces
// are not Sampled: whoever records them decides.
func TraceContext(c TraceContextConfig) protocol.Middleware {
	peers, fault := parsePeers(c.TrustedProxies)
	return Around{
		Name:     "TraceContext",
		Provides: []protocol.AnyKey{TraceKey},
		Check:    fault,
		Open: func(ctx context.Context, scope *protocol.Scope, conn *protocol.Conn, inner protocol.Application) (protocol.Handler, error) {
			var t Trace
			if scope.Protocol() == "channel" || peers.sent(scope, conn.Client()) {
				t = traceOf(scope.Headers())
			}
			t.newIDs()
			bound := TraceKey.Of(t)
			scope.Record(bound)
			return inner.Open(ctx, scope.With(bound), conn)
		},
	}.Middleware()
}

// traceOf returns the trace that headers ask for, or none.
func traceOf(h protocol.Headers) Trace {
	parent, n := only(h, "Traceparent")
	if n != 1 {
		return Trace{}
	}
	t, err := ParseTraceparent(parent)
	if err != nil {
		return Trace{}
	}
	if state := strings.Join(slices.Collect(h.Values("Tracestate")), ","); isTracestate(state) {
		t.State = state
	}
	return t
}
