package communicator_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"testing"

	"github.com/portico-go/portico/communicator"
	"github.com/portico-go/portico/consumer"
	"github.com/portico-go/portico/protocol"
)

// The examples have no test of their own. In yours, t is the one that the test gets.
var t = exampleT{}

type exampleT struct{ testing.TB }

func (exampleT) Helper()                  {}
func (exampleT) Cleanup(func())           {}
func (exampleT) Context() context.Context { return context.Background() }
func (exampleT) Fatal(args ...any)        { panic(fmt.Sprint(args...)) }
func (exampleT) Fatalf(f string, a ...any) {
	panic(fmt.Sprintf(f, a...))
}

// greeter greets whoever connects and sends back what it gets.
var greeter = &consumer.Messages[struct{}]{
	Connect: func(_ *struct{}, _ context.Context, c *consumer.Conn) error {
		if c.Scope().Path() != "/lobby" {
			return protocol.Rejectf(404, "only the lobby is open")
		}
		if err := c.Accept("", protocol.Fields{{Name: "X-Seen", Value: c.Scope().Header("User-Agent")}}); err != nil {
			return err
		}
		return c.SendText("hello over " + c.Scope().Protocol())
	},
	Receive: func(_ *struct{}, _ context.Context, c *consumer.Conn, m *protocol.Message) error {
		if string(m.Data) == "bye" {
			return c.Close(4000, "see you")
		}
		return c.Send(m)
	},
}

func ExampleWebSocket() {
	ws := communicator.WebSocket(t, greeter, "/lobby?from=street", communicator.Header("User-Agent", "example"))
	accept, err := ws.Connect()
	if err != nil {
		t.Fatal(err)
	}
	fmt.Println(accept.Head.Header.Get("X-Seen"))
	fmt.Println(ws.ReceiveText())
	fmt.Println(ws.SendText("bye"))
	closed, err := ws.ReceiveClose()
	fmt.Println(closed.Code, closed.Reason, err)
	// Output:
	// example
	// hello over websocket <nil>
	// <nil>
	// 4000 see you <nil>
}

func ExampleMessages_Connect() {
	_, err := communicator.WebSocket(t, greeter, "/cellar").Connect()
	reject, ok := errors.AsType[*protocol.Reject](err)
	fmt.Println(ok, reject.Status, reject.Reason)
	// Output: true 404 only the lobby is open
}

func ExampleChat() {
	terminal := communicator.Chat(t, greeter, "/nick alice", "/join /lobby")
	if _, err := terminal.Connect(); err != nil {
		t.Fatal(err)
	}
	fmt.Println(terminal.ReceiveText())
	fmt.Println(terminal.Disconnect(protocol.CloseNormal))
	// Output:
	// hello over chat <nil>
	// <nil>
}

func ExampleHTTP() {
	app := consumer.HTTPFunc(func(_ context.Context, x *consumer.Exchange) error {
		return x.Text(201, x.Scope().Query("to")+": "+string(x.Body()))
	})
	answer, err := communicator.HTTP(t, app, "POST", "/letters?to=bob").WithBody("hi").Do()
	if err != nil {
		t.Fatal(err)
	}
	fmt.Println(answer.Status, string(answer.Body))
	// Output: 201 bob: hi
}

// New drives a protocol of your own.
func ExampleNew() {
	lines := communicator.New(t, greeter, &protocol.Request{
		Protocol: "telegraph",
		Framing:  protocol.FramingLine,
		Target:   "/lobby",
		Client:   netip.MustParseAddrPort("192.0.2.1:7"),
	})
	lines.Open(&protocol.Connect{})
	for range 2 {
		ev, err := lines.Receive()
		fmt.Println(ev.EventType(), err)
	}
	fmt.Println(lines.Break(), errors.Is(lines.Cause(), protocol.ErrReset))
	// Output:
	// accept <nil>
	// message <nil>
	// <nil> true
}
