package presence_test

import (
	"context"
	"fmt"

	"github.com/portico-go/portico/channellayer"
	"github.com/portico-go/portico/channellayer/presence"
)

func ExampleNew() {
	hub, err := channellayer.New(channellayer.Config{})
	if err != nil {
		panic(err)
	}
	defer hub.Close()
	tracker, err := presence.New(hub, presence.Config{})
	if err != nil {
		panic(err)
	}
	defer tracker.Close()
	ctx := context.Background()

	alice, _ := hub.Subscribe(hub.NewChannel("websocket"), nil)
	bob, _ := hub.Subscribe(hub.NewChannel("websocket"), nil)
	_ = tracker.Track(ctx, alice.Name(), "room.go", "alice", map[string]string{"device": "phone"})
	list, _ := tracker.Watch(ctx, alice.Name(), "room.go")
	for _, p := range list {
		fmt.Printf("%s %s\n", p.Key, p.Meta)
	}

	_ = tracker.Track(ctx, bob.Name(), "room.go", "bob", nil)
	m, _ := alice.Receive(ctx)
	diff, _ := channellayer.Value[presence.Diff](m)
	fmt.Println("joined:", diff.Joined[0].Key)
	// Output:
	// alice {"device":"phone"}
	// joined: bob
}
