package nats_test

import (
	"fmt"

	client "github.com/nats-io/nats.go"

	"github.com/portico-go/portico/channellayer/nats"
)

func ExampleOpen() {
	_, err := nats.Open("nats://nats.internal:4222?prefix=chat")
	fmt.Println(err)
	// Output: nats: options: Prefix is "chat", expected tokens of letters, digits, - and _ with a dot behind each, such as "portico."
}

func ExampleNew() {
	_, err := nats.New(nats.Options{
		URL:    "nats://nats-1.internal:4222,nats://nats-2.internal:4222",
		Prefix: "chat.",
		Client: []client.Option{client.Name("chat"), client.UserCredentials("chat.creds")},
	})
	fmt.Println(err)
	// Output: <nil>
}
