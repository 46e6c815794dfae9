package session

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/portico-go/portico/protocol"
)

var (
	// ErrHeadersSent is returned by a change that needs a new cookie when the
	// answer's head is out, as on a WebSocket that was accepted: the change was not
	// made. errors.Is(err, protocol.ErrHeadersSent) holds too.
	ErrHeadersSent = fmt.Errorf("session: this change needs a new cookie; make it before the connection is accepted or answered: %w", protocol.ErrHeadersSent)
	// ErrDeleted is returned when a changed session is saved that was deleted
	// meanwhile, by a logout elsewhere for example. The change is dropped: the
	// session is not brought back.
	ErrDeleted = errors.New("session: the session was deleted meanwhile; what was changed is not saved")
	// ErrTooLarge is returned by a Put that makes a session too large for its
	// cookie. Only sessions of NewSigned have such a limit.
	ErrTooLarge = errors.New("session: the session is too large for a cookie")
)

// A Session is what a server remembers of one client between its requests: values
// under string keys, kept as JSON. It is loaded when it is first used, and saved
// with the answer's head, or after the event in which it was changed. All methods
// are safe for concurrent use; they block while the store does.
//
// Every method that takes a context may return an error of the store. Changes from
// outside of the handler's turn are saved after its next event, or by Save.
type Session struct {
	of *Sessions

	mu      sync.Mutex
	scope   *protocol.Scope  // nil when the answer's head is out
	handler protocol.Handler // what Around wraps
	value   string           // of the cookie; "" for a session that nobody keeps yet
	block   []byte           // what the keeper had, nil before it is loaded
	changes *changes         // nil if there are none to be saved

	watch atomic.Bool // something is to be looked at after the next event
	sent  bool        // the client sent a cookie; never changes
	marks marks
}

// marks are bits, as a session lasts as long as its connection and there may be many.
type marks uint8

const (
	loaded    marks = 1 << iota
	noCookies       // the protocol's answer has no headers
	hooked          // respond is registered for good
	cookieDue       // the answer is to set, or delete, the cookie
	detached        // nothing is kept beyond the connection
)

// is reports whether the session has a mark. s.mu is held, or nobody else has s yet, as
// for mark.
func (s *Session) is(m marks) bool { return s.marks&m != 0 }

func (s *Session) mark(m marks, on bool) {
	if s.marks &^= m; on {
		s.marks |= m
	}
}

// Get returns the value under key, decoded from JSON into a T, and whether there
// is one.
func Get[T any](ctx context.Context, s *Session, key string) (value T, ok bool, err error) {
	raw, ok, err := s.get(ctx, key)
	if err != nil || !ok {
		return value, false, err
	}
	if text, isText := any(&value).(*string); isText && plain(raw) {
		*text = string(raw[1 : len(raw)-1])
		return value, true, nil
	}
	value, err = decode[T](raw)
	if err != nil {
		return value, false, fmt.Errorf("session: the value under %q is no %T: %w", key, value, err)
	}
	return value, true, nil
}

// Strings looks several keys up whose values are strings, without copying them:
// values[i] becomes the string under keys[i], and nil if there is none. What it
// finds must not be changed; it stays what it is when the session changes.
func (s *Session) Strings(ctx context.Context, keys []string, values [][]byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.load(ctx); err != nil {
		return err
	}
	r := s.record()
	for i, key := range keys {
		raw, ok := s.lookup(r, key)
		switch {
		case !ok:
			values[i] = nil
		case plain(raw):
			values[i] = raw[1 : len(raw)-1 : len(raw)-1]
		default:
			text, err := decode[string](raw)
			if err != nil {
				return fmt.Errorf("session: the value under %q is no string: %w", key, err)
			}
			values[i] = []byte(text)
		}
	}
	return nil
}

// decode is apart from Get because what it decodes into is on the heap.
func decode[T any](raw []byte) (value T, err error) {
	err = json.Unmarshal(raw, &value)
	return value, err
}

// plain reports whether raw is a JSON string that stands for itself.
func plain(raw []byte) bool {
	if len(raw) < 2 || raw[0] != '"' {
		return false
	}
	for _, c := range raw[1 : len(raw)-1] {
		if c < ' ' || c >= 0x7f || c == '"' || c == '\\' {
			return false
		}
	}
	return true
}

func (s *Session) get(ctx context.Context, key string) ([]byte, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.load(ctx); err != nil {
		return nil, false, err
	}
	value, ok := s.lookup(s.record(), key)
	return value, ok, nil
}

// lookup looks in a session whose record was loaded. s.mu is held.
func (s *Session) lookup(r record, key string) ([]byte, bool) {
	if s.changes != nil {
		if value, known := s.changes.get(key); known {
			return value, value != nil
		}
	}
	return r.get(key)
}

// Keys returns the keys that have values, in no particular order.
func (s *Session) Keys(ctx context.Context) ([]string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.load(ctx); err != nil {
		return nil, err
	}
	r := s.record()
	if s.changes != nil {
		r.pairs = s.changes.apply(r)
	}
	var keys []string
	for key := range r.all() {
		keys = append(keys, string(key))
	}
	return keys, nil
}

// Put sets the value under key. It is encoded as JSON at once, so that later
// changes of value have no effect. Errors besides the store's are a value that
// JSON cannot express, ErrHeadersSent and ErrTooLarge.
func (s *Session) Put(ctx context.Context, key string, value any) error {
	raw, err := json.Marshal(value)
	if err != nil {
		return fmt.Errorf("session: the value for %q has no JSON form: %w", key, err)
	}
	return s.change(ctx, func(c *changes) { c.set(key, raw) })
}

// Delete removes the value under key, if there is one.
func (s *Session) Delete(ctx context.Context, key string) error {
	if _, ok, err := s.get(ctx, key); err != nil || !ok {
		return err
	}
	return s.change(ctx, func(c *changes) { c.set(key, nil) })
}

// Clear removes all values. The session and its cookie are deleted with the
// answer, unless it gets new values before.
func (s *Session) Clear(ctx context.Context) error {
	if keys, err := s.Keys(ctx); err != nil || len(keys) == 0 {
		return err
	}
	return s.change(ctx, func(c *changes) { c.cleared, c.keys = true, nil })
}

// CycleToken keeps the values and gives the session a new token, so that whoever
// knew the old one knows nothing: do so whenever a client gains rights. The old
// one ends when the session is saved; a signed session cannot be revoked, so there
// the old cookie is good until it expires. On a protocol without cookies, such as
// chat, the session becomes the connection's own and the stored one stays.
func (s *Session) CycleToken(ctx context.Context) error {
	return s.change(ctx, func(c *changes) { c.renewed = true })
}

// Flush removes all values, deletes the session in its store at once, and its
// cookie with the answer. What is put afterwards is a new session with a new
// token. Once the answer's head is out a stored session can be flushed still; for
// a signed one, whose cookie is all there is, Flush then returns ErrHeadersSent.
func (s *Session) Flush(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.load(ctx); err != nil {
		return err
	}
	if s.value != "" && !s.is(detached) {
		if s.of.keeper.inCookie() && !s.is(noCookies) && s.headOut() {
			return ErrHeadersSent
		}
		if err := s.of.keeper.remove(ctx, s.value); err != nil {
			return err
		}
	}
	s.forget()
	if s.sent && !s.headOut() {
		s.mark(cookieDue, true)
		s.hook()
	}
	return nil
}

// Token returns the value of the session's cookie, which is a secret: whoever has
// it has the session. It is "" for a session that was not saved yet, or that
// belongs to its connection alone, and then stays so until the session is saved.
func (s *Session) Token(ctx context.Context) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.load(ctx); err != nil {
		return "", err
	}
	if s.is(detached) || s.changes != nil && s.changes.renewed {
		return "", nil
	}
	return s.value, nil
}

// Offered reports whether the client sent a session cookie at all, good or not. It
// reads nothing.
func (s *Session) Offered() bool { return s.sent }

// load reads the session if that was not done yet. s.mu is held.
func (s *Session) load(ctx context.Context) error {
	if s.is(loaded) {
		return nil
	}
	if s.of.fault != nil {
		return s.of.fault
	}
	if s.value != "" {
		block, r, err := s.find(ctx)
		switch {
		case err != nil:
			return err
		case block == nil:
			s.value = "" // a client never chooses its token
		default:
			s.block = block
			if s.of.config.IdleTimeout > 0 {
				s.renew(r)
			}
		}
	}
	s.mark(loaded, true)
	return nil
}

// find asks the keeper. A nil block means that there is no such session. s.mu is
// held.
func (s *Session) find(ctx context.Context) ([]byte, record, error) {
	block, found, err := s.of.keeper.find(ctx, s.value)
	switch {
	case err == errForged, err == errExpired: //nolint:errorlint // the keeper's own, never wrapped
		return nil, record{}, s.ignored(err)
	case err != nil || !found:
		return nil, record{}, err
	}
	r, err := parseRecord(block)
	if err != nil {
		return nil, record{}, s.ignored(err)
	}
	return block, r, nil
}

func (s *Session) ignored(err error) error {
	s.of.config.OnIgnored(err)
	return nil
}

// record returns what was loaded. s.mu is held.
func (s *Session) record() record {
	if s.block == nil {
		return record{}
	}
	return openRecord(s.block)
}

// forget makes the session an empty, new one. s.mu is held.
func (s *Session) forget() {
	s.value, s.block, s.changes = "", nil, nil
	s.mark(detached, false)
}
