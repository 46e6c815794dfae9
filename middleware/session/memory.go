package session

import (
	"context"
	"sync"
	"time"
)

// A MemoryStore keeps sessions in this process: they are gone when it ends, and
// other processes do not see them. Make it with NewMemoryStore. It is safe for
// concurrent use and needs no closing: it has no goroutine, and each Commit
// removes a few sessions that have expired, so that they stay a small part of all.
type MemoryStore struct {
	mu      sync.RWMutex
	entries map[string]memoryEntry
}

type memoryEntry struct {
	b      []byte
	expiry time.Time
}

var (
	_ Store    = (*MemoryStore)(nil)
	_ Replacer = (*MemoryStore)(nil)
)

// NewMemoryStore returns an empty store.
func NewMemoryStore() *MemoryStore {
	return &MemoryStore{entries: make(map[string]memoryEntry)}
}

// Find implements Store.
func (m *MemoryStore) Find(token string) (b []byte, found bool, err error) {
	b, found = m.find([]byte(token))
	return b, found, nil
}

// find is Find for a token that need not become a string.
func (m *MemoryStore) find(token []byte) (b []byte, found bool) {
	m.mu.RLock()
	e, ok := m.entries[string(token)]
	m.mu.RUnlock()
	if !ok || !time.Now().Before(e.expiry) {
		return nil, false
	}
	return e.b, true
}

// Commit implements Store.
func (m *MemoryStore) Commit(token string, b []byte, expiry time.Time) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.sweep()
	m.entries[token] = memoryEntry{b: b, expiry: expiry}
	return nil
}

// Replace implements Replacer.
func (m *MemoryStore) Replace(_ context.Context, token string, b []byte, expiry time.Time) (found bool, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if e, ok := m.entries[token]; !ok || !time.Now().Before(e.expiry) {
		return false, nil
	}
	m.entries[token] = memoryEntry{b: b, expiry: expiry}
	return true, nil
}

// Delete implements Store.
func (m *MemoryStore) Delete(token string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.entries, token)
	return nil
}

// Len returns how many sessions are kept, some expired ones included.
func (m *MemoryStore) Len() int {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return len(m.entries)
}

// sweep looks at a sample of the sessions, which range begins at a random place,
// and at more as long as a quarter of it has expired. m.mu is held.
func (m *MemoryStore) sweep() {
	const sample = 20
	for range 8 {
		now, seen, gone := time.Now(), 0, 0
		for token, e := range m.entries {
			if seen++; seen > sample {
				break
			}
			if !now.Before(e.expiry) {
				delete(m.entries, token)
				gone++
			}
		}
		if gone <= sample/4 {
			return
		}
	}
}
