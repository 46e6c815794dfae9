package auth_test

import (
	"context"
	"crypto/sha256"
	"fmt"

	"github.com/portico-go/portico/auth"
	"github.com/portico-go/portico/middleware"
	"github.com/portico-go/portico/middleware/session"
	"github.com/portico-go/portico/protocol"
)

// greeter refuses whoever is not logged in.
var greeter = protocol.ApplicationFunc(func(_ context.Context, scope *protocol.Scope, conn *protocol.Conn) (protocol.Handler, error) {
	user := auth.From(scope)
	if !user.IsAuthenticated() {
		return nil, protocol.Rejectf(403, "log in first")
	}
	fmt.Println("hello,", user.Name())
	return protocol.HandlerFunc(func(context.Context, protocol.Event) error { return conn.Accept("", nil) }), nil
})

// open opens one connection.
func open(app protocol.Application, req *protocol.Request) {
	life, _ := protocol.NewLifecycle(context.Background(), req, &recorder{}, &protocol.Settings{})
	if err := life.Open(app); err != nil {
		fmt.Println(err)
	}
	life.End(nil)
}

func ExampleStack() {
	backend, _ := auth.Users(map[string]string{"alice": "wonderland"})
	sessions := session.New(session.NewMemoryStore(), session.Config{})
	open(auth.Stack(backend, sessions)(greeter), request("websocket"))
	// Output: protocol: refused with 403 log in first
}

func ExampleMiddleware() {
	backend := auth.NewMemoryBackend()
	sessions := session.New(session.NewMemoryStore(), session.Config{})
	inOrder := protocol.Chain(middleware.Cookie(), sessions.Middleware(), auth.Middleware(backend))
	outOfOrder := protocol.Chain(middleware.Cookie(), auth.Middleware(backend), sessions.Middleware())
	fmt.Println(protocol.Check(inOrder(greeter)))
	fmt.Println(protocol.Check(outOfOrder(greeter)))
	// Output:
	// <nil>
	// protocol: auth needs "session"; session provides it but stands inside: put session outside of auth
}

func ExampleLogin() {
	backend, _ := auth.Users(map[string]string{"alice": "wonderland"})
	sessions := session.New(session.NewMemoryStore(), session.Config{})
	login := protocol.ApplicationFunc(func(_ context.Context, scope *protocol.Scope, conn *protocol.Conn) (protocol.Handler, error) {
		return protocol.HandlerFunc(func(ctx context.Context, _ protocol.Event) error {
			user, err := backend.Authenticate(ctx, "alice", "wonderland") // of a form
			if err != nil {
				return protocol.Rejectf(401, "wrong name or password")
			}
			if err := auth.Login(ctx, scope, user); err != nil {
				return err
			}
			fmt.Println("now", auth.From(scope).Name())
			return conn.Send(&response{protocol.Head{Status: 303}})
		}), nil
	})
	life, _ := protocol.NewLifecycle(context.Background(), request("http"), &recorder{}, &protocol.Settings{})
	_ = life.Open(auth.Stack(backend, sessions)(login))
	_ = life.Deliver(&protocol.Connect{})
	life.End(nil)
	// Output: now alice
}

func ExampleToken() {
	backend := auth.NewMemoryBackend()
	owners := map[[32]byte]string{} // from the hash of a token to the ID of its user
	verify := func(ctx context.Context, token string) (auth.User, error) {
		id, ok := owners[sha256.Sum256([]byte(token))]
		if !ok {
			return nil, auth.ErrCredentials
		}
		return backend.Get(ctx, id)
	}
	app := auth.Token(verify, auth.FromBearer, auth.FromQuery("token"))(greeter)
	req := request("websocket")
	req.Target = "/ws?token=guess"
	open(app, req)
	// Output: protocol: refused with 401 wrong credentials
}

func ExampleJWT() {
	backend := auth.NewMemoryBackend()
	verify, err := auth.JWT(auth.JWTConfig{
		Algorithm: "HS256",
		Keys:      []any{[]byte("32 random bytes, kept in a vault")},
		User: func(ctx context.Context, subject string, _ map[string]any) (auth.User, error) {
			return backend.Get(ctx, subject)
		},
	})
	if err != nil {
		panic(err)
	}
	open(auth.Token(verify)(greeter), request("http", "Authorization", "Bearer a.b.c"))
	// Output: protocol: refused with 401 wrong credentials
}

func ExampleChatUsername() {
	backend, _ := auth.Users(map[string]string{"alice": "wonderland"})
	app := auth.ChatUsername(backend)(greeter)
	open(app, request("chat", "Nick", "alice", "Pass", "wonderland")) // /nick alice, /pass wonderland
	open(app, request("chat", "Nick", "alice", "Pass", "guess"))
	// Output:
	// hello, alice
	// protocol: refused with 401 wrong credentials
}

func ExampleVerifyPassword() {
	encoded, _ := auth.HashPassword(context.Background(), "wonderland")
	fmt.Println(encoded[:28])
	fmt.Println(auth.VerifyPassword(context.Background(), encoded, "guess"))
	// Output:
	// $argon2id$v=19$m=19456,t=2,p
	// auth: wrong credentials
}
