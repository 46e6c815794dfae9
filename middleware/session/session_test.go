package session_test

import (
	"context"
	"errors"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/portico-go/portico/middleware"
	"github.com/portico-go/portico/middleware/session"
	"github.com/portico-go/portico/protocol"
)

// kinds are the two homes of sessions.
var kinds = map[string]func(session.Config) *session.Sessions{
	"stored": func(c session.Config) *session.Sessions { return session.New(session.NewMemoryStore(), c) },
	"signed": func(c session.Config) *session.Sessions { return session.NewSigned([][]byte{secret('a')}, c) },
}

func secret(b byte) []byte { return slices.Repeat([]byte{b}, 32) }

func eachKind(t *testing.T, f func(t *testing.T, sessions *session.Sessions)) {
	t.Helper()
	for name, make := range kinds {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f(t, make(session.Config{}))
		})
	}
}

func TestS2_OneSetCookieWithAllAttributes(t *testing.T) {
	t.Parallel()
	want := regexp.MustCompile(`^sessionid=[\w.-]+; Path=/; Expires=[^;]+ GMT; Max-Age=1209600; HttpOnly; SameSite=Lax$`)
	eachKind(t, func(t *testing.T, sessions *session.Sessions) {
		for _, wire := range wires[:2] {
			c, err := visit(t, stack(sessions), request(wire, ""), put("a", "b"))
			if err != nil {
				t.Fatal(err)
			}
			if lines := c.cookies(); len(lines) != 1 || !want.MatchString(lines[0]) {
				t.Errorf("%s: Set-Cookie %q, want one that matches %s", wire, lines, want)
			}
		}
	})
}

func TestSecureIsAutomatic(t *testing.T) {
	t.Parallel()
	for scheme, secure := range map[string]bool{"http": false, "https": true, "ws": false, "wss": true} {
		req := request("http", "")
		req.Scheme = scheme
		c, err := visit(t, stack(kinds["stored"](session.Config{})), req, put("a", "b"))
		if got := strings.Contains(c.cookies()[0], "; Secure"); err != nil || got != secure {
			t.Errorf("%s: Secure is %t, want %t (%v)", scheme, got, secure, err)
		}
	}
}

func TestS6_AValueSetInAHandlerIsKept(t *testing.T) {
	t.Parallel()
	eachKind(t, func(t *testing.T, sessions *session.Sessions) {
		for _, wire := range wires[:2] {
			c, err := visit(t, stack(sessions), request(wire, ""), put("name", "Ünal \"x\""))
			if err != nil {
				t.Fatal(err)
			}
			if got, ok := read(t, stack(sessions), c.pair(), "name"); !ok || got != "Ünal \"x\"" {
				t.Errorf("%s: got %q, %t", wire, got, ok)
			}
		}
	})
}

func TestS5_ConnectionsDoNotMix(t *testing.T) {
	t.Parallel()
	eachKind(t, func(t *testing.T, sessions *session.Sessions) {
		mw := stack(sessions) // one middleware value, two connections at a time
		a, b := dial(t, mw, request("http", "")), dial(t, mw, request("http", ""))
		for _, step := range []struct {
			c *client
			f turn
		}{
			{a, put("who", "a")},
			{b, put("who", "b")},
			{b, func(_ context.Context, _ *protocol.Scope, conn *protocol.Conn) error { return answer(conn) }},
			{a, func(_ context.Context, _ *protocol.Scope, conn *protocol.Conn) error { return answer(conn) }},
		} {
			if err := step.c.do(step.f); err != nil {
				t.Fatal(err)
			}
		}
		if a.pair() == b.pair() {
			t.Fatal("both connections got the same cookie")
		}
		for c, want := range map[*client]string{a: "a", b: "b"} {
			if got, _ := read(t, mw, c.pair(), "who"); got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		}
	})
}

func TestS7_ADeletedSessionIsNotBroughtBack(t *testing.T) {
	t.Parallel()
	store := session.NewMemoryStore()
	mw := stack(session.New(store, session.Config{}))
	for _, wire := range wires {
		first, err := visit(t, mw, request("http", ""), put("a", "1"))
		if err != nil {
			t.Fatal(err)
		}
		c := dial(t, mw, request(wire, first.pair()))
		err = c.do(func(ctx context.Context, scope *protocol.Scope, conn *protocol.Conn) error {
			if err := session.From(scope).Put(ctx, "a", "2"); err != nil {
				return err
			}
			// Another request logs out meanwhile.
			_, err := visit(t, mw, request("http", first.pair()), func(ctx context.Context, scope *protocol.Scope, _ *protocol.Conn) error {
				return session.From(scope).Flush(ctx)
			})
			if err != nil {
				return err
			}
			return answer(conn)
		})
		if !errors.Is(err, session.ErrDeleted) {
			t.Errorf("%s: error %v, want ErrDeleted", wire, err)
		}
		if c.wire.head.Status != 500 || len(c.cookies()) != 0 {
			t.Errorf("%s: answered with %d and cookies %q", wire, c.wire.head.Status, c.cookies())
		}
		c.end()
		if n := store.Len(); n != 0 {
			t.Errorf("%s: %d sessions in the store, want none", wire, n)
		}
	}
}

func TestS7_AfterAcceptTheConnectionIsClosed(t *testing.T) {
	t.Parallel()
	for _, wire := range wires[1:] {
		store := session.NewMemoryStore()
		mw := stack(session.New(store, session.Config{}))
		first, _ := visit(t, mw, request("http", ""), put("a", "1"))
		c := dial(t, mw, request(wire, first.pair()))
		if err := c.do(func(ctx context.Context, scope *protocol.Scope, conn *protocol.Conn) error {
			_, _, err := session.Get[string](ctx, session.From(scope), "a")
			return errors.Join(err, answer(conn))
		}); err != nil {
			t.Fatal(err)
		}
		if _, err := visit(t, mw, request("http", first.pair()), func(ctx context.Context, scope *protocol.Scope, _ *protocol.Conn) error {
			return session.From(scope).Flush(ctx)
		}); err != nil {
			t.Fatal(err)
		}
		err := c.do(put("a", "2"))
		var closed *protocol.CloseError
		if !errors.Is(err, session.ErrDeleted) || !errors.As(err, &closed) || closed.Code != protocol.ClosePolicyViolation {
			t.Errorf("%s: error %v, want ErrDeleted in a close with 1008", wire, err)
		}
		if store.Len() != 0 {
			t.Errorf("%s: the session is back", wire)
		}
	}
}

func TestUnknownTokensAreNotAdopted(t *testing.T) {
	t.Parallel()
	planted := "sessionid=" + strings.Repeat("A", 43)
	eachKind(t, func(t *testing.T, sessions *session.Sessions) {
		c, err := visit(t, stack(sessions), request("http", planted), put("a", "victim"))
		if err != nil {
			t.Fatal(err)
		}
		if c.pair() == planted || c.pair() == "" {
			t.Errorf("the session got the cookie %q, want a new one", c.pair())
		}
		if got, ok := read(t, stack(sessions), planted, "a"); ok {
			t.Errorf("the planted token reads %q", got)
		}
	})
}

func TestChangesAfterAcceptAreSaved(t *testing.T) {
	t.Parallel()
	mw := stack(kinds["stored"](session.Config{}))
	for _, wire := range wires[1:] {
		first, _ := visit(t, mw, request("http", ""), put("a", "1"))
		c := dial(t, mw, request(wire, first.pair()))
		if err := c.do(func(_ context.Context, _ *protocol.Scope, conn *protocol.Conn) error { return answer(conn) }); err != nil {
			t.Fatal(err)
		}
		if err := c.do(put("a", "2")); err != nil {
			t.Fatal(err)
		}
		if got, _ := read(t, mw, first.pair(), "a"); got != "2" {
			t.Errorf("%s: got %q after the event", wire, got)
		}
		c.next = put("a", "3") // in Disconnect
		c.end()
		if got, _ := read(t, mw, first.pair(), "a"); got != "3" {
			t.Errorf("%s: got %q after the end", wire, got)
		}
	}
}

func TestANewCookieAfterAcceptIsErrHeadersSent(t *testing.T) {
	t.Parallel()
	eachKind(t, func(t *testing.T, sessions *session.Sessions) {
		c := dial(t, stack(sessions), request("websocket", ""))
		if err := c.do(func(_ context.Context, _ *protocol.Scope, conn *protocol.Conn) error { return answer(conn) }); err != nil {
			t.Fatal(err)
		}
		err := c.do(put("a", "b"))
		if !errors.Is(err, session.ErrHeadersSent) || !errors.Is(err, protocol.ErrHeadersSent) {
			t.Errorf("error %v, want ErrHeadersSent", err)
		}
	})
}

func TestChatSessionsLiveWithTheConnection(t *testing.T) {
	t.Parallel()
	store := session.NewMemoryStore()
	for name, sessions := range map[string]*session.Sessions{"stored": session.New(store, session.Config{}), "signed": kinds["signed"](session.Config{})} {
		c := dial(t, stack(sessions), request("chat", ""))
		if err := c.do(func(ctx context.Context, scope *protocol.Scope, conn *protocol.Conn) error {
			return errors.Join(session.From(scope).Put(ctx, "a", "1"), answer(conn))
		}); err != nil {
			t.Fatal(err)
		}
		if err := c.do(put("b", "2")); err != nil {
			t.Fatal(err)
		}
		if err := c.do(func(ctx context.Context, scope *protocol.Scope, _ *protocol.Conn) error {
			a, _, _ := session.Get[string](ctx, session.From(scope), "a")
			b, _, err := session.Get[string](ctx, session.From(scope), "b")
			if a+b != "12" {
				t.Errorf("%s: got %q and %q", name, a, b)
			}
			return err
		}); err != nil {
			t.Fatal(err)
		}
		c.end()
		if store.Len() != 0 || len(c.cookies()) != 0 {
			t.Errorf("%s: the session was kept: %d in the store, cookies %q", name, store.Len(), c.cookies())
		}
	}
}

func TestFailuresSaveNothing(t *testing.T) {
	t.Parallel()
	boom := errors.New("boom")
	for name, fail := range map[string]turn{
		"error": func(context.Context, *protocol.Scope, *protocol.Conn) error { return boom },
		"panic": func(context.Context, *protocol.Scope, *protocol.Conn) error { panic(boom) },
		"status": func(_ context.Context, _ *protocol.Scope, conn *protocol.Conn) error {
			return conn.Send(&protocol.Reject{Status: 500})
		},
	} {
		for _, accepted := range []bool{false, true} {
			mw := stack(kinds["stored"](session.Config{}))
			first, _ := visit(t, mw, request("http", ""), put("a", "1"))
			c := dial(t, mw, request("websocket", first.pair()))
			if accepted {
				if name == "status" {
					continue
				}
				_ = c.do(func(_ context.Context, _ *protocol.Scope, conn *protocol.Conn) error { return answer(conn) })
			}
			_ = c.do(func(ctx context.Context, scope *protocol.Scope, conn *protocol.Conn) error {
				if err := session.From(scope).Put(ctx, "a", "2"); err != nil {
					t.Error(err)
				}
				return fail(ctx, scope, conn)
			})
			c.end()
			if got, _ := read(t, mw, first.pair(), "a"); got != "1" {
				t.Errorf("%s, accepted %t: got %q, want what was there before", name, accepted, got)
			}
		}
	}
}

func TestARefusalSavesAndSetsTheCookie(t *testing.T) {
	t.Parallel()
	mw := stack(kinds["stored"](session.Config{}))
	c := dial(t, mw, request("websocket", ""))
	_ = c.do(func(ctx context.Context, scope *protocol.Scope, _ *protocol.Conn) error {
		return errors.Join(session.From(scope).Put(ctx, "tries", "1"), protocol.Rejectf(403, "no"))
	})
	c.end()
	if got, _ := read(t, mw, c.pair(), "tries"); c.wire.head.Status != 403 || got != "1" {
		t.Errorf("status %d, value %q", c.wire.head.Status, got)
	}
}

func TestAnEmptiedSessionIsDeleted(t *testing.T) {
	t.Parallel()
	for name, empty := range map[string]func(context.Context, *session.Session) error{
		"Delete": func(ctx context.Context, s *session.Session) error { return s.Delete(ctx, "a") },
		"Clear":  func(ctx context.Context, s *session.Session) error { return s.Clear(ctx) },
		"Flush":  func(ctx context.Context, s *session.Session) error { return s.Flush(ctx) },
	} {
		store := session.NewMemoryStore()
		mw := stack(session.New(store, session.Config{}))
		first, _ := visit(t, mw, request("http", ""), put("a", "1"))
		c, err := visit(t, mw, request("http", first.pair()), func(ctx context.Context, scope *protocol.Scope, _ *protocol.Conn) error {
			return empty(ctx, session.From(scope))
		})
		if err != nil {
			t.Fatal(err)
		}
		want := "sessionid=; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=0; HttpOnly; SameSite=Lax"
		if lines := c.cookies(); len(lines) != 1 || lines[0] != want {
			t.Errorf("%s: Set-Cookie %q, want %q", name, lines, want)
		}
		if store.Len() != 0 {
			t.Errorf("%s: it is still in the store", name)
		}
	}
}

func TestCycleTokenKeepsValuesAndEndsTheOldToken(t *testing.T) {
	t.Parallel()
	mw := stack(kinds["stored"](session.Config{}))
	first, _ := visit(t, mw, request("http", ""), put("a", "1"))
	second, err := visit(t, mw, request("http", first.pair()), func(ctx context.Context, scope *protocol.Scope, _ *protocol.Conn) error {
		return session.From(scope).CycleToken(ctx)
	})
	if err != nil || second.pair() == first.pair() || second.pair() == "" {
		t.Fatalf("cookie %q after %q (%v)", second.pair(), first.pair(), err)
	}
	if got, _ := read(t, mw, second.pair(), "a"); got != "1" {
		t.Errorf("the new token reads %q", got)
	}
	if got, ok := read(t, mw, first.pair(), "a"); ok {
		t.Errorf("the old token still reads %q", got)
	}
}

func TestChangesOfTwoConnectionsAreMerged(t *testing.T) {
	t.Parallel()
	mw := stack(kinds["stored"](session.Config{}))
	first, _ := visit(t, mw, request("http", ""), put("a", "1"))
	c := dial(t, mw, request("websocket", first.pair()))
	if err := c.do(func(ctx context.Context, scope *protocol.Scope, conn *protocol.Conn) error {
		_, _, err := session.Get[string](ctx, session.From(scope), "a")
		return errors.Join(err, answer(conn))
	}); err != nil {
		t.Fatal(err)
	}
	if _, err := visit(t, mw, request("http", first.pair()), put("b", "2")); err != nil {
		t.Fatal(err)
	}
	if err := c.do(put("c", "3")); err != nil {
		t.Fatal(err)
	}
	got := ""
	for _, key := range []string{"a", "b", "c"} {
		v, _ := read(t, mw, first.pair(), key)
		got += v
	}
	if got != "123" {
		t.Errorf("got %q, want 123", got)
	}
}

func TestLifetimes(t *testing.T) {
	t.Parallel()
	for name, kind := range kinds {
		for _, tc := range []struct {
			name   string
			config session.Config
			visits []time.Duration // at which the session is read
			alive  bool            // the last time
		}{
			{"before the end", session.Config{Lifetime: time.Hour}, []time.Duration{59 * time.Minute}, true},
			{"after the end", session.Config{Lifetime: time.Hour}, []time.Duration{59 * time.Minute, 61 * time.Minute}, false},
			{"idle", session.Config{IdleTimeout: time.Hour}, []time.Duration{61 * time.Minute}, false},
			{"not idle", session.Config{IdleTimeout: time.Hour}, []time.Duration{50 * time.Minute, 100 * time.Minute}, true},
			{"not idle but old", session.Config{IdleTimeout: time.Hour, Lifetime: 2 * time.Hour}, []time.Duration{50 * time.Minute, 100 * time.Minute, 121 * time.Minute}, false},
			{"saved with every request", session.Config{Lifetime: time.Hour, SaveEveryRequest: true}, []time.Duration{50 * time.Minute, 100 * time.Minute}, true},
		} {
			t.Run(name+"/"+tc.name, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					mw := stack(kind(tc.config))
					c, err := visit(t, mw, request("http", ""), put("a", "1"))
					if err != nil {
						t.Fatal(err)
					}
					begin, cookie, alive := time.Now(), c.pair(), false
					for _, at := range tc.visits {
						time.Sleep(time.Until(begin.Add(at)))
						c, err := visit(t, mw, request("http", cookie), func(ctx context.Context, scope *protocol.Scope, _ *protocol.Conn) (err error) {
							_, alive, err = session.Get[string](ctx, session.From(scope), "a")
							return err
						})
						if err != nil {
							t.Fatal(err)
						}
						if p := c.pair(); p != "" {
							cookie = p
						}
					}
					if alive != tc.alive {
						t.Errorf("alive is %t, want %t", alive, tc.alive)
					}
				})
			})
		}
	}
}

func TestCheckNamesBothSidesOfAWrongOrder(t *testing.T) {
	t.Parallel()
	sessions := kinds["stored"](session.Config{})
	inner := protocol.ApplicationFunc(func(context.Context, *protocol.Scope, *protocol.Conn) (protocol.Handler, error) { return nil, nil })
	err := protocol.Check(protocol.Chain(sessions.Middleware(), middleware.Cookie())(inner))
	if err == nil || !strings.Contains(err.Error(), "session") || !strings.Contains(err.Error(), "cookie provides it but stands inside") {
		t.Errorf("error %v", err)
	}
	if err := protocol.Check(stack(sessions)(inner)); err != nil {
		t.Error(err)
	}
}

func TestFaultsOfTheConfiguration(t *testing.T) {
	t.Parallel()
	for name, s := range map[string]*session.Sessions{
		"no store":          session.New(nil, session.Config{}),
		"bad name":          session.New(session.NewMemoryStore(), session.Config{Cookie: "a b"}),
		"None not Secure":   session.New(session.NewMemoryStore(), session.Config{SameSite: 4}),
		"negative lifetime": session.New(session.NewMemoryStore(), session.Config{Lifetime: -1}),
		"__Host- and auto":  session.New(session.NewMemoryStore(), session.Config{Cookie: "__Host-s"}),
		"no keys":           session.NewSigned(nil, session.Config{}),
		"short key":         session.NewSigned([][]byte{secret('a'), []byte("short")}, session.Config{}),
	} {
		if s.Fault() == nil {
			t.Errorf("%s: no fault", name)
			continue
		}
		c := dial(t, stack(s), request("http", "sessionid=x"))
		if err := c.do(put("a", "b")); !errors.Is(err, s.Fault()) {
			t.Errorf("%s: Put returned %v, want the fault", name, err)
		}
	}
}
