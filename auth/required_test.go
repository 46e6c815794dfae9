package auth_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/portico-go/portico/auth"
	"github.com/portico-go/portico/protocol"
)

func TestRequired(t *testing.T) {
	t.Parallel()
	b, s := users(t), sessions()
	stack := auth.Stack(b, s)
	members := protocol.Chain(stack, auth.Required())
	alice := login(t, stack, b, "alice")
	for _, wire := range wires {
		for cookie, status := range map[string]int{alice: 0, "": 403, "sessionid=forged": 403} {
			var headers []string
			if cookie != "" {
				headers = []string{"Cookie", cookie}
			}
			c := dial(t, members, request(wire, headers...))
			switch {
			case status == 0 && c.err != nil:
				t.Errorf("%s with %q: %v", wire, cookie, c.err)
			case status != 0 && (c.wire.reject == nil || c.wire.reject.StatusOrDefault() != status || c.scope != nil):
				t.Errorf("%s with %q: refused with %v, and the application opened: %v; want %d", wire, cookie, c.wire.reject, c.scope != nil, status)
			}
		}
	}
	guests := protocol.Chain(auth.ChatUsername(b, auth.WithGuests()), auth.Required())
	if c := dial(t, guests, request("chat", "Nick", "mallory")); c.wire.reject == nil || c.wire.reject.StatusOrDefault() != 403 {
		t.Errorf("a guest is refused with %v, want 403", c.wire.reject)
	}
	if c := dial(t, auth.Required(), request("chat", "Nick", "alice")); c.wire.reject == nil {
		t.Error("without middleware that finds users, everybody is let in")
	}
}

func TestRequiredNeedsUsers(t *testing.T) {
	t.Parallel()
	err := protocol.Check(auth.Required()(greeter))
	if err == nil || !strings.Contains(err.Error(), `auth.Required needs "user"`) {
		t.Errorf("Check = %v, want what is missing", err)
	}
}

func ExampleRequired() {
	verify := func(_ context.Context, token string) (auth.User, error) { return nil, auth.ErrCredentials }
	members := protocol.Chain(auth.Token(verify), auth.Required())
	fmt.Println(protocol.Check(members(greeter)))
	open(members(greeter), request("websocket"))
	// Output:
	// <nil>
	// protocol: refused with 403 log in first
}
