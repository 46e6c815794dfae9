package session_test

import (
	"context"
	"fmt"

	"github.com/portico-go/portico/middleware"
	"github.com/portico-go/portico/middleware/session"
	"github.com/portico-go/portico/protocol"
)

// counter counts the visits of a client.
var counter = protocol.ApplicationFunc(func(_ context.Context, scope *protocol.Scope, conn *protocol.Conn) (protocol.Handler, error) {
	return protocol.HandlerFunc(func(ctx context.Context, ev protocol.Event) error {
		if _, ok := ev.(*protocol.Connect); !ok {
			return nil
		}
		s := session.From(scope)
		visits, _, err := session.Get[int](ctx, s, "visits")
		if err != nil {
			return err
		}
		if err := s.Put(ctx, "visits", visits+1); err != nil {
			return err
		}
		fmt.Println("visit", visits+1)
		return conn.Accept("", nil)
	}), nil
})

// visitTwice opens two connections of one client.
func visitTwice(app protocol.Application) {
	cookie := ""
	for range 2 {
		c := &client{wire: &recorder{}}
		life, _ := protocol.NewLifecycle(context.Background(), request("websocket", cookie), c.wire, &protocol.Settings{})
		_ = life.Open(app)
		_ = life.Deliver(&protocol.Connect{})
		life.End(nil)
		cookie = c.pair()
	}
}

func ExampleNew() {
	sessions := session.New(session.NewMemoryStore(), session.Config{})
	visitTwice(protocol.Chain(middleware.Cookie(), sessions.Middleware())(counter))
	// Output:
	// visit 1
	// visit 2
}

func ExampleNewSigned() {
	key := []byte("32 random bytes, kept in a vault") // the new key first, old ones behind it
	sessions := session.NewSigned([][]byte{key}, session.Config{})
	visitTwice(protocol.Chain(middleware.Cookie(), sessions.Middleware())(counter))
	// Output:
	// visit 1
	// visit 2
}

func ExampleNewMemoryStore() {
	store := session.NewMemoryStore()
	sessions := session.New(store, session.Config{Cookie: "sid", SaveEveryRequest: true})
	visitTwice(protocol.Chain(middleware.Cookie(), sessions.Middleware())(counter))
	fmt.Println(store.Len(), "session")
	// Output:
	// visit 1
	// visit 2
	// 1 session
}
