package middleware

import (
	"context"
	"errors"
	"strconv"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/portico-go/portico/protocol"
)

// AccessLogConfig says what AccessLog writes, and where to.
type AccessLogConfig struct {
	// Logger gets the lines, at info level, or at warn level if the server is at
	// fault (a status from 500 on, the close code 1011). It is required.
	Logger *zap.Logger
	// Opened also writes a line when a connection with messages, such as a
	// WebSocket, is accepted, as its end may be hours away.
	Opened bool
	// Sample writes one in so many of the lines of what went well, and all others.
	// 0 and 1 write all.
	Sample int
	// User returns the name to write as the user's, or "". It is called at the end,
	// with the scope that reached AccessLog: what middleware inside found out is
	// there for Key.Recorded if it was put into the record. nil writes none.
	User func(scope *protocol.Scope) string
}

// AccessLog returns a middleware that writes one line per HTTP request, and one
// per other connection when it is over: protocol, method, path, route, status of
// the answer, close code, duration, client, user, bytes if the answer has a
// Content-Length, ids of the connection, the request (with RequestID around it) and
// the trace (with TraceContext around it), and why it was refused or broke.
// Queries, headers, cookies and messages are never written.
//
// Put it inside of ProxyHeaders and outside of what may refuse. A router's branch
// that turned out to be a miss is not written. It works on every protocol.
func AccessLog(c AccessLogConfig) protocol.Middleware {
	var fault error
	switch {
	case c.Logger == nil:
		fault = errors.New("middleware: AccessLog needs a Logger to write to")
		c.Logger = zap.NewNop()
	case c.Sample < 0:
		fault = errors.New("middleware: AccessLog's Sample must not be negative")
	}
	l := &accessLog{config: c}
	return Around{
		Name:  "AccessLog",
		Check: fault,
		Open: func(ctx context.Context, scope *protocol.Scope, conn *protocol.Conn, inner protocol.Application) (protocol.Handler, error) {
			if l.config.Logger.Core().Enabled(zapcore.WarnLevel) {
				l.begin(scope, conn) //nolint:contextcheck // a cleanup gets a context of its own
			}
			return inner.Open(ctx, scope, conn)
		},
	}.Middleware()
}

type accessLog struct {
	config AccessLogConfig
	well   atomic.Uint64 // how many connections went well
}

// An access is one request or connection that is to be written.
type access struct {
	log    *accessLog
	scope  *protocol.Scope
	conn   *protocol.Conn
	start  time.Time
	status atomic.Int32 // of the answer, 0 until there is one
	bytes  atomic.Int64 // of the answer's body plus one, 0 if unknown
}

func (l *accessLog) begin(scope *protocol.Scope, conn *protocol.Conn) {
	a := &access{log: l, scope: scope, conn: conn, start: time.Now()}
	scope.OnClose(a.closed)
	_ = scope.OnResponse(a.answered) // if the head is out already, the line has no status
}

// answered sees the head of the answer.
func (a *access) answered(_ context.Context, head *protocol.Head) error {
	a.status.Store(int32(head.Status))
	if n, err := strconv.ParseInt(head.Header.Get("Content-Length"), 10, 62); err == nil && n >= 0 {
		a.bytes.Store(n + 1)
	}
	if a.log.config.Opened && a.scope.Framing() != protocol.FramingNone && head.Status < 400 {
		a.log.config.Logger.Info("opened", a.fields()...)
	}
	return nil
}

// closed writes the line at the end.
func (a *access) closed(_ context.Context, cause error) {
	status := int(a.status.Load())
	if status == 0 && protocol.IsNoRoute(cause) {
		return // a router's branch was a miss, and another one serves the connection
	}
	what, code := "closed", protocol.CloseCode(0)
	switch {
	case a.scope.Framing() == protocol.FramingNone:
		what = "request"
	case status >= 400:
		what = "refused"
	default:
		code = closeCode(cause)
	}
	level := zapcore.InfoLevel
	if status >= 500 || code == protocol.CloseInternalError {
		level = zapcore.WarnLevel
	}
	if wentWell(status, code) && !a.log.sampled() {
		return
	}
	if entry := a.log.config.Logger.Check(level, what); entry != nil {
		fields := append(a.fields(), zap.Duration("duration", time.Since(a.start)))
		entry.Write(append(fields, endFields(code, cause)...)...)
	}
}

// sampled reports whether a line of what went well is among those to be written.
func (l *accessLog) sampled() bool {
	return l.config.Sample <= 1 || (l.well.Add(1)-1)%uint64(l.config.Sample) == 0
}

// fields are those that opened and closed have in common.
func (a *access) fields() []zap.Field {
	s := a.scope
	fields := make([]zap.Field, 0, 16)
	text := func(key, value string) {
		if value != "" {
			fields = append(fields, zap.String(key, value))
		}
	}
	text("protocol", s.Protocol())
	text("method", s.Method())
	text("path", s.Path())
	text("route", s.Route())
	if status := a.status.Load(); status != 0 {
		fields = append(fields, zap.Int32("status", status))
	}
	if bytes := a.bytes.Load(); bytes > 0 {
		fields = append(fields, zap.Int64("bytes", bytes-1))
	}
	if s.Client().IsValid() {
		text("client", s.Client().String())
	}
	if a.log.config.User != nil {
		text("user", a.log.config.User(s))
	}
	text("conn", a.conn.ID())
	if id, ok := RequestIDKey.From(s); ok && id != a.conn.ID() {
		text("request_id", id)
	}
	if trace, ok := TraceKey.From(s); ok {
		text("trace_id", trace.TraceID())
	}
	return fields
}

// endFields say how a connection ended: not the text that came from the peer, but
// the error behind it.
func endFields(code protocol.CloseCode, cause error) (fields []zap.Field) {
	if code != 0 {
		fields = append(fields, zap.Int("code", int(code)))
	}
	if r, ok := errors.AsType[*protocol.Reject](cause); ok {
		cause = r.Err
	} else if c, ok := errors.AsType[*protocol.CloseError](cause); ok {
		cause = c.Err
	}
	if cause != nil {
		fields = append(fields, zap.NamedError("cause", cause))
	}
	return fields
}

func closeCode(cause error) protocol.CloseCode {
	if cause == nil {
		return protocol.CloseNormal
	}
	c, _ := protocol.CloseOf(cause)
	if c.Code == 0 {
		return protocol.CloseNormal
	}
	return c.Code
}

func wentWell(status int, code protocol.CloseCode) bool {
	return status != 0 && status < 400 && (code <= protocol.CloseGoingAway || code == protocol.CloseNoStatus)
}
