package auth_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/portico-go/portico/auth"
	"github.com/portico-go/portico/middleware"
	"github.com/portico-go/portico/middleware/session"
	"github.com/portico-go/portico/protocol"
)

// log collects the calls of hooks.
type log []string

func (l *log) config(backends ...auth.Backend) auth.Config {
	return auth.Config{
		Backends: backends,
		OnLogin:  func(_ context.Context, _ *protocol.Scope, u auth.User) { *l = append(*l, "login "+u.Name()) },
		OnLogout: func(_ context.Context, _ *protocol.Scope, u auth.User) { *l = append(*l, "logout "+u.Name()) },
	}
}

func (l *log) want(t *testing.T, want string) {
	t.Helper()
	if got := strings.Join(*l, ", "); got != want {
		t.Errorf("hooks: %q, want %q", got, want)
	}
}

func TestA1_LoginWithoutSession(t *testing.T) {
	t.Parallel()
	b := users(t)
	none := protocol.Middleware(func(app protocol.Application) protocol.Application { return app })
	onlySession := protocol.Chain(middleware.Cookie(), sessions().Middleware())
	for _, tc := range []struct {
		mw   protocol.Middleware
		want string
	}{
		{none, "auth: Login found no session in the scope: put session middleware, or auth.Stack, around the application"},
		{onlySession, "auth: Login found no user in the scope: put auth.Middleware, or auth.Stack, around the application"},
	} {
		for _, wire := range wires {
			_, err := visit(t, tc.mw, request(wire), func(ctx context.Context, scope *protocol.Scope, _ *protocol.Conn) error {
				u, _ := b.Get(ctx, "alice")
				return auth.Login(ctx, scope, u)
			})
			if err == nil || err.Error() != tc.want {
				t.Errorf("%s: error %v, want %q", wire, err, tc.want)
			}
		}
	}
}

func TestA2_LoginWithoutUser(t *testing.T) {
	t.Parallel()
	for _, wire := range wires {
		c, err := visit(t, auth.Stack(users(t), sessions()), request(wire), func(ctx context.Context, scope *protocol.Scope, _ *protocol.Conn) error {
			return auth.Login(ctx, scope, nil)
		})
		if err == nil || !strings.Contains(err.Error(), "Login needs a user") || c.cookie() != "" {
			t.Errorf("%s: error %v, cookie %q", wire, err, c.cookie())
		}
	}
}

func TestA3_LoginSetsSessionAndUser(t *testing.T) {
	t.Parallel()
	for _, wire := range wires {
		var hooks log
		b := users(t)
		mw := hooks.config(b).Stack(sessions())
		c, err := visit(t, mw, request(wire), func(ctx context.Context, scope *protocol.Scope, _ *protocol.Conn) error {
			u, err := b.Authenticate(ctx, "alice", "wonderland")
			if err != nil {
				return err
			}
			if err := auth.Login(ctx, scope, u); err != nil {
				return err
			}
			if got := auth.From(scope); got != u {
				t.Errorf("%s: From returns %v after Login", wire, got)
			}
			for key, want := range map[string]string{
				"auth.user": "alice", "auth.backend": "*auth.MemoryBackend", "auth.hash": u.(auth.SessionHasher).SessionHash(),
			} {
				if got, _, err := session.Get[string](ctx, session.From(scope), key); got != want || err != nil {
					t.Errorf("%s: session has %q under %s, want %q (%v)", wire, got, key, want, err)
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		hooks.want(t, "login alice")
		if wire == "chat" {
			continue // no cookie: see TestChatLoginHoldsForTheConnection
		}
		for _, other := range wires {
			if got := user(t, mw, request(other, "Cookie", c.cookie())); got.Name() != "alice" || !got.IsAuthenticated() {
				t.Errorf("%s, then %s: user %v", wire, other, got)
			}
		}
	}
}

func TestA4_LoginTakesTheScopesUser(t *testing.T) {
	t.Parallel()
	b := users(t)
	mw := protocol.Chain(auth.Stack(b, sessions()), auth.Token(tokens(b)))
	for _, wire := range wires[:2] {
		c, err := visit(t, mw, request(wire, "Authorization", "Bearer t-bob"), func(ctx context.Context, scope *protocol.Scope, _ *protocol.Conn) error {
			return auth.Login(ctx, scope, nil)
		})
		if err != nil {
			t.Fatal(err)
		}
		if got := user(t, mw, request(wire, "Cookie", c.cookie())); got.Name() != "bob" {
			t.Errorf("%s: user %v, want bob", wire, got)
		}
	}
}

// tokens verifies "t-NAME".
func tokens(b *auth.MemoryBackend) auth.Verifier {
	return func(ctx context.Context, token string) (auth.User, error) {
		name, ok := strings.CutPrefix(token, "t-")
		if !ok {
			return nil, auth.ErrCredentials
		}
		return b.Get(ctx, name)
	}
}

func TestA5_LoginAsAnotherUserFlushes(t *testing.T) {
	t.Parallel()
	for _, wire := range wires[:2] {
		var hooks log
		b := users(t)
		mw := hooks.config(b).Stack(sessions())
		for _, tc := range []struct {
			name string
			kept bool
		}{{"alice", true}, {"bob", false}} {
			first := login(t, mw, b, "alice")
			if _, err := visit(t, mw, request("http", "Cookie", first), func(ctx context.Context, scope *protocol.Scope, _ *protocol.Conn) error {
				return session.From(scope).Put(ctx, "cart", "a rabbit")
			}); err != nil {
				t.Fatal(err)
			}
			c, err := visit(t, mw, request(wire, "Cookie", first), func(ctx context.Context, scope *protocol.Scope, _ *protocol.Conn) error {
				u, _ := b.Get(ctx, tc.name)
				if err := auth.Login(ctx, scope, u); err != nil {
					return err
				}
				if _, kept, _ := session.Get[string](ctx, session.From(scope), "cart"); kept != tc.kept {
					t.Errorf("%s: login of %s over alice: values kept is %t", wire, tc.name, kept)
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			if c.cookie() == first || c.cookie() == "" {
				t.Errorf("%s: the cookie is %q after %q", wire, c.cookie(), first)
			}
			if got := user(t, mw, request("http", "Cookie", first)); got.IsAuthenticated() {
				t.Errorf("%s: the old cookie is still %s's", wire, got.Name())
			}
			if got := user(t, mw, request("http", "Cookie", c.cookie())); got.Name() != tc.name {
				t.Errorf("%s: the new cookie is %q's, want %s's", wire, got.Name(), tc.name)
			}
		}
		hooks.want(t, "login alice, login alice, login alice, login bob")
	}
}

func TestA6_Logout(t *testing.T) {
	t.Parallel()
	for _, wire := range wires {
		var hooks log
		b, s := users(t), sessions()
		cookie := login(t, auth.Stack(b, s), b, "alice")
		mw := hooks.config(b).Stack(s)
		c, err := visit(t, mw, request(wire, "Cookie", cookie), func(ctx context.Context, scope *protocol.Scope, _ *protocol.Conn) error {
			if err := auth.Logout(ctx, scope); err != nil {
				return err
			}
			if got := auth.From(scope); got != auth.Anonymous {
				t.Errorf("%s: From returns %v after Logout", wire, got)
			}
			if keys, err := session.From(scope).Keys(ctx); len(keys) != 0 || err != nil {
				t.Errorf("%s: the session still has %q (%v)", wire, keys, err)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		hooks.want(t, "logout alice")
		if got := user(t, mw, request("http", "Cookie", cookie)); got != auth.Anonymous {
			t.Errorf("%s: the cookie is still %s's", wire, got.Name())
		}
		if want := map[bool]string{true: "", false: "sessionid="}[wire == "chat"]; c.cookie() != want {
			t.Errorf("%s: the answer sets %q, want %q", wire, c.cookie(), want)
		}
	}
}

func TestA6_LogoutAfterAccept(t *testing.T) {
	t.Parallel()
	for _, wire := range wires[1:] {
		b, s := users(t), sessions()
		mw := auth.Stack(b, s)
		cookie := login(t, mw, b, "alice")
		c := dial(t, mw, request(wire, "Cookie", cookie))
		if err := c.do(func(_ context.Context, _ *protocol.Scope, conn *protocol.Conn) error { return answer(conn) }); err != nil {
			t.Fatal(err)
		}
		if err := c.do(func(ctx context.Context, scope *protocol.Scope, _ *protocol.Conn) error {
			return auth.Logout(ctx, scope)
		}); err != nil {
			t.Fatal(err)
		}
		if got := user(t, mw, request("http", "Cookie", cookie)); got != auth.Anonymous {
			t.Errorf("%s: the cookie is still %s's", wire, got.Name())
		}
	}
}

func TestA7_LogoutOfNobody(t *testing.T) {
	t.Parallel()
	for _, wire := range wires {
		var hooks log
		mw := hooks.config(users(t)).Stack(sessions())
		c, err := visit(t, mw, request(wire), func(ctx context.Context, scope *protocol.Scope, _ *protocol.Conn) error {
			defer func() {
				if got := auth.From(scope); got != auth.Anonymous {
					t.Errorf("%s: user %v", wire, got)
				}
			}()
			return auth.Logout(ctx, scope)
		})
		if err != nil || c.cookie() != "" {
			t.Errorf("%s: error %v, cookie %q", wire, err, c.cookie())
		}
		hooks.want(t, "")
	}
}

func TestLoginAfterAcceptIsErrHeadersSent(t *testing.T) {
	t.Parallel()
	b := users(t)
	c := dial(t, auth.Stack(b, sessions()), request("websocket"))
	if err := c.do(func(_ context.Context, _ *protocol.Scope, conn *protocol.Conn) error { return answer(conn) }); err != nil {
		t.Fatal(err)
	}
	err := c.do(func(ctx context.Context, scope *protocol.Scope, _ *protocol.Conn) error {
		u, _ := b.Get(ctx, "alice")
		err := auth.Login(ctx, scope, u)
		if auth.From(scope) != auth.Anonymous {
			t.Error("a login that failed changed the user")
		}
		return err
	})
	if !errors.Is(err, session.ErrHeadersSent) {
		t.Errorf("error %v, want session.ErrHeadersSent", err)
	}
}

func TestChatLoginHoldsForTheConnection(t *testing.T) {
	t.Parallel()
	b := users(t)
	mw := auth.Stack(b, sessions())
	cookie := login(t, mw, b, "alice")
	for _, headers := range [][]string{nil, {"Cookie", cookie}} {
		c := dial(t, mw, request("chat", headers...))
		if err := c.do(func(_ context.Context, _ *protocol.Scope, conn *protocol.Conn) error { return answer(conn) }); err != nil {
			t.Fatal(err)
		}
		if err := c.do(func(ctx context.Context, scope *protocol.Scope, _ *protocol.Conn) error {
			u, _ := b.Get(ctx, "bob")
			return auth.Login(ctx, scope, u)
		}); err != nil {
			t.Fatal(err)
		}
		if err := c.do(func(_ context.Context, scope *protocol.Scope, _ *protocol.Conn) error {
			if got := auth.From(scope); got.Name() != "bob" {
				t.Errorf("user %v", got)
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	if got := user(t, mw, request("http", "Cookie", cookie)); got.Name() != "alice" {
		t.Errorf("a login on chat changed the browser's user to %q", got.Name())
	}
}

func TestANewPasswordEndsSessions(t *testing.T) {
	t.Parallel()
	for _, wire := range wires {
		b, store := users(t), session.NewMemoryStore()
		mw := auth.Stack(b, session.New(store, session.Config{}))
		cookie := login(t, mw, b, "alice")
		if err := b.Set("alice", hash(t, "changed")); err != nil {
			t.Fatal(err)
		}
		if got := user(t, mw, request(wire, "Cookie", cookie)); got != auth.Anonymous {
			t.Errorf("%s: user %v", wire, got)
		}
		if store.Len() != 0 {
			t.Errorf("%s: the session was not flushed", wire)
		}
	}
}

func TestARemovedUserIsAnonymous(t *testing.T) {
	t.Parallel()
	b := users(t)
	mw := auth.Stack(b, sessions())
	cookie := login(t, mw, b, "alice")
	b.Remove("alice")
	if got := user(t, mw, request("http", "Cookie", cookie)); got != auth.Anonymous {
		t.Errorf("user %v", got)
	}
}

// named is a backend with a name.
type named struct {
	auth.Backend
	name string
}

func (n *named) BackendName() string { return n.name }

func TestSeveralBackendsNeedLoginWith(t *testing.T) {
	t.Parallel()
	staff, guests := &named{users(t), "staff"}, &named{auth.NewMemoryBackend(), "guests"}
	mw := auth.Config{Backends: []auth.Backend{guests, staff}}.Stack(sessions())
	try := func(login func(ctx context.Context, scope *protocol.Scope, u auth.User) error) (*client, error) {
		return visit(t, mw, request("http"), func(ctx context.Context, scope *protocol.Scope, _ *protocol.Conn) error {
			u, err := staff.Get(ctx, "alice")
			if err != nil {
				return err
			}
			return login(ctx, scope, u)
		})
	}
	if _, err := try(auth.Login); err == nil || !strings.Contains(err.Error(), "LoginWith") {
		t.Errorf("Login: %v", err)
	}
	if _, err := try(func(ctx context.Context, scope *protocol.Scope, u auth.User) error {
		return auth.LoginWith(ctx, scope, users(t), u)
	}); err == nil {
		t.Error("LoginWith took a backend that the middleware does not know")
	}
	c, err := try(func(ctx context.Context, scope *protocol.Scope, u auth.User) error {
		return auth.LoginWith(ctx, scope, staff, u)
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := user(t, mw, request("http", "Cookie", c.cookie())); got.Name() != "alice" {
		t.Errorf("user %v", got)
	}
}

var errDown = errors.New("the database is down")

// down is a backend that does not work.
type down struct{}

func (down) Authenticate(context.Context, string, string) (auth.User, error) { return nil, errDown }
func (down) Get(context.Context, string) (auth.User, error)                  { return nil, errDown }
func (down) BackendName() string                                             { return "*auth.MemoryBackend" }

func TestABackendThatFailsIs500(t *testing.T) {
	t.Parallel()
	b, s := users(t), sessions()
	cookie := login(t, auth.Stack(b, s), b, "alice")
	for _, wire := range wires {
		c := dial(t, auth.Stack(down{}, s), request(wire, "Cookie", cookie))
		if !errors.Is(c.err, errDown) || c.wire.head.Status != 500 {
			t.Errorf("%s: error %v, status %d", wire, c.err, c.wire.head.Status)
		}
		if c := dial(t, auth.Stack(down{}, s), request(wire)); c.err != nil {
			t.Errorf("%s: without cookie: %v", wire, c.err)
		}
	}
}

func TestTheSeparateMiddlewaresAreTheStack(t *testing.T) {
	t.Parallel()
	b, s := users(t), sessions()
	fused, apart := auth.Stack(b, s), protocol.Chain(middleware.Cookie(), s.Middleware(), auth.Middleware(b))
	nested := protocol.Chain(fused, apart, fused)
	for _, mw := range []protocol.Middleware{fused, apart, nested} {
		cookie := login(t, mw, b, "alice")
		for _, mw := range []protocol.Middleware{fused, apart, nested} {
			if got := user(t, mw, request("websocket", "Cookie", cookie)); got.Name() != "alice" {
				t.Errorf("user %v", got)
			}
		}
		if err := protocol.Check(mw(protocol.ApplicationFunc(nil))); err != nil {
			t.Error(err)
		}
	}
}

func TestCheckNamesBothSidesOfAWrongOrder(t *testing.T) {
	t.Parallel()
	b, s := users(t), sessions()
	for name, tc := range map[string]struct {
		mw   protocol.Middleware
		want string
	}{
		"auth outside of session": {
			protocol.Chain(middleware.Cookie(), auth.Middleware(b), s.Middleware()),
			`auth needs "session"; session provides it but stands inside: put session outside of auth`,
		},
		"auth without session": {protocol.Chain(middleware.Cookie(), auth.Middleware(b)), `auth needs "session"; nothing around it provides it`},
		"session outside of cookie": {
			protocol.Chain(s.Middleware(), auth.Middleware(b), middleware.Cookie()),
			`session needs "cookies"; cookie provides it but stands inside`,
		},
		"no backend": {protocol.Chain(middleware.Cookie(), s.Middleware(), auth.Middleware()), "there is no backend"},
		"no session": {auth.Stack(b, nil), "Stack needs sessions"},
		"bad session": {
			auth.Stack(b, session.NewSigned(nil, session.Config{})), "NewSigned needs a key",
		},
		"guests without names": {auth.ChatUsername(down{}, auth.WithGuests()), "needs a backend with the method ByName"},
		"two of one name": {
			auth.Config{Backends: []auth.Backend{b, users(t)}}.Stack(s), `two backends are called "*auth.MemoryBackend"`,
		},
	} {
		err := protocol.Check(tc.mw(protocol.ApplicationFunc(nil)))
		if err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: error %v, want one with %q", name, err, tc.want)
		}
	}
}
