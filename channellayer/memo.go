package channellayer

import (
	"errors"
	"sync"
	"sync/atomic"
)

var errPanicked = errors.New("channellayer: the function that makes this value panicked for an earlier receiver")

// A memo holds the values made once from a message for all of its receivers. It takes no lock:
// the entries form a list that grows at its head only, and there are one or two of them.
type memo[K comparable, V any] struct {
	head atomic.Pointer[entry[K, V]]
}

type entry[K comparable, V any] struct {
	key   K
	next  *entry[K, V]
	once  sync.Once
	value V
	err   error
}

// entry returns the one entry of key, which the caller fills under its once.
func (o *memo[K, V]) entry(key K) *entry[K, V] {
	for {
		head := o.head.Load()
		for e := head; e != nil; e = e.next {
			if e.key == key {
				return e
			}
		}
		e := &entry[K, V]{key: key, next: head, err: errPanicked}
		if o.head.CompareAndSwap(head, e) {
			return e
		}
	}
}
