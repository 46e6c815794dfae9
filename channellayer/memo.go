package channellayer

import (
	"errors"
	"sync"
	"sync/atomic"
)

var errPanicked = errors.New("channellayer: the function that makes this value panicked for an earlier receiver")

// A memo holds the values made once from a message for all of its receivers. It takes no lock:
// the entries form a list that grows at its head only, and there are one or two of them.
type memo struct{ head atomic.Pointer[node] }

type node struct {
	entry any // an *entry
	next  *node
}

type entry[K comparable, V any] struct {
	key   K
	once  sync.Once
	value V
	err   error
}

// remembered returns the one entry of key, which the caller fills under its once.
func remembered[K comparable, V any](o *memo, key K) *entry[K, V] {
	for {
		head := o.head.Load()
		for n := head; n != nil; n = n.next {
			if e, ok := n.entry.(*entry[K, V]); ok && e.key == key {
				return e
			}
		}
		e := &entry[K, V]{key: key, err: errPanicked}
		if o.head.CompareAndSwap(head, &node{entry: e, next: head}) {
			return e
		}
	}
}
