package channellayer

import (
	"errors"
	"sync"
	"sync/atomic"
)

var errPanicked = errors.New("channellayer: the function that makes this value panicked for an earlier receiver")

// A memo holds the values made once from a message for all of its receivers. Reading takes no lock:
// the entries form a list that only grows, and there are one or two of them.
type memo[K comparable, V any] struct {
	head atomic.Pointer[entry[K, V]]
	mu   sync.Mutex // held to add an entry
}

type entry[K comparable, V any] struct {
	key   K
	next  *entry[K, V]
	once  sync.Once
	value V
	err   error
}

// entry returns the entry of key, which the caller fills under its once.
func (o *memo[K, V]) entry(key K) *entry[K, V] {
	if e := o.find(key); e != nil {
		return e
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if e := o.find(key); e != nil {
		return e
	}
	e := &entry[K, V]{key: key, next: o.head.Load(), err: errPanicked}
	o.head.Store(e)
	return e
}

func (o *memo[K, V]) find(key K) *entry[K, V] {
	e := o.head.Load()
	for e != nil && e.key != key {
		e = e.next
	}
	return e
}
