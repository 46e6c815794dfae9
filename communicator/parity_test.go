package communicator_test

import (
	"context"
	"testing"

	"github.com/portico-go/portico/communicator"
	"github.com/portico-go/portico/consumer"
	"github.com/portico-go/portico/protocol"
	"github.com/portico-go/portico/router"
)

func TestC4_ThroughAURLRouter(t *testing.T) {
	t.Parallel()
	app := router.ProtocolTypeRouter{"websocket": router.MustURLRouter(
		router.Path("/testws/{message}/", &consumer.Messages[struct{}]{
			Receive: func(_ *struct{}, _ context.Context, c *consumer.Conn, m *protocol.Message) error {
				return c.SendText(c.Scope().Param("message") + ", " + string(m.Data))
			},
		}),
	)}
	m := communicator.WebSocket(t, app, "/testws/hello/")
	if _, err := m.Connect(); err != nil {
		t.Fatal(err)
	}
	must(t, m.SendText("world"))
	if got, err := m.ReceiveText(); err != nil || got != "hello, world" {
		t.Errorf("ReceiveText = %q, %v", got, err)
	}
	must(t, m.Disconnect(protocol.CloseNormal))
}
