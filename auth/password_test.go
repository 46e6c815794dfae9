package auth_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/portico-go/portico/auth"
)

func TestVerifyPassword(t *testing.T) {
	t.Parallel()
	own, err := auth.HashPassword(t.Context(), "wonderland")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(own, "$argon2id$v=19$m=19456,t=2,p=1$") {
		t.Errorf("hash %q", own)
	}
	if again, _ := auth.HashPassword(t.Context(), "wonderland"); again == own {
		t.Error("two hashes have one salt")
	}
	for name, tc := range map[string]struct{ encoded, password string }{
		"own": {own, "wonderland"},
		// Of the reference implementation's tests.
		"argon2id of others": {"$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4", "password"},
		"Django":             {"pbkdf2_sha256$1000$seasalt$JgZryXe2Ga8ysg6XbzkLpTdyPQrHqsinbL9BnnhgX4A=", "lètmein"},
	} {
		if err := auth.VerifyPassword(t.Context(), tc.encoded, tc.password); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for _, wrong := range []string{"", tc.password + " ", strings.ToUpper(tc.password), strings.Repeat("a", 5000)} {
			if err := auth.VerifyPassword(t.Context(), tc.encoded, wrong); !errors.Is(err, auth.ErrCredentials) {
				t.Errorf("%s: %.10q gives %v, want ErrCredentials", name, wrong, err)
			}
		}
	}
	if err := auth.VerifyPassword(t.Context(), "", ""); !errors.Is(err, auth.ErrCredentials) {
		t.Errorf("no hash: %v, want ErrCredentials", err)
	}
	if _, err := auth.HashPassword(t.Context(), strings.Repeat("a", 5000)); err == nil {
		t.Error("a password of 5000 bytes was hashed")
	}
}

func TestPasswordHashesThatAreRefused(t *testing.T) {
	t.Parallel()
	const salt, sum = "c29tZXNhbHQ", "nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4"
	for _, encoded := range []string{
		"x", "$", "wonderland", "$2b$12$abc",
		"$argon2i$v=19$m=256,t=2,p=1$" + salt + "$" + sum,
		"$argon2id$v=16$m=256,t=2,p=1$" + salt + "$" + sum,
		"$argon2id$v=19$m=256,t=2$" + salt + "$" + sum,
		"$argon2id$v=19$m=4294967295,t=2,p=1$" + salt + "$" + sum,
		"$argon2id$v=19$m=256,t=4294967295,p=1$" + salt + "$" + sum,
		"$argon2id$v=19$m=256,t=0,p=1$" + salt + "$" + sum,
		"$argon2id$v=19$m=256,t=2,p=256$" + salt + "$" + sum,
		"$argon2id$v=19$m=256,t=2,p=-1$" + salt + "$" + sum,
		"$argon2id$v=19$m=256,t=2,p=1$" + salt + "$",
		"$argon2id$v=19$m=256,t=2,p=1$$" + sum,
		"$argon2id$v=19$m=256,t=2,p=1$" + salt + "$" + sum + "$",
		"$argon2id$v=19$m=256,t=2,p=1$" + salt + "$" + strings.Repeat("A", 4000),
		"pbkdf2_sha256$0$salt$BfimvGlIgj9p67wZ3iUf4tGcdvW2spFmwUAbdH2xIXA=",
		"pbkdf2_sha256$4000000000$salt$BfimvGlIgj9p67wZ3iUf4tGcdvW2spFmwUAbdH2xIXA=",
		"pbkdf2_sha256$1$salt$",
		"pbkdf2_sha256$1$$BfimvGlIgj9p67wZ3iUf4tGcdvW2spFmwUAbdH2xIXA=",
		"pbkdf2_sha1$1$salt$BfimvGlIgj9p67wZ3iUf4tGcdvW2spFmwUAbdH2xIXA=",
	} {
		err := auth.VerifyPassword(t.Context(), encoded, "password")
		if err == nil || errors.Is(err, auth.ErrCredentials) {
			t.Errorf("%.60q: %v, want an error of the hash", encoded, err)
		}
		if err := auth.NewMemoryBackend().Set("alice", encoded); err == nil {
			t.Errorf("%.60q: Set took it", encoded)
		}
	}
}

func TestHashingWaitsForRoom(t *testing.T) {
	// Not parallel: it takes all the room there is.
	release := auth.TakeAllHashing()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := auth.VerifyPassword(ctx, hash(t, "wonderland"), "wonderland"); !errors.Is(err, context.Canceled) {
		t.Errorf("with no room: %v, want context.Canceled", err)
	}
	release()
	if err := auth.VerifyPassword(t.Context(), hash(t, "wonderland"), "wonderland"); err != nil {
		t.Error(err)
	}
}

// TestAnUnknownNameCostsAHash counts the hashes: time would be no test.
func TestAnUnknownNameCostsAHash(t *testing.T) {
	release := auth.TakeAllHashing() // a hash would wait, and ctx ends the wait
	defer release()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, b := range []*auth.MemoryBackend{auth.NewMemoryBackend(), users(t)} {
		if _, err := b.Authenticate(ctx, "nobody", "x"); !errors.Is(err, context.Canceled) {
			t.Errorf("an unknown name was refused with %v before anything was hashed", err)
		}
	}
}

func TestMemoryBackend(t *testing.T) {
	t.Parallel()
	b, err := auth.Users(map[string]string{"Alice": "wonderland"})
	if err != nil {
		t.Fatal(err)
	}
	u, err := b.Authenticate(t.Context(), "alice", "wonderland")
	if err != nil || u.Name() != "Alice" || u.ID() != "Alice" || !u.IsAuthenticated() {
		t.Fatalf("user %v, error %v", u, err)
	}
	for _, tc := range [][2]string{{"alice", "x"}, {"", "wonderland"}, {"bob", "wonderland"}} {
		if _, err := b.Authenticate(t.Context(), tc[0], tc[1]); !errors.Is(err, auth.ErrCredentials) {
			t.Errorf("%q: %v, want ErrCredentials", tc, err)
		}
	}
	if got, err := b.Get(t.Context(), "Alice"); got != u || err != nil {
		t.Errorf("Get: %v, %v", got, err)
	}
	for _, id := range []string{"", "alice", "bob"} {
		if _, err := b.Get(t.Context(), id); !errors.Is(err, auth.ErrNoUser) {
			t.Errorf("Get(%q): %v, want ErrNoUser", id, err)
		}
	}
	if err := b.Set("", hash(t, "builder")); err == nil {
		t.Error("a user without a name was added")
	}
}

func FuzzParsePasswordHash(f *testing.F) {
	for _, seed := range []string{
		"$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
		cheap["builder"], "$argon2id$v=19$m=,t=,p=$$", "pbkdf2_sha256$$$", "", "$$$$$",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, encoded string) {
		again, ok := auth.ReprintPasswordHash(encoded)
		if ok && again != "" {
			if third, ok := auth.ReprintPasswordHash(again); !ok || third != again {
				t.Errorf("%q was read as %q, and that as %q", encoded, again, third)
			}
		}
	})
}
