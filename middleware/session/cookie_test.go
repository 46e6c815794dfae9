package session_test

import (
	"context"
	"errors"
	"net/http"
	"regexp"
	"testing"
	"time"

	"github.com/portico-go/portico/middleware/session"
	"github.com/portico-go/portico/protocol"
)

func TestCookieAttributes(t *testing.T) {
	t.Parallel()
	for want, config := range map[string]session.Config{
		`^sessionid=\S+; Path=/; HttpOnly; SameSite=Lax$`:                                {UntilBrowserCloses: true},
		`^sid=\S+; Path=/x; Domain=example.com; HttpOnly; SameSite=Lax$`:                 {UntilBrowserCloses: true, Cookie: "sid", Path: "/x", Domain: "example.com"},
		`^sessionid=\S+; Path=/; SameSite=Strict$`:                                       {UntilBrowserCloses: true, InsecureScripts: true, SameSite: http.SameSiteStrictMode},
		`^__Host-s=\S+; Path=/; HttpOnly; Secure; SameSite=None$`:                        {UntilBrowserCloses: true, Cookie: "__Host-s", Secure: session.SecureAlways, SameSite: http.SameSiteNoneMode},
		`^sessionid=\S+; Path=/; Expires=[^;]+ GMT; Max-Age=60; HttpOnly; SameSite=Lax$`: {Lifetime: time.Minute},
		// Where the cookie is not sent again, the idle limit is not the cookie's.
		`^sessionid=\S+; Path=/; Expires=[^;]+ GMT; Max-Age=3600; HttpOnly; SameSite=Lax$`: {Lifetime: time.Hour, IdleTimeout: time.Minute},
	} {
		c, err := visit(t, stack(session.New(session.NewMemoryStore(), config)), request("http", ""), put("a", "b"))
		if err != nil {
			t.Fatal(err)
		}
		if lines := c.cookies(); len(lines) != 1 || !regexp.MustCompile(want).MatchString(lines[0]) {
			t.Errorf("Set-Cookie %q, want one that matches %s", lines, want)
		}
	}
}

func TestCachesDoNotShareTheCookie(t *testing.T) {
	t.Parallel()
	mw := stack(session.New(session.NewMemoryStore(), session.Config{}))
	for wire, want := range map[string][2]string{"http": {"Cookie", `no-cache="Set-Cookie"`}, "websocket": {"", ""}} {
		c, err := visit(t, mw, request(wire, ""), put("a", "b"))
		if err != nil {
			t.Fatal(err)
		}
		if got := [2]string{c.wire.head.Header.Get("Vary"), c.wire.head.Header.Get("Cache-Control")}; got != want {
			t.Errorf("%s: Vary and Cache-Control are %q, want %q", wire, got, want)
		}
	}
}

// TestARouterThatGoesBack leaves a branch in which the session was changed: the
// router takes the hooks of the branch back, but the session is not the branch's.
func TestARouterThatGoesBack(t *testing.T) {
	t.Parallel()
	for _, again := range []bool{false, true} {
		mw := stack(session.New(session.NewMemoryStore(), session.Config{}))
		router := func(inner protocol.Application) protocol.Application {
			return mw(protocol.ApplicationFunc(func(ctx context.Context, scope *protocol.Scope, conn *protocol.Conn) (protocol.Handler, error) {
				mark := scope.Mark()
				if err := session.From(scope).Put(ctx, "a", "1"); err != nil {
					return nil, err
				}
				scope.Rollback(ctx, mark, errors.New("no route"))
				if again {
					if err := session.From(scope).Put(ctx, "a", "1"); err != nil {
						return nil, err
					}
				}
				return inner.Open(ctx, scope, conn)
			}))
		}
		c, err := visit(t, router, request("http", ""), func(context.Context, *protocol.Scope, *protocol.Conn) error { return nil })
		if err != nil {
			t.Fatal(err)
		}
		if got, _ := read(t, mw, c.pair(), "a"); got != "1" {
			t.Errorf("changed again %t: got %q", again, got)
		}
	}
}

func TestNestedSessionsAreOne(t *testing.T) {
	t.Parallel()
	outer, inner := session.New(session.NewMemoryStore(), session.Config{}), session.New(session.NewMemoryStore(), session.Config{})
	c, err := visit(t, protocol.Chain(stack(outer), stack(inner)), request("http", ""), put("a", "1"))
	if err != nil {
		t.Fatal(err)
	}
	if got, _ := read(t, stack(outer), c.pair(), "a"); got != "1" {
		t.Errorf("the outer sessions have %q", got)
	}
}

func TestS7_AtTheVeryMoment(t *testing.T) {
	t.Parallel()
	m := session.NewMemoryStore()
	store := &deleting{MemoryStore: m}
	mw := stack(session.New(store, session.Config{}))
	first, err := visit(t, mw, request("http", ""), put("a", "1"))
	if err != nil {
		t.Fatal(err)
	}
	store.finds = 2 // one to load it, one to save it
	if _, err := visit(t, mw, request("http", first.pair()), put("a", "2")); !errors.Is(err, session.ErrDeleted) {
		t.Errorf("error %v, want ErrDeleted", err)
	}
	if n := m.Len(); n != 0 {
		t.Errorf("%d sessions in the store, want none", n)
	}
}

// deleting is a store in which a session is deleted as soon as it has been found
// some times.
type deleting struct {
	*session.MemoryStore
	finds int
}

func (d *deleting) Find(token string) ([]byte, bool, error) {
	b, ok, err := d.MemoryStore.Find(token)
	if d.finds--; d.finds == 0 {
		err = errors.Join(err, d.Delete(token))
	}
	return b, ok, err
}
