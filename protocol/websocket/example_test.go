package websocket_test

import (
	"fmt"
	"strings"

	"github.com/portico-go/portico/protocol"
	"github.com/portico-go/portico/protocol/websocket"
)

func ExampleNewUpgrader() {
	upgrader := websocket.NewUpgrader(websocket.Config{
		Limits: protocol.Limits{Message: 64 << 10},
	})

	headers, err := protocol.ParseHeaders("Host: example.com\r\n" +
		"Connection: Upgrade\r\n" +
		"Upgrade: websocket\r\n" +
		"Sec-WebSocket-Version: 13\r\n" +
		"Sec-WebSocket-Protocol: chat, superchat\r\n" +
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n")
	if err != nil {
		panic(err)
	}
	req := &protocol.Request{Version: "1.1", Method: "GET", Scheme: "http", Target: "/", Headers: headers}

	codec, err := upgrader.Upgrade(req)
	if err != nil {
		panic(err)
	}
	answer, err := codec.Append(nil, &protocol.Accept{Subprotocol: "chat"})
	if err != nil {
		panic(err)
	}
	fmt.Print(strings.ReplaceAll(string(answer), "\r\n", "\n"))
	// Output:
	// HTTP/1.1 101 Switching Protocols
	// Upgrade: websocket
	// Connection: Upgrade
	// Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=
	// Sec-WebSocket-Protocol: chat
}
