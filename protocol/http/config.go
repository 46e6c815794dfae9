package http

import (
	"context"
	"net"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/portico-go/portico/protocol"
)

// The defaults of Config.
const (
	DefaultMaxBody      = 1 << 20
	DefaultMaxQueue     = 1 << 20
	DefaultStallTimeout = 30 * time.Second
)

// A Config says how an Application is served over HTTP. The zero value is safe
// and useful.
type Config struct {
	// Settings are shared by all requests: the lifespan's values and the observer.
	// nil is none of both.
	Settings *protocol.Settings
	// Context returns the parent of a request's context. nil is
	// context.Background, or the *http.Request's own behind Handler. A server that
	// shuts down at once cancels it; see Tracker for a slower way.
	Context func(ctx *fasthttp.RequestCtx) context.Context
	// Prepare, unless nil, completes or changes a request before its scope is made:
	// the credentials of a unix socket's peer, say. An error refuses the request. req
	// is recycled when it returns. It is not called behind Handler.
	Prepare func(ctx *fasthttp.RequestCtx, req *protocol.Request) error
	// Draining, unless nil, reports whether the server shuts down: then a connection is
	// closed behind its next answer.
	Draining func() bool
	// Tracker is told which requests are being served; nil is nobody.
	Tracker Tracker
	// RootPath is the prefix under which the application is mounted, without a slash
	// at its end. A path outside of it is answered with 404.
	RootPath string
	// Scheme replaces "http" or "https", as found out from the connection, if a
	// proxy in front ends TLS. Empty replaces nothing.
	Scheme string
	// MaxBody is the most bytes of a request body that is read whole, unless
	// BodyLimit says otherwise for a route. 0 is DefaultMaxBody. fasthttp's own
	// limit, Server.MaxRequestBodySize, counts if its StreamRequestBody is off.
	MaxBody int64
	// MaxQueue is the most bytes of a streamed answer that may wait for the client
	// before it counts as too slow: then the handler's Send returns
	// protocol.ErrSlow and the connection is cut. See Drain for handlers that can
	// wait. 0 is DefaultMaxQueue.
	MaxQueue int
	// StallTimeout is how long the client may take for each part of a streamed
	// answer or request body. 0 is DefaultStallTimeout.
	StallTimeout time.Duration
}

// A Tracker follows the requests of a server, so that it can cancel a request
// whose client hung up and wait for all of them when it shuts down. Its methods
// are called concurrently for different requests and must not block.
type Tracker interface {
	// Begin is called before the application opens. conn is the connection that
	// fasthttp has, nil behind Handler.
	Begin(conn net.Conn, l *protocol.Lifecycle)
	// End is called when the Disconnect was handled, once for each Begin. A streaming
	// handler may outlast its answer, so the connection may then be serving its next
	// request.
	End(conn net.Conn, l *protocol.Lifecycle)
}

func (c Config) withDefaults() Config {
	if c.Settings == nil {
		c.Settings = new(protocol.Settings)
	}
	if c.MaxBody == 0 {
		c.MaxBody = DefaultMaxBody
	}
	if c.MaxQueue == 0 {
		c.MaxQueue = DefaultMaxQueue
	}
	if c.StallTimeout == 0 {
		c.StallTimeout = DefaultStallTimeout
	}
	return c
}
