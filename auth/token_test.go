package auth_test

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/portico-go/portico/auth"
	"github.com/portico-go/portico/protocol"
)

func TestToken(t *testing.T) {
	t.Parallel()
	b := users(t)
	mw := auth.Token(tokens(b), auth.FromBearer, auth.FromQuery("token"), auth.FromSubprotocol)
	const bearer = "Authorization"
	for _, tc := range []struct {
		name    string
		headers []string
		query   string
		sub     []string
		user    string
		refused bool
	}{
		{"none", nil, "", nil, "", false},
		{"header", []string{bearer, "Bearer t-alice"}, "", nil, "alice", false},
		{"header, other case", []string{bearer, "bearer t-alice"}, "", nil, "alice", false},
		{"another scheme", []string{bearer, "Basic t-alice"}, "", nil, "", false},
		{"query", nil, "?room=a&token=t-bob", nil, "bob", false},
		{"subprotocol", nil, "", []string{"chat", "bearer.t-alice"}, "alice", false},
		{"two that agree", []string{bearer, "Bearer t-alice"}, "?token=t-alice", []string{"bearer.t-alice"}, "alice", false},
		{"two that disagree", []string{bearer, "Bearer t-alice"}, "?token=t-bob", nil, "", true},
		{"one is bad", []string{bearer, "Bearer t-alice"}, "?token=x", nil, "", true},
		{"bad", []string{bearer, "Bearer x"}, "", nil, "", true},
		{"empty", nil, "?token=", nil, "", true},
		{"of nobody", nil, "?token=t-zoe", nil, "", true},
	} {
		for _, wire := range wires {
			req := request(wire, tc.headers...)
			req.Target += tc.query
			req.Subprotocols = tc.sub
			c := dial(t, mw, req)
			if tc.refused {
				if !isReject(c.err, 401) || c.wire.head.Header.Get("WWW-Authenticate") != "Bearer" {
					t.Errorf("%s over %s: error %v, header %v", tc.name, wire, c.err, c.wire.head.Header)
				}
				continue
			}
			if c.err != nil {
				t.Errorf("%s over %s: %v", tc.name, wire, c.err)
				continue
			}
			if got := auth.From(c.scope); got.Name() != tc.user {
				t.Errorf("%s over %s: user %q", tc.name, wire, got.Name())
			}
			for _, p := range c.scope.Subprotocols() {
				if strings.HasPrefix(p, "bearer.") {
					t.Errorf("%s: the application sees the subprotocols %q", tc.name, c.scope.Subprotocols())
				}
			}
		}
	}
}

func isReject(err error, status int) bool {
	var r *protocol.Reject
	return errors.As(err, &r) && r.Status == status
}

func TestTokenAndSessionMustAgree(t *testing.T) {
	t.Parallel()
	b := users(t)
	stack := auth.Stack(b, sessions())
	mw := protocol.Chain(stack, auth.Token(tokens(b)))
	cookie := login(t, stack, b, "alice")
	for _, wire := range wires {
		if got := user(t, mw, request(wire, "Cookie", cookie, "Authorization", "Bearer t-alice")); got.Name() != "alice" {
			t.Errorf("%s: user %q", wire, got.Name())
		}
		if c := dial(t, mw, request(wire, "Cookie", cookie, "Authorization", "Bearer t-bob")); !isReject(c.err, 401) {
			t.Errorf("%s: alice's session and bob's token: %v", wire, c.err)
		}
	}
}

func TestTokenIgnoresTheQueryUnlessAsked(t *testing.T) {
	t.Parallel()
	req := request("websocket")
	req.Target = "/?token=t-alice"
	if got := user(t, auth.Token(tokens(users(t))), req); got != auth.Anonymous {
		t.Errorf("user %q", got.Name())
	}
}

func TestAVerifierThatFailsIs500(t *testing.T) {
	t.Parallel()
	mw := auth.Token(func(context.Context, string) (auth.User, error) { return nil, errDown })
	c := dial(t, mw, request("http", "Authorization", "Bearer x"))
	if !errors.Is(c.err, errDown) || c.wire.head.Status != 500 {
		t.Errorf("error %v, status %d", c.err, c.wire.head.Status)
	}
}

func TestJWT(t *testing.T) {
	t.Parallel()
	secret, other := []byte(strings.Repeat("k", 32)), []byte(strings.Repeat("o", 32))
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	public, private, _ := ed25519.GenerateKey(rand.Reader)
	b := users(t)
	byID := func(ctx context.Context, subject string, _ map[string]any) (auth.User, error) {
		return b.Get(ctx, subject)
	}
	config := func(algorithm string, keys ...any) auth.JWTConfig {
		return auth.JWTConfig{Algorithm: algorithm, Keys: keys, User: byID}
	}
	now := time.Now()
	good := jwt.MapClaims{"sub": "alice", "exp": now.Add(time.Hour).Unix(), "iss": "us", "aud": "them"}
	with := func(key string, value any) jwt.MapClaims {
		c := maps.Clone(good)
		c[key] = value
		if value == nil {
			delete(c, key)
		}
		return c
	}
	strict := config("HS256", secret)
	strict.Issuer, strict.Audience = "us", "them"
	forever, late := config("HS256", secret), config("HS256", secret)
	forever.InsecureNoExpiry, late.Leeway = true, time.Minute

	for _, tc := range []struct {
		name   string
		config auth.JWTConfig
		method jwt.SigningMethod
		key    any
		claims jwt.MapClaims
		want   error
	}{
		{"HS256", config("HS256", secret), jwt.SigningMethodHS256, secret, good, nil},
		{"RS256", config("RS256", &rsaKey.PublicKey), jwt.SigningMethodRS256, rsaKey, good, nil},
		{"EdDSA", config("EdDSA", public), jwt.SigningMethodEdDSA, private, good, nil},
		{"a second key", config("HS256", other, secret), jwt.SigningMethodHS256, secret, good, nil},
		{"issuer and audience", strict, jwt.SigningMethodHS256, secret, good, nil},
		{"no expiry, allowed", forever, jwt.SigningMethodHS256, secret, with("exp", nil), nil},
		{"expired within the leeway", late, jwt.SigningMethodHS256, secret, with("exp", now.Add(-30*time.Second).Unix()), nil},

		{"another key", config("HS256", other), jwt.SigningMethodHS256, secret, good, auth.ErrCredentials},
		{"another algorithm", config("HS256", secret), jwt.SigningMethodHS512, secret, good, auth.ErrCredentials},
		{"none", config("HS256", secret), jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, good, auth.ErrCredentials},
		{"HS256 with the public key", config("EdDSA", public), jwt.SigningMethodHS256, []byte(public), good, auth.ErrCredentials},
		{"expired", config("HS256", secret), jwt.SigningMethodHS256, secret, with("exp", now.Add(-time.Second).Unix()), auth.ErrCredentials},
		{"no expiry", config("HS256", secret), jwt.SigningMethodHS256, secret, with("exp", nil), auth.ErrCredentials},
		{"not yet", config("HS256", secret), jwt.SigningMethodHS256, secret, with("nbf", now.Add(time.Minute).Unix()), auth.ErrCredentials},
		{"another issuer", strict, jwt.SigningMethodHS256, secret, with("iss", "you"), auth.ErrCredentials},
		{"another audience", strict, jwt.SigningMethodHS256, secret, with("aud", "you"), auth.ErrCredentials},
		{"no subject", config("HS256", secret), jwt.SigningMethodHS256, secret, with("sub", nil), auth.ErrCredentials},
		{"nobody", config("HS256", secret), jwt.SigningMethodHS256, secret, with("sub", "zoe"), auth.ErrNoUser},
	} {
		verify, err := auth.JWT(tc.config)
		if err != nil {
			t.Fatalf("%s: %v", tc.name, err)
		}
		token, err := jwt.NewWithClaims(tc.method, tc.claims).SignedString(tc.key)
		if err != nil {
			t.Fatal(err)
		}
		u, err := verify(t.Context(), token)
		if !errors.Is(err, tc.want) || err == nil && u.Name() != "alice" {
			t.Errorf("%s: user %v, error %v, want %v", tc.name, u, err, tc.want)
		}
		if err != nil && strings.Contains(err.Error(), token) {
			t.Errorf("%s: the error shows the token", tc.name)
		}
	}
	verify, _ := auth.JWT(config("HS256", secret))
	for _, token := range []string{"", ".", "..", "a.b.c", strings.Repeat("a", 10000)} {
		if _, err := verify(t.Context(), token); !errors.Is(err, auth.ErrCredentials) {
			t.Errorf("%.10q: %v", token, err)
		}
	}
}

func TestJWTConfigFaults(t *testing.T) {
	t.Parallel()
	get := func(context.Context, string, map[string]any) (auth.User, error) { return nil, auth.ErrNoUser }
	public, _, _ := ed25519.GenerateKey(rand.Reader)
	good := auth.JWTConfig{Algorithm: "EdDSA", Keys: []any{public}, User: get}
	if _, err := auth.JWT(good); err != nil {
		t.Fatal(err)
	}
	for name, edit := range map[string]func(*auth.JWTConfig){
		"no algorithm":   func(c *auth.JWTConfig) { c.Algorithm = "" },
		"none":           func(c *auth.JWTConfig) { c.Algorithm = "none" },
		"no key":         func(c *auth.JWTConfig) { c.Keys = nil },
		"short key":      func(c *auth.JWTConfig) { c.Algorithm, c.Keys = "HS256", []any{[]byte("short")} },
		"wrong key":      func(c *auth.JWTConfig) { c.Algorithm = "RS256" },
		"public as HMAC": func(c *auth.JWTConfig) { c.Algorithm = "HS256" },
		"no user":        func(c *auth.JWTConfig) { c.User = nil },
		"leeway":         func(c *auth.JWTConfig) { c.Leeway = -1 },
	} {
		c := good
		edit(&c)
		if _, err := auth.JWT(c); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
