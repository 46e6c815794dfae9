package auth_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/portico-go/portico/auth"
	"github.com/portico-go/portico/middleware"
	"github.com/portico-go/portico/protocol"
)

// Cleanups run, and a Disconnect comes, behind a panic inside of each middleware
// that has to do with sessions and users.
func TestCleanupsRunAfterAPanicInsideOfEveryMiddleware(t *testing.T) {
	t.Parallel()
	b, s := users(t), sessions()
	every := map[string]protocol.Middleware{
		"session":      protocol.Chain(middleware.Cookie(), s.Middleware()),
		"Middleware":   protocol.Chain(middleware.Cookie(), s.Middleware(), auth.Middleware(b)),
		"Stack":        auth.Stack(b, s),
		"Token":        auth.Token(tokens(b)),
		"ChatUsername": auth.ChatUsername(b, auth.WithSessions(s)),
	}
	every["Required"] = protocol.Chain(auth.Stack(b, s), auth.Required())
	cookie := login(t, auth.Stack(b, s), b, "alice")
	for name, mw := range every {
		for _, wire := range wires {
			for phase, want := range map[string][]string{
				"Open":    {"cleanup"},
				"Connect": {"Disconnect", "cleanup"},
			} {
				var ends []string
				app := mw(protocol.ApplicationFunc(func(_ context.Context, scope *protocol.Scope, _ *protocol.Conn) (protocol.Handler, error) {
					scope.OnClose(func(context.Context, error) { ends = append(ends, "cleanup") })
					if phase == "Open" {
						panic("in Open")
					}
					return protocol.HandlerFunc(func(_ context.Context, ev protocol.Event) error {
						if _, ok := ev.(*protocol.Disconnect); !ok {
							panic("in Connect")
						}
						ends = append(ends, "Disconnect")
						return nil
					}), nil
				}))
				w := &recorder{}
				life, err := protocol.NewLifecycle(t.Context(), request(wire, "Cookie", cookie), w, &protocol.Settings{})
				if err != nil {
					t.Fatal(err)
				}
				if err = life.Open(app); err == nil {
					err = life.Deliver(&protocol.Connect{})
				}
				life.End(nil)
				if _, ok := errors.AsType[*protocol.PanicError](err); !ok || w.head.Status != 500 || !slices.Equal(ends, want) {
					t.Errorf("%s over %s, panic in %s: %v, status %d, at the end %q; want 500 and %q", name, wire, phase, err, w.head.Status, ends, want)
				}
			}
		}
	}
}
