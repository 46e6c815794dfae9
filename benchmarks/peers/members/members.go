// Package members is the room that the libraries need for a fan-out, as they have
// none of their own.
package members

import "sync"

// A Set holds connections. Its zero value is empty; its methods may be called
// concurrently, and Each holds the others up.
type Set[C comparable] struct {
	mu   sync.Mutex
	list map[C]struct{}
}

// Add adds a connection.
func (s *Set[C]) Add(c C) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.list == nil {
		s.list = make(map[C]struct{})
	}
	s.list[c] = struct{}{}
}

// Remove removes a connection.
func (s *Set[C]) Remove(c C) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.list, c)
}

// Each calls f with each connection, one after another.
func (s *Set[C]) Each(f func(C)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.list {
		f(c)
	}
}
