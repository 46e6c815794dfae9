package channellayer_test

import (
	"context"
	"fmt"
	"time"

	"github.com/portico-go/portico/channellayer"
)

// Who was away names the last message that it had, and gets what came after it.
func ExampleSubscription_JoinFrom() {
	hub, err := channellayer.New(channellayer.Config{
		History: []channellayer.History{{Pattern: "room.*", Size: 1000, Age: time.Hour}},
	})
	if err != nil {
		panic(err)
	}
	defer hub.Close()
	ctx := context.Background()
	say := func(text string) channellayer.Position {
		d, err := hub.GroupSend(ctx, "room.go", channellayer.Event{Type: "said", Value: text})
		if err != nil {
			panic(err)
		}
		return d.Position
	}
	had := say("one").String() // what a client keeps
	say("two")
	say("three")

	sub, err := hub.Subscribe(hub.NewChannel("websocket"), nil)
	if err != nil {
		panic(err)
	}
	position, err := channellayer.ParsePosition(had)
	if err != nil {
		panic(err)
	}
	r, err := sub.JoinFrom(ctx, "room.go", position)
	if err != nil {
		panic(err)
	}
	fmt.Println("recovered:", r.Recovered)
	for page, err := r.Next(ctx); len(page) > 0; page, err = r.Next(ctx) {
		for _, m := range page {
			fmt.Println(channellayer.Value[string](m))
		}
		if err != nil {
			panic(err)
		}
	}
	say("four")
	m, _ := sub.Next()
	fmt.Println(channellayer.Value[string](m))
	// Output:
	// recovered: true
	// two <nil>
	// three <nil>
	// four <nil>
}

// A log delivers what is appended, and has it again.
func ExampleNewMemoryLog() {
	log := channellayer.NewMemoryLog(func(subject string, e channellayer.Entry) {
		fmt.Printf("%s: entry %d, %s\n", subject, e.Offset, e.Envelope)
	})
	defer log.Close()
	ctx := context.Background()
	keep := channellayer.Retention{Size: 100, Age: time.Hour}
	at, err := log.Append(ctx, "h.room", keep, channellayer.Record{Tag: "AAAAAAAAAAAAA", Envelope: []byte("hello")})
	if err != nil {
		panic(err)
	}
	page, err := log.Read(ctx, "h.room", keep, 0, 10)
	fmt.Println(len(page.Entries), page.Top == at, err)
	// Output:
	// h.room: entry 1, hello
	// 1 true <nil>
}
