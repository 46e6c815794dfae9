package session

import (
	"context"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"time"
)

// maxCookie is what every browser keeps of a cookie, its attributes included
// (RFC 6265, section 6.1).
const maxCookie = 4096

// minKey is the least length of a secret key, in bytes.
const minKey = 32

// NewSigned returns sessions that live in their cookies, signed with HMAC-SHA256:
// the server keeps nothing. Clients can read the values but not change them. The
// first key signs and all verify, so a key is replaced by putting a new one in
// front and removing the old one after a Lifetime. Keys are secrets of 32 bytes or
// more, which NewSigned copies.
//
// Such a session cannot be ended by the server before it expires: a copy of a
// cookie is good after a logout too. It holds about 2.8 KB of JSON; a Put beyond
// that is ErrTooLarge. Once the answer's head is out every change is
// ErrHeadersSent.
func NewSigned(keys [][]byte, config Config) *Sessions {
	s := &Sessions{config: config.withDefaults()}
	k, err := newSigned(keys, s.config)
	s.keeper, s.fault = k, errors.Join(err, s.config.check())
	return s
}

// signed keeps sessions in cookies: the block, a dot, and its signature, both in
// unpadded base64url.
type signed struct {
	name  string
	keys  [][]byte // derived for this cookie
	limit int      // of the cookie's value
}

func newSigned(secrets [][]byte, c Config) (*signed, error) {
	k := &signed{name: c.Cookie}
	if len(secrets) == 0 {
		return k, errors.New("session: NewSigned needs a key; make one of 32 random bytes and keep it secret")
	}
	for i, secret := range secrets {
		if len(secret) < minKey {
			return k, fmt.Errorf("session: key %d of NewSigned has %d bytes, at least %d are needed", i, len(secret), minKey)
		}
		key, err := hkdf.Key(sha256.New, secret, nil, "portico signed session 1 "+c.Cookie, sha256.Size)
		if err != nil {
			return k, fmt.Errorf("session: key %d of NewSigned: %w", i, err)
		}
		k.keys = append(k.keys, key)
	}
	longest := c.cookie("", true, time.Now().Add(c.Lifetime))
	k.limit = maxCookie - len(longest.String()) - len("; Max-Age=9999999999")
	return k, nil
}

// fits returns an error if a record with so many bytes of pairs is too large.
func (k *signed) fits(pairs int) error {
	const head = 1 + 2*6 // the version, and two times until the year 37000
	size := base64.RawURLEncoding.EncodedLen(head+pairs) + 1 + base64.RawURLEncoding.EncodedLen(sha256.Size)
	if size > k.limit {
		return fmt.Errorf("%w: it takes %d of %d bytes; keep less in it, or use a Store", ErrTooLarge, size, k.limit)
	}
	return nil
}

func (k *signed) sign(key []byte, payload string) []byte {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(payload))
	return mac.Sum(nil)
}

func (k *signed) find(_ context.Context, value string) ([]byte, bool, error) {
	if len(value) > maxCookie {
		return nil, false, errForged
	}
	payload, signature, ok := strings.Cut(value, ".")
	if !ok {
		return nil, false, errForged
	}
	given, err := base64.RawURLEncoding.Strict().DecodeString(signature)
	if err != nil {
		return nil, false, errForged
	}
	for _, key := range k.keys {
		if hmac.Equal(given, k.sign(key, payload)) {
			return open(payload)
		}
	}
	return nil, false, errForged
}

// open decodes a payload whose signature is good.
func open(payload string) ([]byte, bool, error) {
	block, err := base64.RawURLEncoding.Strict().DecodeString(payload)
	if err != nil {
		return nil, false, errForged
	}
	if r, err := parseRecord(block); err == nil && !time.Now().Before(r.expires) {
		return nil, false, errExpired
	}
	return block, true, nil
}

func (k *signed) commit(_ context.Context, _ string, block []byte, _ time.Time) (string, error) {
	payload := base64.RawURLEncoding.EncodeToString(block)
	return payload + "." + base64.RawURLEncoding.EncodeToString(k.sign(k.keys[0], payload)), nil
}

func (*signed) remove(context.Context, string) error { return nil }

func (*signed) inCookie() bool { return true }
