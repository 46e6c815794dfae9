package channellayer_test

import (
	"context"
	"fmt"

	"github.com/portico-go/portico/channellayer"
)

func ExampleNew() {
	hub, err := channellayer.New(channellayer.Config{
		Limits: []channellayer.Limit{{Pattern: "sensor.*", Capacity: 1, Overflow: channellayer.DropOldest}},
	})
	if err != nil {
		panic(err)
	}
	defer hub.Close()
	ctx := context.Background()

	for celsius := 20; celsius < 23; celsius++ {
		_ = hub.Send(ctx, "sensor.7", channellayer.Event{Type: "reading", Value: celsius})
	}
	sub, _ := hub.Subscribe("sensor.7", nil)
	m, _ := sub.Receive(ctx)
	celsius, _ := channellayer.Value[int](m)
	fmt.Println(m.Type, celsius)
	// Output: reading 22
}

func ExampleHub_GroupSend() {
	hub, _ := channellayer.New(channellayer.Config{})
	defer hub.Close()
	ctx := context.Background()

	alice, _ := hub.Subscribe(hub.NewChannel("alice"), nil)
	bob, _ := hub.Subscribe(hub.NewChannel("bob"), nil)
	_ = alice.Join(ctx, "room.go")
	_ = bob.Join(ctx, "room.go")

	d, _ := hub.GroupSend(ctx, "room.go", channellayer.Event{Type: "chat.message", Value: "hi"}, channellayer.Except(alice.Name()))
	m, _ := bob.Next()
	fmt.Printf("%d: %s %s\n", d.Delivered, m.Type, m.Payload)
	// Output: 1: chat.message "hi"
}

// A subscription with a wake function belongs to something that runs anyway: a connection, an event loop.
func ExampleHub_Subscribe() {
	hub, _ := channellayer.New(channellayer.Config{})
	defer hub.Close()

	mailbox := make(chan struct{}, 1)
	sub, _ := hub.Subscribe(hub.NewChannel("connection"), func() {
		select {
		case mailbox <- struct{}{}:
		default: // it knows already
		}
	})
	for _, word := range []string{"one", "two"} {
		_ = hub.Send(context.Background(), sub.Name(), channellayer.Event{Type: "word", Value: word})
	}

	<-mailbox
	for m, ok := sub.Next(); ok; m, ok = sub.Next() {
		fmt.Println(string(m.Payload))
	}
	// Output:
	// "one"
	// "two"
}

func ExampleRendering() {
	hub, _ := channellayer.New(channellayer.Config{})
	defer hub.Close()
	ctx := context.Background()
	for range 3 {
		sub, _ := hub.Subscribe(hub.NewChannel("terminal"), nil)
		_ = sub.Join(ctx, "room")
		defer func() {
			m, _ := sub.Next()
			line, _ := channellayer.Rendering(m, "line", func() ([]byte, error) {
				fmt.Println("rendered once")
				text, err := channellayer.Value[string](m)
				return []byte(text + "\n"), err
			})
			fmt.Print(string(line))
		}()
	}
	_, _ = hub.Broadcast(ctx, "room", channellayer.Event{Value: "hi"})
	// Output:
	// rendered once
	// hi
	// hi
	// hi
}
