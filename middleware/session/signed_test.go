package session_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/portico-go/portico/middleware/session"
	"github.com/portico-go/portico/protocol"
)

func TestForgedCookiesAreIgnored(t *testing.T) {
	t.Parallel()
	var ignored []error
	sessions := session.NewSigned([][]byte{secret('a')}, session.Config{OnIgnored: func(err error) { ignored = append(ignored, err) }})
	mw := stack(sessions)
	c, err := visit(t, mw, request("http", ""), put("user", "alice"))
	if err != nil {
		t.Fatal(err)
	}
	good := strings.TrimPrefix(c.pair(), "sessionid=")
	other, _ := visit(t, stack(session.NewSigned([][]byte{secret('a')}, session.Config{Cookie: "other"})), request("http", ""), put("user", "alice"))
	payload, signature, _ := strings.Cut(good, ".")
	forged := []string{
		"x", ".", "..", payload, payload + ".", "." + signature, payload + "." + signature + "A", payload + "!." + signature,
		"B" + payload[1:] + "." + signature, payload + "." + "B" + signature[1:], strings.Repeat("A", 5000) + "." + signature,
		strings.TrimPrefix(other.pair(), "other="), // of the same key, for another cookie
	}
	for _, value := range forged {
		if got, ok := read(t, mw, "sessionid="+value, "user"); ok {
			t.Errorf("%.60q is the session of %q", value, got)
		}
	}
	if len(ignored) != len(forged) {
		t.Errorf("OnIgnored was called %d times for %d cookies", len(ignored), len(forged))
	}
	for _, err := range ignored {
		if strings.Contains(err.Error(), payload) || strings.Contains(err.Error(), signature) {
			t.Errorf("the error %q shows the cookie", err)
		}
	}
	if got, _ := read(t, mw, c.pair(), "user"); got != "alice" {
		t.Errorf("the good cookie reads %q", got)
	}
}

func TestKeysAreRotated(t *testing.T) {
	t.Parallel()
	before, both, after := [][]byte{secret('a')}, [][]byte{secret('b'), secret('a')}, [][]byte{secret('b')}
	c, _ := visit(t, stack(session.NewSigned(before, session.Config{})), request("http", ""), put("a", "1"))
	if got, _ := read(t, stack(session.NewSigned(both, session.Config{})), c.pair(), "a"); got != "1" {
		t.Errorf("the old key verifies %q", got)
	}
	again, _ := visit(t, stack(session.NewSigned(both, session.Config{})), request("http", c.pair()), put("b", "2"))
	for cookie, want := range map[string]string{c.pair(): "", again.pair(): "1"} {
		if got, _ := read(t, stack(session.NewSigned(after, session.Config{})), cookie, "a"); got != want {
			t.Errorf("without the old key got %q, want %q", got, want)
		}
	}
}

func TestASignedSessionFitsItsCookie(t *testing.T) {
	t.Parallel()
	mw := stack(session.NewSigned([][]byte{secret('a')}, session.Config{Domain: "example.com", Secure: session.SecureAlways}))
	put := func(size int) (line string, err error) {
		c, err := visit(t, mw, request("http", ""), func(ctx context.Context, scope *protocol.Scope, _ *protocol.Conn) error {
			s := session.From(scope)
			if err := s.Put(ctx, "small", "1"); err != nil {
				return err
			}
			err := s.Put(ctx, "large", strings.Repeat("x", size))
			if small, _, _ := session.Get[string](ctx, s, "small"); small != "1" {
				t.Errorf("after a Put of %d bytes the other value is %q", size, small)
			}
			return err
		})
		if len(c.cookies()) > 0 {
			line = c.cookies()[0]
		}
		return line, err
	}
	largest := 0
	for size := 2000; size < 4096; size++ {
		line, err := put(size)
		if err != nil {
			if !errors.Is(err, session.ErrTooLarge) {
				t.Fatal(err)
			}
			break
		}
		if largest = len(line); largest > 4096 {
			t.Fatalf("a value of %d bytes makes a cookie of %d", size, largest)
		}
	}
	if largest < 4000 {
		t.Errorf("the largest cookie has %d bytes, 4096 are allowed", largest)
	}
}

func FuzzSignedCookie(f *testing.F) {
	k := session.NewSigned([][]byte{secret('a')}, session.Config{})
	for _, pairs := range []string{"", "\x01a\x011", "\x04name\x07\"alice\"", "\x05a"} {
		f.Add(session.Sign(k, "\x01\x80\xe0\xc0\xa8\x06\x80\xe0\xc0\xa8\x0e"+pairs), true)
		f.Add(pairs, false)
	}
	f.Add("\x01\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", false)
	f.Fuzz(func(t *testing.T, value string, whole bool) {
		if !whole { // get behind the signature
			value = session.Sign(k, value)
		}
		if pairs, ok := session.Open(k, value); ok {
			again := session.Rewrite(pairs) // lengths may have been longer than needed
			if len(again) > len(pairs) || session.Rewrite(again) != again {
				t.Errorf("%q was rewritten as %q, and that as %q", pairs, again, session.Rewrite(again))
			}
		}
	})
}
