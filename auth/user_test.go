package auth_test

import (
	"context"
	"testing"

	"github.com/portico-go/portico/auth"
	"github.com/portico-go/portico/middleware"
	"github.com/portico-go/portico/protocol"
	"github.com/portico-go/portico/router"
)

// as is a middleware of somebody's own, which makes everybody the same user.
func as(user auth.User) protocol.Middleware {
	return middleware.Transform{
		Name:     "as",
		Provides: []protocol.AnyKey{auth.UserKey},
		Scope: func(_ context.Context, scope *protocol.Scope) (*protocol.Scope, error) {
			return auth.WithUser(scope, user), nil
		},
	}.Middleware()
}

func TestWithUser(t *testing.T) {
	t.Parallel()
	b := users(t)
	bob, err := b.Get(t.Context(), "bob")
	if err != nil {
		t.Fatal(err)
	}
	stack := auth.Stack(b, sessions())
	alice := login(t, stack, b, "alice")
	for _, wire := range wires {
		t.Run(wire, func(t *testing.T) {
			t.Parallel()
			if got := user(t, as(bob), request(wire)); got != bob {
				t.Errorf("alone: the user is %v, want bob", got)
			}
			if got := user(t, protocol.Chain(as(bob), as(nil)), request(wire)); got != auth.Anonymous {
				t.Errorf("nil inside: the user is %v, want Anonymous", got)
			}
			if got := user(t, protocol.Chain(stack, as(bob)), request(wire, "Cookie", alice)); got != bob {
				t.Errorf("inside of a stack: the user is %v, want bob", got)
			}
		})
	}
}

func TestWithUserLeavesTheOuterScopeAlone(t *testing.T) {
	t.Parallel()
	b := users(t)
	bob, err := b.Get(t.Context(), "bob")
	if err != nil {
		t.Fatal(err)
	}
	stack := auth.Stack(b, sessions())
	_, err = visit(t, stack, request("http", "Cookie", login(t, stack, b, "alice")), func(ctx context.Context, scope *protocol.Scope, _ *protocol.Conn) error {
		inner := auth.WithUser(scope, bob)
		if got := auth.From(scope).Name(); got != "alice" {
			t.Errorf("the outer user is %q, want alice", got)
		}
		if err := auth.Logout(ctx, inner); err != nil {
			return err
		}
		if got := auth.From(inner); got != auth.Anonymous {
			t.Errorf("after Logout the user is %v, want Anonymous", got)
		}
		return auth.Login(ctx, inner, bob)
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestABranchThatARouterAbandonsLeavesNoUser(t *testing.T) {
	t.Parallel()
	b := users(t)
	bob, err := b.Get(t.Context(), "bob")
	if err != nil {
		t.Fatal(err)
	}
	stack := auth.Stack(b, sessions())
	for name, branch := range map[string]protocol.Middleware{
		"Token":        auth.Token(func(context.Context, string) (auth.User, error) { return bob, nil }),
		"ChatUsername": auth.ChatUsername(b, auth.WithTokens(func(context.Context, string) (auth.User, error) { return bob, nil })),
		"WithUser":     as(bob),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			around := func(inner protocol.Application) protocol.Application {
				return stack(router.MustURLRouter(
					router.Mount("/", branch(router.MustURLRouter())), // has no route
					router.Regexp("", inner),
				))
			}
			if got := user(t, around, request("chat", "Authorization", "Bearer bob's")); got != auth.Anonymous {
				t.Errorf("the user of the other branch is %v, want Anonymous", got)
			}
		})
	}
}
