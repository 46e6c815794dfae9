package channellayer_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/portico-go/portico/channellayer"
)

func TestToken(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"Room-9":       "Room-9",
		"room.go":      "room_2ego",
		"a_b":          "a_5fb",
		"*":            "_2a",
		"{tag}>":       "_7btag_7d_3e",
		"é":            "_c3_a9",
		"websocket.A!": "websocket_2eA_21",
	} {
		if got := channellayer.Token(name); got != want {
			t.Errorf("Token(%q) = %q, expected %q", name, got, want)
		}
		if got, err := channellayer.ParseToken(want); err != nil || got != name {
			t.Errorf("ParseToken(%q) = %q, %v", want, got, err)
		}
	}
	for _, token := range []string{"", "a.b", "a b", "_", "_2", "_2E", "_61", "_ff", "_0a", "é", strings.Repeat("a", 256), strings.Repeat("a", 800)} {
		if name, err := channellayer.ParseToken(token); !errors.Is(err, channellayer.ErrInvalidName) {
			t.Errorf("ParseToken(%q) = %q, %v", token, name, err)
		}
	}
}

func FuzzToken(f *testing.F) {
	for _, s := range []string{"room", "a.b", "_", "_2e", "\xff", "ツ"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if channellayer.CheckName(s) == nil {
			token := channellayer.Token(s)
			if strings.Trim(token, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") != "" || len(token) > 3*len(s) {
				t.Fatalf("Token(%q) = %q", s, token)
			}
			if back, err := channellayer.ParseToken(token); err != nil || back != s {
				t.Fatalf("ParseToken(%q) = %q, %v, expected %q", token, back, err, s)
			}
		}
		if name, err := channellayer.ParseToken(s); err == nil && channellayer.Token(name) != s {
			t.Fatalf("%q and %q are both %q", s, channellayer.Token(name), name)
		}
	})
}
