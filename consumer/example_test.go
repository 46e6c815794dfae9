package consumer_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/portico-go/portico/channellayer"
	"github.com/portico-go/portico/communicator"
	"github.com/portico-go/portico/consumer"
	"github.com/portico-go/portico/protocol"
	"github.com/portico-go/portico/router"
)

// The examples drive their consumers with communicators, as tests do. They have no
// test of their own, so this stands for one.
type exampleT struct{ testing.TB }

func (exampleT) Helper()                  {}
func (exampleT) Cleanup(func())           {}
func (exampleT) Context() context.Context { return context.Background() }

// said is what everybody in a room receives.
type said struct {
	From string `json:"from"`
	Text string `json:"text"`
}

// MarshalLine makes it a terminal's line.
func (s said) MarshalLine() (string, error) { return consumer.Lines("<"+s.From+"> ", s.Text), nil }

// A guest is the state of one connection.
type guest struct{ room string }

func (g *guest) connect(ctx context.Context, c *consumer.Conn) error {
	g.room = c.Scope().Param("room")
	return c.Join(ctx, g.room)
}

func (g *guest) say(ctx context.Context, c *consumer.Conn, text string) error {
	return c.Broadcast(ctx, g.room, "said", said{From: c.Scope().Protocol(), Text: text})
}

// One consumer serves browsers and terminals.
func ExampleMessages() {
	hub, err := channellayer.New(channellayer.Config{})
	if err != nil {
		panic(err)
	}
	room := router.MustURLRouter(router.Path("/{room}", &consumer.Messages[guest]{
		Layer:      hub,
		Connect:    (*guest).connect,
		Receive:    consumer.JSON((*guest).say),
		Broadcasts: consumer.Broadcasts{"said": consumer.Render[said]()},
	}))

	browser := communicator.WebSocket(exampleT{}, room, "/go")
	terminal := communicator.Chat(exampleT{}, room, "/join /go")
	for _, m := range []*communicator.Messages{browser, terminal} {
		if _, err := m.Connect(); err != nil {
			panic(err)
		}
	}
	fmt.Println(terminal.SendText("hello"))
	fmt.Println(browser.ReceiveText())
	fmt.Println(terminal.ReceiveText())
	// Output:
	// <nil>
	// {"from":"chat","text":"hello"} <nil>
	// <chat> hello <nil>
}

// Events are handled by each member's consumer, in its own way.
func ExampleEvent() {
	hub, err := channellayer.New(channellayer.Config{})
	if err != nil {
		panic(err)
	}
	type price struct{ Cents int }
	shop := &consumer.Messages[struct{}]{
		Layer:  hub,
		Groups: []string{"prices"},
		Events: consumer.Events[struct{}]{
			"price": consumer.Event(func(_ *struct{}, _ context.Context, c *consumer.Conn, p price) error {
				if c.Scope().Query("max") == "cheap" && p.Cents > 100 {
					return nil
				}
				return c.Reply(p)
			}),
		},
	}
	customer := communicator.WebSocket(exampleT{}, shop, "/?max=cheap")
	if _, err := customer.Connect(); err != nil {
		panic(err)
	}
	for _, cents := range []int{500, 99} {
		if _, err := hub.GroupSend(context.Background(), "prices", channellayer.Event{Type: "price", Value: price{cents}}); err != nil {
			panic(err)
		}
	}
	fmt.Println(customer.ReceiveText())
	// Output: {"Cents":99} <nil>
}

// What is no message of the type can be answered in place of closing.
func ExampleJSONOr() {
	sum := &consumer.Messages[struct{}]{
		Receive: consumer.JSONOr(
			func(_ *struct{}, _ context.Context, c *consumer.Conn, numbers []int) error {
				total := 0
				for _, n := range numbers {
					total += n
				}
				return c.Reply(total)
			},
			func(_ *struct{}, _ context.Context, c *consumer.Conn, err error) error {
				return c.Reply("numbers, please")
			},
		),
	}
	ws := communicator.WebSocket(exampleT{}, sum, "/")
	if _, err := ws.Connect(); err != nil {
		panic(err)
	}
	for _, text := range []string{"[1,2,3]", "[1,"} {
		if err := ws.SendText(text); err != nil {
			panic(err)
		}
		fmt.Println(ws.ReceiveText())
	}
	// Output:
	// 6 <nil>
	// "numbers, please" <nil>
}

func ExampleHTTPFunc() {
	double := consumer.HTTPFunc(func(_ context.Context, x *consumer.Exchange) error {
		n, err := router.Int(x.Scope(), "n")
		if err != nil {
			return err
		}
		if n > 1000 {
			return protocol.Rejectf(422, "that is too much")
		}
		return x.JSON(200, 2*n)
	})
	app := router.MustURLRouter(router.Path("/double/{n:int}", double))
	for _, path := range []string{"/double/21", "/double/5000"} {
		answer, err := communicator.HTTP(exampleT{}, app, "GET", path).Do()
		fmt.Printf("%d %q %v\n", answer.Status, answer.Body, err)
	}
	// Output:
	// 200 "42\n" <nil>
	// 422 "that is too much" <nil>
}

// An answer that goes on, in parts: here with server-sent events.
func ExampleHTTP() {
	countdown := &consumer.HTTP[int]{
		New:    func() *int { n := 2; return &n },
		Stream: true,
		Handle: func(_ *int, _ context.Context, x *consumer.Exchange) error {
			if err := x.Start(200, "text/event-stream"); err != nil {
				return err
			}
			return x.Conn().Post(&protocol.Timer{})
		},
		Posted: func(n *int, _ context.Context, x *consumer.Exchange, _ protocol.Event) error {
			if *n == 0 {
				return x.End()
			}
			if err := x.Write(fmt.Appendf(nil, "data: %d\n\n", *n)); err != nil {
				return err
			}
			*n--
			return x.Conn().Post(&protocol.Timer{})
		},
	}
	answer, err := communicator.HTTP(exampleT{}, countdown, "GET", "/").Do()
	fmt.Printf("%q %v\n", answer.Body, err)
	// Output: "data: 2\n\ndata: 1\n\n" <nil>
}

func ExampleLines() {
	fmt.Println(consumer.Lines("<alice> ", "one\n<bob> two"))
	// Output:
	// <alice> one
	// <alice> <bob> two
}

// A client that comes again gets what it missed, if it says the position of the last message that it had.
func ExampleConn_JoinFrom() {
	hub, err := channellayer.New(channellayer.Config{
		History: []channellayer.History{{Pattern: "room.*", Size: 1000, Age: time.Hour}},
	})
	if err != nil {
		panic(err)
	}
	room := &consumer.Messages[struct{}]{
		Layer: hub,
		Connect: func(_ *struct{}, ctx context.Context, c *consumer.Conn) error {
			recovered, err := c.JoinFrom(ctx, "room.go", c.Scope().Query("position"))
			if err != nil {
				return err
			}
			if err := c.Accept("", nil); err != nil {
				return err
			}
			return c.Reply(map[string]bool{"recovered": recovered.Exact})
		},
		Broadcasts: consumer.Broadcasts{"said": consumer.RenderPositioned[said]()},
	}
	say := func(text string) {
		if _, err := hub.Broadcast(context.Background(), "room.go", channellayer.Event{Type: "said", Value: said{"alice", text}}); err != nil {
			panic(err)
		}
	}
	visit := func(position string, messages int) (last consumer.Positioned[said]) {
		browser := communicator.WebSocket(exampleT{}, room, "/?position="+position)
		if _, err := browser.Connect(); err != nil {
			panic(err)
		}
		fmt.Println(browser.ReceiveText())
		for range messages {
			if err := browser.ReceiveJSON(&last); err != nil {
				panic(err)
			}
			fmt.Println(last.Value.Text)
		}
		_ = browser.Disconnect(1001)
		return last
	}

	say("one")
	had := visit("", 1)
	say("two")
	say("three")
	visit(had.Position.String(), 2)
	// Output:
	// {"recovered":false} <nil>
	// one
	// {"recovered":true} <nil>
	// two
	// three
}
