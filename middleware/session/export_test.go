package session

import (
	"context"
	"time"
)

// Sign returns the cookie of a block of signed sessions.
func Sign(s *Sessions, block string) string {
	value, _ := s.keeper.commit(context.Background(), "", []byte(block), time.Time{})
	return value
}

// Open returns the pairs of a cookie that is good.
func Open(s *Sessions, value string) (pairs string, ok bool) {
	block, found, err := s.keeper.find(context.Background(), value)
	if err != nil || !found {
		return "", false
	}
	r, err := parseRecord(block)
	if err != nil {
		return "", false
	}
	if string(openRecord(block).pairs) != string(r.pairs) {
		panic("openRecord reads another record than parseRecord")
	}
	return string(r.pairs), true
}

// Rewrite reads pairs and encodes them again.
func Rewrite(pairs string) string {
	c := &changes{cleared: true}
	var again []byte
	for key, value := range (record{pairs: []byte(pairs)}).all() {
		again = appendBytes(appendBytes(again, key), value)
		c.set(string(key), value)
	}
	r := record{pairs: c.apply(record{})}
	if _, err := parseRecord(r.encode()); err != nil {
		panic(err)
	}
	return string(again)
}
