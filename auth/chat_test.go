package auth_test

import (
	"context"
	"crypto/tls"
	"errors"
	"net/netip"
	"strings"
	"testing"

	"github.com/portico-go/portico/auth"
	"github.com/portico-go/portico/protocol"
)

func TestChatUsername(t *testing.T) {
	t.Parallel()
	b, s := users(t), sessions()
	alice, bob := login(t, auth.Stack(b, s), b, "alice"), login(t, auth.Stack(b, s), b, "bob")
	full := []auth.ChatOption{auth.WithSessions(s), auth.WithTokens(tokens(b))}
	guests := append(full, auth.WithGuests())
	for _, tc := range []struct {
		name    string
		options []auth.ChatOption
		lines   []string
		status  int    // 0 lets in
		user    string // its Name
		proven  bool
	}{
		{"password", nil, []string{"Nick", "alice", "Pass", "wonderland"}, 0, "alice", true},
		{"password, other case", nil, []string{"Nick", "Alice", "Pass", "wonderland"}, 0, "alice", true},
		{"wrong password", nil, []string{"Nick", "alice", "Pass", "x"}, 401, "", false},
		{"empty password", nil, []string{"Nick", "alice", "Pass", ""}, 401, "", false},
		{"unknown name", nil, []string{"Nick", "mallory", "Pass", "x"}, 401, "", false},
		{"password without name", nil, []string{"Pass", "wonderland"}, 401, "", false},
		{"name without proof", nil, []string{"Nick", "alice"}, 401, "", false},
		{"free name without proof", nil, []string{"Nick", "mallory"}, 401, "", false},
		{"nothing", nil, nil, 0, "", false},

		{"cookie", full, []string{"Cookie", alice}, 0, "alice", true},
		{"cookie and name", full, []string{"Nick", "alice", "Cookie", alice}, 0, "alice", true},
		{"another's cookie", full, []string{"Nick", "alice", "Cookie", bob}, 401, "", false},
		{"another's cookie and password", full, []string{"Nick", "alice", "Pass", "wonderland", "Cookie", bob}, 401, "", false},
		{"forged cookie", full, []string{"Nick", "alice", "Cookie", "sessionid=x"}, 401, "", false},
		{"cookie, wrong password", full, []string{"Nick", "alice", "Pass", "x", "Cookie", alice}, 401, "", false},
		{"password, forged cookie", full, []string{"Nick", "alice", "Pass", "wonderland", "Cookie", "sessionid=x"}, 401, "", false},
		{"cookie without sessions", nil, []string{"Nick", "alice", "Cookie", alice}, 401, "", false},

		{"token", full, []string{"Authorization", "Bearer t-bob"}, 0, "bob", true},
		{"token and name", full, []string{"Nick", "bob", "Authorization", "bearer t-bob"}, 0, "bob", true},
		{"another's token", full, []string{"Nick", "alice", "Authorization", "Bearer t-bob"}, 401, "", false},
		{"bad token", full, []string{"Nick", "alice", "Authorization", "Bearer x"}, 401, "", false},
		{"token of nobody", full, []string{"Authorization", "Bearer t-zoe"}, 401, "", false},
		{"token and another's cookie", full, []string{"Authorization", "Bearer t-bob", "Cookie", alice}, 401, "", false},
		{"token where none is taken", nil, []string{"Nick", "bob", "Authorization", "Bearer t-bob"}, 401, "", false},

		{"guest", guests, []string{"Nick", "mallory"}, 0, "mallory", false},
		{"guest with a user's name", guests, []string{"Nick", "alice"}, 401, "", false},
		{"guest with nearly a user's name", guests, []string{"Nick", "ALICE"}, 401, "", false},
		{"guest with a strange name", guests, []string{"Nick", "al ice"}, 400, "", false},
		{"guest with a lookalike", guests, []string{"Nick", "аlice"}, 400, "", false},
		{"guest with a wrong password", guests, []string{"Nick", "mallory", "Pass", "x"}, 401, "", false},
		{"guest with a forged cookie", guests, []string{"Nick", "mallory", "Cookie", "sessionid=x"}, 401, "", false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			mw := auth.ChatUsername(b, tc.options...)
			c := dial(t, mw, request("chat", tc.lines...))
			if tc.status != 0 {
				var reject *protocol.Reject
				if !errors.As(c.err, &reject) || reject.Status != tc.status {
					t.Fatalf("error %v, want a Reject with %d", c.err, tc.status)
				}
				for _, secret := range []string{"wonderland", "t-bob", alice, bob} {
					if strings.Contains(c.err.Error(), secret) {
						t.Errorf("the error %q shows a secret", c.err)
					}
				}
				return
			}
			if c.err != nil {
				t.Fatal(c.err)
			}
			if got := auth.From(c.scope); got.Name() != tc.user || got.IsAuthenticated() != tc.proven {
				t.Errorf("user %q, authenticated %t", got.Name(), got.IsAuthenticated())
			}
			for _, header := range []string{"Pass", "Authorization"} {
				if _, ok := c.scope.Headers().Lookup(header); ok {
					t.Errorf("the application sees %s", header)
				}
			}
			if got := c.scope.Header("Nick"); len(tc.lines) > 0 && tc.lines[0] == "Nick" && got != tc.lines[1] {
				t.Errorf("the application sees the name %q", got)
			}
		})
	}
}

func TestChatUsernameInsideOfAStack(t *testing.T) {
	t.Parallel()
	b := users(t)
	mw := protocol.Chain(auth.Stack(b, sessions()), auth.ChatUsername(b))
	cookie := login(t, mw, b, "alice")
	for _, tc := range []struct {
		lines []string
		user  string
	}{
		{[]string{"Nick", "bob", "Pass", "builder"}, "bob"},
		{[]string{"Cookie", cookie}, "alice"},
		{nil, ""},
	} {
		if got := user(t, mw, request("chat", tc.lines...)); got.Name() != tc.user {
			t.Errorf("%q: user %q, want %q", tc.lines, got.Name(), tc.user)
		}
	}
	if c := dial(t, mw, request("chat", "Nick", "bob", "Cookie", cookie)); c.err == nil {
		t.Error("bob was let in with alice's cookie")
	}
	c := dial(t, mw, request("chat", "Nick", "bob", "Pass", "builder"))
	if err := c.do(func(ctx context.Context, scope *protocol.Scope, _ *protocol.Conn) error {
		if err := auth.Logout(ctx, scope); err != nil || auth.From(scope) != auth.Anonymous {
			t.Errorf("user %v after Logout: %v", auth.From(scope), err)
		}
		u, _ := b.Get(ctx, "alice")
		return auth.Login(ctx, scope, u)
	}); err != nil || auth.From(c.scope).Name() != "alice" {
		t.Errorf("user %v after Login: %v", auth.From(c.scope), err)
	}
}

func TestChatUsernameLeavesOtherProtocolsAlone(t *testing.T) {
	t.Parallel()
	b := users(t)
	for _, wire := range wires[:2] {
		c := dial(t, auth.ChatUsername(b), request(wire, "Nick", "alice", "Pass", "wonderland"))
		if c.err != nil || auth.From(c.scope) != auth.Anonymous || c.scope.Header("Pass") != "wonderland" {
			t.Errorf("%s: error %v, user %v", wire, c.err, auth.From(c.scope))
		}
	}
}

func TestClearTextNeedsAConfidentialConnection(t *testing.T) {
	t.Parallel()
	b, s := users(t), sessions()
	cookie := login(t, auth.Stack(b, s), b, "alice")
	options := []auth.ChatOption{auth.WithSessions(s), auth.WithTokens(tokens(b))}
	for name, lines := range map[string][]string{
		"password": {"Nick", "alice", "Pass", "wonderland"},
		"token":    {"Authorization", "Bearer t-alice"},
		"cookie":   {"Cookie", cookie},
	} {
		for _, tc := range []struct {
			name    string
			edit    func(*protocol.Request)
			options []auth.ChatOption
			ok      bool
		}{
			{"loopback", func(r *protocol.Request) { r.Client = netip.MustParseAddrPort("[::1]:1") }, nil, true},
			{"mapped loopback", func(r *protocol.Request) { r.Client = netip.MustParseAddrPort("[::ffff:127.0.0.1]:1") }, nil, true},
			{"unix socket", func(r *protocol.Request) { r.Client = netip.AddrPort{} }, nil, true},
			{"elsewhere", func(r *protocol.Request) { r.Client = netip.MustParseAddrPort("192.0.2.1:1") }, nil, false},
			{"elsewhere, insecure", func(r *protocol.Request) { r.Client = netip.MustParseAddrPort("192.0.2.1:1") }, []auth.ChatOption{auth.InsecureClearText()}, true},
			{"TLS", overTLS, nil, true},
		} {
			req := request("chat", lines...)
			tc.edit(req)
			c := dial(t, auth.ChatUsername(b, append(tc.options, options...)...), req)
			if ok := c.err == nil; ok != tc.ok {
				t.Errorf("%s, %s: let in is %t (%v)", name, tc.name, ok, c.err)
			}
			if !tc.ok && c.wire.head.Status != 403 {
				t.Errorf("%s, %s: status %d", name, tc.name, c.wire.head.Status)
			}
		}
	}
}

func overTLS(r *protocol.Request) {
	r.Client = netip.MustParseAddrPort("192.0.2.1:1")
	r.TLS = &tls.ConnectionState{}
}
