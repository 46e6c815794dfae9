package session

import (
	"encoding/binary"
	"errors"
	"iter"
	"time"
)

// A session is kept as one block of bytes that is never changed, in the store, in
// a signed cookie, and in memory alike, so that an idle connection holds no maps:
//
//	version  1 byte, 1
//	created  uvarint, seconds since 1970
//	expires  uvarint, seconds since 1970
//	pairs    key and JSON value, each a uvarint length and that many bytes
const recordVersion = 1

var errRecord = errors.New("session: the stored record is damaged, or another program's")

// A record is a block that was found to be well-formed.
type record struct {
	created, expires time.Time
	pairs            []byte
}

// parseRecord checks a block that comes from outside.
func parseRecord(b []byte) (record, error) {
	if len(b) == 0 || b[0] != recordVersion {
		return record{}, errRecord
	}
	created, n := binary.Uvarint(b[1:])
	if n <= 0 || created > maxSeconds {
		return record{}, errRecord
	}
	b = b[1+n:]
	expires, n := binary.Uvarint(b)
	if n <= 0 || expires > maxSeconds {
		return record{}, errRecord
	}
	r := record{created: time.Unix(int64(created), 0), expires: time.Unix(int64(expires), 0), pairs: b[n:]}
	for rest := r.pairs; len(rest) > 0; {
		for range 2 {
			var ok bool
			if _, rest, ok = cutBytes(rest); !ok {
				return record{}, errRecord
			}
		}
	}
	return r, nil
}

// openRecord is parseRecord for a block that has been checked.
func openRecord(b []byte) record {
	created, n := binary.Uvarint(b[1:])
	b = b[1+n:]
	expires, n := binary.Uvarint(b)
	return record{created: time.Unix(int64(created), 0), expires: time.Unix(int64(expires), 0), pairs: b[n:]}
}

// maxSeconds keeps times within what time.Time adds up correctly.
const maxSeconds = 1 << 40

// cutBytes cuts a length and that many bytes off b.
func cutBytes(b []byte) (item, rest []byte, ok bool) {
	if len(b) > 0 && int(b[0]) < min(0x80, len(b)) { // a length of one byte, as most are
		end := 1 + int(b[0])
		return b[1:end:end], b[end:], true
	}
	size, n := binary.Uvarint(b)
	if n <= 0 || size > uint64(len(b)-n) {
		return nil, nil, false
	}
	end := n + int(size)
	return b[n:end:end], b[end:], true
}

// all yields the pairs of a record that parseRecord has checked.
func (r record) all() iter.Seq2[[]byte, []byte] {
	return func(yield func(key, value []byte) bool) {
		for rest := r.pairs; len(rest) > 0; {
			var key, value []byte
			key, rest, _ = cutBytes(rest)
			value, rest, _ = cutBytes(rest)
			if !yield(key, value) {
				return
			}
		}
	}
}

func (r record) get(key string) ([]byte, bool) {
	for rest := r.pairs; len(rest) > 0; {
		var k, v []byte
		k, rest, _ = cutBytes(rest)
		if v, rest, _ = cutBytes(rest); string(k) == key {
			return v, true
		}
	}
	return nil, false
}

// encode returns the block.
func (r record) encode() []byte {
	b := make([]byte, 0, 16+len(r.pairs))
	b = append(b, recordVersion)
	b = binary.AppendUvarint(b, uint64(max(0, r.created.Unix())))
	b = binary.AppendUvarint(b, uint64(max(0, r.expires.Unix())))
	return append(b, r.pairs...)
}

func appendBytes[T string | []byte](dst []byte, item T) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(item))), item...)
}

// A change sets a key to JSON, or removes it if value is nil.
type change struct {
	key   string
	value []byte
}

// changes are what was done to a session since it was loaded or saved. They are
// applied to what the store has by then, so that two connections that change
// different keys of one session do not undo each other.
type changes struct {
	cleared bool     // everything that was there is gone
	renewed bool     // the token is to be replaced, and the lifetime begins anew
	keys    []change // one per key, the oldest first
}

func (c *changes) get(key string) (value []byte, known bool) {
	for i := range c.keys {
		if c.keys[i].key == key {
			return c.keys[i].value, true
		}
	}
	return nil, c.cleared
}

func (c *changes) set(key string, value []byte) {
	for i := range c.keys {
		if c.keys[i].key == key {
			c.keys[i].value = value
			return
		}
	}
	c.keys = append(c.keys, change{key, value})
}

// apply returns pairs with the changes.
func (c *changes) apply(base record) (pairs []byte) {
	for key, value := range base.all() {
		if _, known := c.get(string(key)); !known {
			pairs = appendBytes(appendBytes(pairs, key), value)
		}
	}
	for _, ch := range c.keys {
		if ch.value != nil {
			pairs = appendBytes(appendBytes(pairs, ch.key), ch.value)
		}
	}
	return pairs
}
