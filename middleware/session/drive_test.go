package session_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/portico-go/portico/middleware"
	"github.com/portico-go/portico/middleware/session"
	"github.com/portico-go/portico/protocol"
)

// wires are the protocols that everything is tried over.
var wires = []string{"http", "websocket", "chat"}

// recorder is a Transport that remembers the head of the answer.
type recorder struct{ head protocol.Head }

func (r *recorder) Send(ev protocol.Event) error {
	switch ev := ev.(type) {
	case *protocol.Reject:
		r.head = protocol.Head{Status: ev.StatusOrDefault(), Header: ev.Header}
	case protocol.Answer:
		r.head = *ev.Answer()
	}
	return nil
}
func (*recorder) Flush() error              { return nil }
func (*recorder) Post(protocol.Event) error { return protocol.ErrClosed }

// response answers an HTTP request.
type response struct{ head protocol.Head }

func (*response) EventType() string        { return "http.response" }
func (*response) Step() protocol.Step      { return protocol.StepAnswer }
func (r *response) Answer() *protocol.Head { return &r.head }

// A turn is what a handler does in one event.
type turn func(ctx context.Context, scope *protocol.Scope, conn *protocol.Conn) error

// A client is one connection that is driven event by event.
type client struct {
	t    *testing.T
	life *protocol.Lifecycle
	wire *recorder
	next turn
	err  error // of Open
}

func request(protocolName, cookie string) *protocol.Request {
	req := &protocol.Request{Protocol: protocolName, Target: "/", Scheme: protocolName}
	switch protocolName {
	case "http", "websocket":
		req.Method = "GET"
		req.Scheme = map[string]string{"http": "http", "websocket": "ws"}[protocolName]
	case "chat":
		req.Framing = protocol.FramingLine
	}
	if cookie != "" {
		req.Headers, _ = protocol.NewHeaders(protocol.Fields{{Name: "Cookie", Value: cookie}})
	}
	return req
}

// dial opens a connection through mw.
func dial(t *testing.T, mw protocol.Middleware, req *protocol.Request) *client {
	t.Helper()
	c := &client{t: t, wire: &recorder{}}
	app := mw(protocol.ApplicationFunc(func(_ context.Context, scope *protocol.Scope, conn *protocol.Conn) (protocol.Handler, error) {
		return protocol.HandlerFunc(func(ctx context.Context, _ protocol.Event) error {
			if next := c.next; next != nil {
				c.next = nil
				return next(ctx, scope, conn)
			}
			return nil
		}), nil
	}))
	life, err := protocol.NewLifecycle(t.Context(), req, c.wire, &protocol.Settings{})
	if err != nil {
		t.Fatal(err)
	}
	c.life = life
	c.err = life.Open(app)
	return c
}

// do delivers an event whose handler is f, and returns the handler's error.
func (c *client) do(f turn) error {
	c.t.Helper()
	c.next = f
	return c.life.Deliver(&protocol.Connect{})
}

func (c *client) end() { c.life.End(nil) }

// answer accepts the connection, or answers the request.
func answer(conn *protocol.Conn) error {
	if conn.Request().Protocol == "http" {
		return conn.Send(&response{protocol.Head{Status: 200}})
	}
	return conn.Accept("", nil)
}

// cookies returns the Set-Cookie fields of the answer.
func (c *client) cookies() (lines []string) {
	for _, f := range c.wire.head.Header {
		if f.Name == "Set-Cookie" {
			lines = append(lines, f.Value)
		}
	}
	return lines
}

// pair returns name=value of the only Set-Cookie, or "".
func (c *client) pair() string {
	lines := c.cookies()
	if len(lines) > 1 {
		panic(fmt.Sprintf("the answer sets %d cookies: %q", len(lines), lines))
	}
	if len(lines) == 0 {
		return ""
	}
	pair, _, _ := strings.Cut(lines[0], ";")
	return pair
}

func stack(s *session.Sessions) protocol.Middleware {
	return protocol.Chain(middleware.Cookie(), s.Middleware())
}

// visit opens a connection, runs f and answers, in one event, and ends it.
func visit(t *testing.T, mw protocol.Middleware, req *protocol.Request, f turn) (*client, error) {
	t.Helper()
	c := dial(t, mw, req)
	if c.err != nil {
		t.Fatal(c.err)
	}
	err := c.do(func(ctx context.Context, scope *protocol.Scope, conn *protocol.Conn) error {
		if err := f(ctx, scope, conn); err != nil {
			return err
		}
		return answer(conn)
	})
	c.end()
	return c, err
}

func put(key string, value any) turn {
	return func(ctx context.Context, scope *protocol.Scope, _ *protocol.Conn) error {
		return session.From(scope).Put(ctx, key, value)
	}
}

// read returns the string under key that a request with cookie finds.
func read(t *testing.T, mw protocol.Middleware, cookie, key string) (value string, ok bool) {
	t.Helper()
	_, err := visit(t, mw, request("http", cookie), func(ctx context.Context, scope *protocol.Scope, _ *protocol.Conn) (err error) {
		value, ok, err = session.Get[string](ctx, session.From(scope), key)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return value, ok
}
