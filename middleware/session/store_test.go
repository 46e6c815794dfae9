package session_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/portico-go/portico/middleware/session"
	"github.com/portico-go/portico/protocol"
)

func TestMemoryStore(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := session.NewMemoryStore()
		if err := m.Commit("a", []byte("1"), time.Now().Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
		if b, ok, err := m.Find("a"); string(b) != "1" || !ok || err != nil {
			t.Errorf("Find: %q, %t, %v", b, ok, err)
		}
		time.Sleep(time.Minute)
		if _, ok, err := m.Find("a"); ok || err != nil {
			t.Errorf("Find after the expiry: %t, %v", ok, err)
		}
		if err := errors.Join(m.Delete("a"), m.Delete("a")); err != nil || m.Len() != 0 {
			t.Errorf("Delete: %v, %d left", err, m.Len())
		}
	})
}

func TestMemoryStoreForgetsWhatHasExpired(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := session.NewMemoryStore()
		for i := range 10_000 { // a hundred at a time are alive
			_ = m.Commit(fmt.Sprint(i), nil, time.Now().Add(100*time.Second))
			time.Sleep(time.Second)
		}
		if n := m.Len(); n > 400 {
			t.Errorf("%d sessions are kept, a hundred are alive", n)
		}
	})
}

func TestMemoryStoreConcurrently(t *testing.T) {
	t.Parallel()
	m := session.NewMemoryStore()
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			for i := range 200 {
				key := fmt.Sprint(i % 10)
				_ = m.Commit(key, []byte{byte(g)}, time.Now().Add(time.Duration(i%3)*time.Millisecond))
				_, _, _ = m.Find(key)
				_ = m.Delete(key)
			}
		})
	}
	wg.Wait()
}

// spy is a CtxStore that counts and remembers.
type spy struct {
	*session.MemoryStore
	calls  atomic.Int32
	tokens sync.Map
	fail   error
}

func (s *spy) FindCtx(ctx context.Context, token string) ([]byte, bool, error) {
	s.calls.Add(1)
	s.tokens.Store(token, ctx != nil)
	if s.fail != nil {
		return nil, false, s.fail
	}
	return s.Find(token)
}

func (s *spy) CommitCtx(_ context.Context, token string, b []byte, expiry time.Time) error {
	s.calls.Add(1)
	s.tokens.Store(token, true)
	if s.fail != nil {
		return s.fail
	}
	return s.Commit(token, b, expiry)
}

func (s *spy) DeleteCtx(_ context.Context, token string) error {
	s.calls.Add(1)
	return s.Delete(token)
}

func newSpy() *spy { return &spy{MemoryStore: session.NewMemoryStore()} }

func TestAnUntouchedSessionReadsNothing(t *testing.T) {
	t.Parallel()
	store := newSpy()
	mw := stack(session.New(store, session.Config{}))
	first, err := visit(t, mw, request("http", ""), put("a", "1"))
	if err != nil {
		t.Fatal(err)
	}
	before := store.calls.Load()
	for _, wire := range wires {
		if _, err := visit(t, mw, request(wire, first.pair()), func(_ context.Context, scope *protocol.Scope, _ *protocol.Conn) error {
			if !session.From(scope).Offered() {
				t.Errorf("%s: the client's cookie was not seen", wire)
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	if n := store.calls.Load() - before; n != 0 {
		t.Errorf("the store was asked %d times", n)
	}
	for _, cookie := range []string{"sessionid=", "sessionid=short", "sessionid=" + strings.Repeat("A", 5000)} {
		if _, ok := read(t, mw, cookie, "a"); ok {
			t.Errorf("%.20q is a session", cookie)
		}
	}
	if n := store.calls.Load() - before; n != 0 {
		t.Errorf("the store was asked %d times for what cannot be a token", n)
	}
}

func TestTheStoreNeverSeesTheToken(t *testing.T) {
	t.Parallel()
	store := newSpy()
	c, err := visit(t, stack(session.New(store, session.Config{})), request("http", ""), put("a", "1"))
	if err != nil {
		t.Fatal(err)
	}
	token := strings.TrimPrefix(c.pair(), "sessionid=")
	if raw, err := base64.RawURLEncoding.DecodeString(token); err != nil || len(raw) != 32 {
		t.Errorf("the token %q has %d bytes (%v), want 32", token, len(raw), err)
	}
	n := 0
	store.tokens.Range(func(key, _ any) bool {
		n++
		if key == token || len(key.(string)) != 43 {
			t.Errorf("the store saw %q for the token %q", key, token)
		}
		return true
	})
	if n == 0 {
		t.Error("the store saw nothing")
	}
}

func TestAStoreThatFails(t *testing.T) {
	t.Parallel()
	store := newSpy()
	mw := stack(session.New(store, session.Config{}))
	first, err := visit(t, mw, request("http", ""), put("a", "1"))
	if err != nil {
		t.Fatal(err)
	}
	store.fail = errors.New("the disk is full")
	for _, cookie := range []string{"", first.pair()} {
		c, err := visit(t, mw, request("http", cookie), put("a", "2"))
		if !errors.Is(err, store.fail) || c.wire.head.Status != 500 || len(c.cookies()) != 0 {
			t.Errorf("error %v, status %d, cookies %q", err, c.wire.head.Status, c.cookies())
		}
	}
	store.fail = nil
	if got, _ := read(t, mw, first.pair(), "a"); got != "1" {
		t.Errorf("got %q", got)
	}
	c := dial(t, mw, request("websocket", first.pair()))
	if err := c.do(func(_ context.Context, _ *protocol.Scope, conn *protocol.Conn) error { return answer(conn) }); err != nil {
		t.Fatal(err)
	}
	if err := c.do(func(ctx context.Context, scope *protocol.Scope, _ *protocol.Conn) error {
		err := session.From(scope).Put(ctx, "a", "2")
		store.fail = errors.New("the disk is full")
		return err
	}); !errors.Is(err, store.fail) {
		t.Errorf("a save after the event failed with %v", err)
	}
}

func TestSaveFromAnotherGoroutine(t *testing.T) {
	t.Parallel()
	mw := stack(session.New(session.NewMemoryStore(), session.Config{}))
	first, _ := visit(t, mw, request("http", ""), put("n", 0))
	c := dial(t, mw, request("websocket", first.pair()))
	var s *session.Session
	if err := c.do(func(_ context.Context, scope *protocol.Scope, conn *protocol.Conn) error {
		s = session.From(scope)
		return answer(conn)
	}); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			for i := range 50 {
				err := errors.Join(s.Put(t.Context(), fmt.Sprint(g), i), s.Save(t.Context()))
				if n, ok, getErr := session.Get[int](t.Context(), s, fmt.Sprint(g)); err != nil || getErr != nil || !ok || n != i {
					t.Errorf("got %d, %t, %v, %v", n, ok, err, getErr)
				}
			}
		})
	}
	for range 50 {
		if err := c.do(put("n", 1)); err != nil {
			t.Fatal(err)
		}
	}
	wg.Wait()
	if keys, err := s.Keys(t.Context()); len(keys) != 5 || err != nil {
		t.Errorf("keys %q, %v", keys, err)
	}
}
