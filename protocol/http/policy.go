package http

import (
	"context"

	"github.com/portico-go/portico/protocol"
)

// A Policy is how a request is to be served, as the applications on its way
// declared it while it opened.
type Policy struct {
	// Stream says that the handler sends its answer in parts as it goes.
	Stream bool
	// StreamBody says that the handler wants the request's body in parts.
	StreamBody bool
	// BodyLimit is the most bytes that the request's body may have. 0 is the
	// server's limit for a body that is read whole, and none for a streamed one.
	BodyLimit int64

	// native says that the handler works on fasthttp's own request.
	native bool
}

var policyKey = protocol.NewKey[Policy]("http.policy")

// PolicyOf returns what was declared for the scope's connection so far. Transports
// read it when Open has returned.
func PolicyOf(scope *protocol.Scope) Policy {
	p, _ := policyKey.Recorded(scope)
	return p
}

// Stream declares, during Open, that the handler streams: it runs on goroutines of
// its own, parts that it sends leave as they come, and what is posted to its
// connection (timers, the channel layer's messages) reaches it, until it ends its
// answer or the client is gone. Middleware around the handler cannot hide it.
func Stream(scope *protocol.Scope) {
	record(scope, func(p *Policy) { p.Stream = true })
}

// StreamBody returns a middleware that has the request's body delivered in parts
// of at most 64 KiB, the next being read when Handle has returned. Combine it with
// BodyLimit: a streamed body has no limit of its own.
func StreamBody() protocol.Middleware {
	return policyMiddleware("StreamBody", func(p *Policy) { p.StreamBody = true })
}

// BodyLimit returns a middleware that answers 413 if the request's body has more
// than n bytes. Of several on the way to a handler the innermost counts, so a
// route can have more than its surroundings.
func BodyLimit(n int64) protocol.Middleware {
	return policyMiddleware("BodyLimit", func(p *Policy) { p.BodyLimit = n })
}

func record(scope *protocol.Scope, edit func(*Policy)) {
	p := PolicyOf(scope)
	edit(&p)
	scope.Record(policyKey.Of(p))
}

func policyMiddleware(name string, edit func(*Policy)) protocol.Middleware {
	return func(inner protocol.Application) protocol.Application {
		return &policyApp{name: name, edit: edit, inner: inner}
	}
}

// A policyApp declares something before it opens what is inside.
type policyApp struct {
	name  string
	edit  func(*Policy)
	inner protocol.Application
}

// Open implements protocol.Application.
func (a *policyApp) Open(ctx context.Context, scope *protocol.Scope, conn *protocol.Conn) (protocol.Handler, error) {
	record(scope, a.edit)
	return a.inner.Open(ctx, scope, conn)
}

// Describe implements protocol.Described.
func (a *policyApp) Describe() protocol.Description {
	return protocol.Description{Name: a.name, Inner: []protocol.Inner{{App: a.inner}}}
}
