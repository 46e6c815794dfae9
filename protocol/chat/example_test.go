package chat_test

import (
	"fmt"

	"github.com/portico-go/portico/protocol"
	"github.com/portico-go/portico/protocol/chat"
)

func ExampleNew() {
	p, err := chat.New(chat.Config{Headers: []string{"Accept-Language"}})
	if err != nil {
		panic(err)
	}
	handshake, codec := p.New(protocol.Limits{})

	in := []byte("/nick alice\n/header accept-language: de\n/join /rooms/go\nhello\n//etc\n")
	req, n, err := handshake.Decode(in)
	if err != nil {
		panic(err)
	}
	fmt.Println(req.Target, req.Headers.Get("Nick"), req.Headers.Get("Accept-Language"))

	_, err = codec.Decode(in[n:], func(ev protocol.Event) error {
		if m, ok := ev.(*protocol.Message); ok {
			fmt.Printf("%s\n", m.Data)
		}
		return nil
	})
	if err != nil {
		panic(err)
	}
	// Output:
	// /rooms/go alice de
	// hello
	// /etc
}

func ExampleNew_forbiddenHeader() {
	_, err := chat.New(chat.Config{Headers: []string{"X-Forwarded-For"}})
	fmt.Println(err)
	// Output:
	// chat: Config.Headers has "X-Forwarded-For", which a client must not set by /header; remove it
}
