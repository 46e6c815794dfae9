package protocol_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/portico-go/portico/protocol"
)

// A key is a package variable; whoever has it can bind and read the value.
func ExampleNewKey() {
	language := protocol.NewKey[string]("language")

	scope, err := protocol.NewScope(&protocol.Request{Protocol: "http", Target: "/"})
	if err != nil {
		fmt.Println(err)
		return
	}
	german := scope.With(language.Of("de"))

	fmt.Println(language.From(german))
	_, found := language.From(scope)
	fmt.Println(found)
	// Output:
	// de true
	// false
}

func ExampleNewScope() {
	headers, err := protocol.ParseHeaders("Host: example.org\r\nCookie: theme=dark\r\n")
	if err != nil {
		fmt.Println(err)
		return
	}
	scope, err := protocol.NewScope(&protocol.Request{
		Protocol: "websocket",
		Target:   "/rooms/caf%C3%A9?since=7",
		Headers:  headers,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	theme, _ := scope.Cookie("theme")
	fmt.Println(scope.Path(), scope.Query("since"), scope.Host(), theme)

	_, err = protocol.NewScope(&protocol.Request{Protocol: "websocket", Target: "/rooms/%2e%2e/secret"})
	fmt.Println(err)
	// Output:
	// /rooms/café 7 example.org dark
	// protocol: refused with 400 a path must have no "." or ".." segment
}

func ExampleParseHeaders() {
	headers, err := protocol.ParseHeaders("Host: example.org\r\nAccept: text/html, */*\r\n\r\n")
	fmt.Println(headers.Get("host"), headers.Contains("Accept", "*/*"), err)

	_, err = protocol.ParseHeaders("Host: example.org\r\nX-Evil: a\rSet-Cookie: b\r\n\r\n")
	fmt.Println(err)
	// Output:
	// example.org true <nil>
	// protocol: the value of the header X-Evil has the control character 0x0d
}

func ExampleNewHeaders() {
	headers, err := protocol.NewHeaders(protocol.Fields{{Name: "Nick", Value: "alice"}})
	fmt.Println(headers.Get("nick"), err)
	// Output: alice <nil>
}

// ExampleChain shows what middleware is: an Application around another one.
func ExampleChain() {
	say := func(word string) protocol.Middleware {
		return func(inner protocol.Application) protocol.Application {
			return protocol.ApplicationFunc(func(ctx context.Context, scope *protocol.Scope, conn *protocol.Conn) (protocol.Handler, error) {
				fmt.Println(word)
				return inner.Open(ctx, scope, conn)
			})
		}
	}
	app := protocol.Chain(say("first"), say("second"))(echo)
	talk(app, "hi")
	// Output:
	// first
	// second
	// > accept
	// > message hi
	// closed
}

// A Reject says how a connection is refused, in every protocol.
func ExampleReject() {
	members := protocol.ApplicationFunc(func(context.Context, *protocol.Scope, *protocol.Conn) (protocol.Handler, error) {
		return nil, &protocol.Reject{
			Status: http.StatusUnauthorized,
			Reason: "log in first",
			Header: protocol.Fields{{Name: "WWW-Authenticate", Value: "Bearer"}},
		}
	})
	talk(members)
	// Output:
	// > reject 401 log in first
	// closed: protocol: refused with 401 log in first
}

func ExampleRejectf() {
	err := protocol.Rejectf(http.StatusNotFound, "there is no room %q", "go")
	fmt.Println(err.Status, err.Reason)
	// Output: 404 there is no room "go"
}

// A CloseError ends an accepted connection with a code of the application's own.
func ExampleClosef() {
	polite := protocol.ApplicationFunc(func(_ context.Context, _ *protocol.Scope, conn *protocol.Conn) (protocol.Handler, error) {
		return protocol.HandlerFunc(func(_ context.Context, ev protocol.Event) error {
			switch ev := ev.(type) {
			case *protocol.Connect:
				return conn.Accept("", nil)
			case *protocol.Message:
				return protocol.Closef(4001, "please do not say %s", ev.Data)
			}
			return nil
		}), nil
	})
	talk(polite, "damn")
	// Output:
	// > accept
	// > close 4001 please do not say damn
	// closed: protocol: closed with 4001 please do not say damn
}

// NoRoute lets a router that stands around this one go on with its own routes.
func ExampleNoRoute() {
	err := fmt.Errorf("rooms: %w", protocol.NoRoute())
	fmt.Println(protocol.IsNoRoute(err))

	reject, unexpected := protocol.RejectOf(err)
	fmt.Println(reject.Status, unexpected)
	// Output:
	// true
	// 404 false
}

func ExampleNoRouteWith() {
	err := protocol.NoRouteWith(protocol.Reject{
		Status: http.StatusMethodNotAllowed,
		Header: protocol.Fields{{Name: "Allow", Value: "GET, HEAD"}},
	})
	reject, _ := protocol.RejectOf(err)
	fmt.Println(protocol.IsNoRoute(err), reject.Status, reject.Header.Get("Allow"))
	// Output: true 405 GET, HEAD
}

// Check finds a wrong order before a server listens.
func ExampleCheck() {
	user := protocol.NewKey[string]("user")
	login := &described{protocol.Description{Name: "login", Provides: []protocol.AnyKey{user}}}
	profile := &described{protocol.Description{
		Name:     "profile",
		Requires: []protocol.AnyKey{user},
		Inner:    []protocol.Inner{{App: login}},
	}}
	fmt.Println(protocol.Check(profile))
	// Output:
	// protocol: profile needs "user"; login provides it but stands inside: put login outside of profile
}

func ExampleStartAll() {
	pool := protocol.NewKey[string]("pool")
	app := &described{protocol.Description{
		Name: "database",
		Start: func(_ context.Context, state *protocol.LifespanState) error {
			state.Set(pool.Of("ten connections"))
			return nil
		},
		Stop: func(context.Context) error { fmt.Println("closed"); return nil },
	}}
	ctx := context.Background()
	span, err := protocol.StartAll(ctx, app)
	if err != nil {
		fmt.Println(err)
		return
	}
	// A server passes the values on to every scope: Settings{Values: span.Values}.
	scope, err := protocol.NewScope(&protocol.Request{Target: "/"}, span.Values...)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(pool.From(scope))
	if err := span.StopAll(ctx); err != nil {
		fmt.Println(err)
	}
	// Output:
	// ten connections true
	// closed
}

type described struct{ d protocol.Description }

func (d *described) Describe() protocol.Description { return d.d }

func (*described) Open(context.Context, *protocol.Scope, *protocol.Conn) (protocol.Handler, error) {
	return nil, protocol.NoRoute()
}

// echo sends every message back.
var echo = protocol.ApplicationFunc(func(_ context.Context, _ *protocol.Scope, conn *protocol.Conn) (protocol.Handler, error) {
	return protocol.HandlerFunc(func(_ context.Context, ev protocol.Event) error {
		switch ev := ev.(type) {
		case *protocol.Connect:
			return conn.Accept("", nil)
		case *protocol.Message:
			return conn.Send(ev)
		case *protocol.Disconnect:
			if ev.Cause != nil && !errors.Is(ev.Cause, protocol.ErrReset) {
				fmt.Println("closed:", ev.Cause)
			}
		}
		return nil
	}), nil
})

// A terminal is the smallest Transport: it prints what is sent, and has no mailbox
// because one goroutine does everything.
type terminal struct{}

func (terminal) Send(ev protocol.Event) error {
	switch ev := ev.(type) {
	case *protocol.Message:
		fmt.Printf("> message %s\n", ev.Data)
	case *protocol.Reject:
		fmt.Println("> reject", ev.Status, ev.Text())
	case *protocol.Close:
		fmt.Println("> close", ev.Code, ev.Reason)
	default:
		fmt.Println(">", ev.EventType())
	}
	return nil
}

func (terminal) Flush() error              { return nil }
func (terminal) Post(protocol.Event) error { return protocol.ErrClosed }

// talk drives one connection of app: it connects, says lines, and is over.
func talk(app protocol.Application, lines ...string) {
	request := &protocol.Request{Protocol: "terminal", Framing: protocol.FramingLine, Target: "/"}
	life, err := protocol.NewLifecycle(context.Background(), request, terminal{}, &protocol.Settings{Observer: closings{}})
	if err != nil {
		life.Terminate(err)
	} else if life.Open(app) == nil {
		err = life.Deliver(&protocol.Connect{})
		for _, text := range lines {
			if err == nil {
				err = life.Deliver(&protocol.Message{Data: []byte(text)})
			}
		}
	}
	life.End(nil) // the handler's Disconnect and all cleanups
}

// closings prints why connections end.
type closings struct{}

func (closings) Observe(o protocol.Observation) {
	switch {
	case o.Kind == protocol.Closed && o.Err != nil:
		fmt.Println("closed:", o.Err)
	case o.Kind == protocol.Closed:
		fmt.Println("closed")
	}
}

// A server of one's own implements Transport and drives a Lifecycle per connection.
func ExampleLifecycle() {
	request := &protocol.Request{Protocol: "terminal", Target: "/"}
	life, err := protocol.NewLifecycle(context.Background(), request, terminal{}, &protocol.Settings{})
	if err != nil {
		life.Terminate(err) // a bad target: it is refused
	} else if life.Open(echo) == nil { // else it has been refused
		_ = life.Deliver(&protocol.Connect{}) // errors have been answered
		_ = life.Deliver(&protocol.Message{Data: []byte("hello")})
		life.Terminate(protocol.ErrShutdown)
	}
	life.End(nil)
	// Output:
	// > accept
	// > message hello
	// > close 1001 server shutting down
	// closed: protocol: the server shuts down
}
