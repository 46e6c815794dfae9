package auth_test

import (
	"context"
	"net/netip"
	"strings"
	"testing"

	"github.com/portico-go/portico/auth"
	"github.com/portico-go/portico/middleware/session"
	"github.com/portico-go/portico/protocol"
)

// wires are the protocols that everything is tried over.
var wires = []string{"http", "websocket", "chat"}

// recorder is a Transport that remembers the answer.
type recorder struct {
	head   protocol.Head
	reject *protocol.Reject
}

func (r *recorder) Send(ev protocol.Event) error {
	switch ev := ev.(type) {
	case *protocol.Reject:
		r.reject = ev
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
	t     *testing.T
	life  *protocol.Lifecycle
	wire  *recorder
	next  turn
	scope *protocol.Scope // as the application got it
	err   error           // of Open
}

// request returns a request from loopback; headers are pairs of name and value.
func request(protocolName string, headers ...string) *protocol.Request {
	req := &protocol.Request{Protocol: protocolName, Target: "/", Scheme: protocolName, Client: netip.MustParseAddrPort("127.0.0.1:1234")}
	if protocolName == "chat" {
		req.Framing = protocol.FramingLine
	} else {
		req.Method = "GET"
	}
	var fields protocol.Fields
	for i := 0; i < len(headers); i += 2 {
		fields.Add(headers[i], headers[i+1])
	}
	var err error
	if req.Headers, err = protocol.NewHeaders(fields); err != nil {
		panic(err)
	}
	return req
}

// dial opens a connection through mw.
func dial(t *testing.T, mw protocol.Middleware, req *protocol.Request) *client {
	t.Helper()
	c := &client{t: t, wire: &recorder{}}
	app := mw(protocol.ApplicationFunc(func(_ context.Context, scope *protocol.Scope, conn *protocol.Conn) (protocol.Handler, error) {
		c.scope = scope
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
	t.Cleanup(func() { life.End(nil) })
	return c
}

// do delivers an event whose handler is f, and returns the handler's error.
func (c *client) do(f turn) error {
	c.t.Helper()
	if c.err != nil {
		c.t.Fatal(c.err)
	}
	c.next = f
	return c.life.Deliver(&protocol.Connect{})
}

// answer accepts the connection, or answers the request.
func answer(conn *protocol.Conn) error {
	if conn.Request().Protocol == "http" {
		return conn.Send(&response{protocol.Head{Status: 200}})
	}
	return conn.Accept("", nil)
}

// cookie returns name=value of the answer's only Set-Cookie, or "".
func (c *client) cookie() string {
	for _, f := range c.wire.head.Header {
		if f.Name == "Set-Cookie" {
			pair, _, _ := strings.Cut(f.Value, ";")
			return pair
		}
	}
	return ""
}

// visit opens a connection, runs f and answers, in one event.
func visit(t *testing.T, mw protocol.Middleware, req *protocol.Request, f turn) (*client, error) {
	t.Helper()
	c := dial(t, mw, req)
	return c, c.do(func(ctx context.Context, scope *protocol.Scope, conn *protocol.Conn) error {
		if err := f(ctx, scope, conn); err != nil {
			return err
		}
		return answer(conn)
	})
}

// user returns whom the application sees behind mw.
func user(t *testing.T, mw protocol.Middleware, req *protocol.Request) auth.User {
	t.Helper()
	c := dial(t, mw, req)
	if c.err != nil {
		t.Fatal(c.err)
	}
	return auth.From(c.scope)
}

// hash returns a cheap hash of a password.
func hash(t testing.TB, password string) string {
	t.Helper()
	h, ok := cheap[password]
	if !ok {
		t.Fatalf("there is no hash of %q", password)
	}
	return h
}

// cheap are Django's hashes with one iteration.
var cheap = map[string]string{
	"wonderland": "pbkdf2_sha256$1$salt-of-wonderland$BfimvGlIgj9p67wZ3iUf4tGcdvW2spFmwUAbdH2xIXA=",
	"builder":    "pbkdf2_sha256$1$salt-of-builder$9HPYlo7Jq/oO7ZWfD4HrwTHt7zJIWkAhA5tmjnj2/v8=",
	"changed":    "pbkdf2_sha256$1$salt-of-changed$A6cMvhFRsfmeMxloRdER2B296Yi2AfLWL848lTVQdpA=",
}

func users(t testing.TB) *auth.MemoryBackend {
	t.Helper()
	b := auth.NewMemoryBackend()
	for name, password := range map[string]string{"alice": "wonderland", "bob": "builder"} {
		if err := b.Set(name, hash(t, password)); err != nil {
			t.Fatal(err)
		}
	}
	return b
}

func sessions() *session.Sessions {
	return session.New(session.NewMemoryStore(), session.Config{})
}

// login logs a user of b in over HTTP and returns the cookie.
func login(t *testing.T, mw protocol.Middleware, b *auth.MemoryBackend, name string) string {
	t.Helper()
	c, err := visit(t, mw, request("http"), func(ctx context.Context, scope *protocol.Scope, _ *protocol.Conn) error {
		u, err := b.Get(ctx, name)
		if err != nil {
			return err
		}
		return auth.Login(ctx, scope, u)
	})
	if err != nil || c.cookie() == "" {
		t.Fatalf("login of %s: cookie %q, error %v", name, c.cookie(), err)
	}
	return c.cookie()
}
