package auth_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/portico-go/portico/auth"
)

func ExampleUsers() {
	users, err := auth.Users(map[string]string{"alice": "wonderland"})
	if err != nil {
		panic(err)
	}
	ctx := context.Background()
	user, err := users.Authenticate(ctx, "alice", "wonderland")
	fmt.Println(user.Name(), err)
	_, err = users.Authenticate(ctx, "alice", "rabbit")
	fmt.Println(errors.Is(err, auth.ErrCredentials))
	// Output:
	// alice <nil>
	// true
}

// A backend holds hashes, which can come from a file.
func ExampleNewMemoryBackend() {
	ctx := context.Background()
	hash, err := auth.HashPassword(ctx, "wonderland")
	if err != nil {
		panic(err)
	}
	users := auth.NewMemoryBackend()
	fmt.Println(users.Set("alice", hash))
	fmt.Println(users.Set("bob", "builder") != nil) // that is no hash
	_, err = users.Authenticate(ctx, "ALICE", "wonderland")
	fmt.Println(err)
	// Output:
	// <nil>
	// true
	// <nil>
}
