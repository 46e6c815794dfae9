package protocol

import (
	"context"
	"strings"
	"sync"
	"time"
)

// CleanupTimeout is how long the context of cleanups lives, from when the first
// cleanup looks at it. It bounds all of them together.
const CleanupTimeout = 10 * time.Second

// A cleanup runs when the connection is over.
type cleanup func(ctx context.Context, cause error)

// A responseHook sees the head of the answer before it is sent.
type responseHook func(ctx context.Context, head *Head) error

// The record is what all scopes of a connection share. Middleware and routers
// write it while the connection opens, so it grows at its ends only, and a
// router can cut it back to a mark.
type record struct {
	mu    sync.Mutex
	route string
	notes *notes // nil if there are none

	disconnectAt uint32 // how many cleanups were there before the handler's Disconnect
	hasHandler   bool   // Open returned a handler that had no Disconnect yet
	answered     bool   // the hooks have run, or run now
	ended        bool   // the cleanups have run
}

// notes are what most connections have none of when they are open, and many while
// they open.
type notes struct {
	hooks    []responseHook
	cleanups []cleanup
	recorded []Binding
	cause    error // why it ended

	hookRoom    [2]responseHook // of hooks
	cleanupRoom [1]cleanup      // of cleanups
}

// write returns the notes to be added to. r.mu is held.
func (r *record) write() *notes {
	if r.notes == nil {
		n := new(notes)
		n.hooks, n.cleanups = n.hookRoom[:0], n.cleanupRoom[:0]
		r.notes = n
	}
	return r.notes
}

// values returns what was recorded. r.mu is held.
func (r *record) values() []Binding {
	if r.notes == nil {
		return nil
	}
	return r.notes.recorded
}

// tidy drops notes that say nothing any more. r.mu is held.
func (r *record) tidy() {
	if n := r.notes; n != nil && len(n.hooks)+len(n.cleanups)+len(n.recorded) == 0 && n.cause == nil {
		r.notes = nil
	}
}

// A Mark remembers how long a connection's record was.
type Mark struct {
	hooks, cleanups, values int
	route                   string
}

func (r *record) mark() Mark {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.here()
}

// here is mark. r.mu is held.
func (r *record) here() Mark {
	m := Mark{route: r.route}
	if n := r.notes; n != nil {
		m.hooks, m.cleanups, m.values = len(n.hooks), len(n.cleanups), len(n.recorded)
	}
	return m
}

// enter is mark, and then appends a pattern to the matched route.
func (r *record) enter(pattern string) Mark {
	r.mu.Lock()
	defer r.mu.Unlock()
	m := r.here()
	if r.route == "" {
		r.route = pattern
	} else {
		r.route = strings.TrimSuffix(r.route, "/") + pattern
	}
	return m
}

func (r *record) rollback(ctx context.Context, m Mark, cause error) {
	r.mu.Lock()
	if r.ended || r.answered {
		r.mu.Unlock()
		return
	}
	r.route = m.route
	if n := r.notes; n != nil {
		hooks, values := min(m.hooks, len(n.hooks)), min(m.values, len(n.recorded))
		clear(n.hooks[hooks:])
		clear(n.recorded[values:])
		n.hooks, n.recorded = n.hooks[:hooks], n.recorded[:values]
	}
	r.mu.Unlock()

	within := &cleanupContext{parent: ctx}
	defer within.release()
	for c := r.pop(m.cleanups); c != nil; c = r.pop(m.cleanups) {
		c(within, cause) // if it panics the others are left for the end
	}
}

// pop takes the newest cleanup behind the first n, or returns nil.
func (r *record) pop(n int) cleanup {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.notes == nil || len(r.notes.cleanups) <= n {
		return nil
	}
	return r.notes.pop()
}

// pop takes the newest cleanup, of which there is one.
func (n *notes) pop() cleanup {
	last := len(n.cleanups) - 1
	c := n.cleanups[last]
	n.cleanups[last] = nil
	n.cleanups = n.cleanups[:last]
	return c
}

func (r *record) matched() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.route
}

func (r *record) onResponse(hook responseHook) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.answered {
		return ErrHeadersSent
	}
	n := r.write()
	n.hooks = append(n.hooks, hook)
	return nil
}

// answer returns the hooks, which the caller runs on the head of the answer; the
// first time only.
func (r *record) answer() []responseHook {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.answered = true
	if r.notes == nil {
		return nil
	}
	hooks := r.notes.hooks
	r.notes.hooks = nil
	r.tidy()
	return hooks
}

func (r *record) onClose(c cleanup) {
	r.mu.Lock()
	if !r.ended {
		n := r.write()
		n.cleanups = append(n.cleanups, c)
		r.mu.Unlock()
		return
	}
	var cause error
	if r.notes != nil {
		cause = r.notes.cause
	}
	r.mu.Unlock()
	ctx := &cleanupContext{parent: context.Background()}
	defer ctx.release()
	c(ctx, cause)
}

// opened remembers that Open has returned: the handler's Disconnect comes between
// the cleanups registered up to here and those registered later.
func (r *record) opened() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.notes != nil {
		r.disconnectAt = uint32(len(r.notes.cleanups))
	}
	r.hasHandler = true
}

// end takes the newest cleanup: nil when it is the handler's turn to get its
// Disconnect, and false when there is none left.
func (r *record) end(cause error) (c cleanup, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	left := 0
	if r.notes != nil {
		left = len(r.notes.cleanups)
	}
	switch {
	case r.hasHandler && left <= int(r.disconnectAt):
		r.hasHandler = false
		return nil, true
	case left > 0:
		return r.notes.pop(), true
	}
	r.ended = true
	if cause != nil {
		n := r.write() // for cleanups that come too late
		n.cleanups = nil
		if n.cause == nil {
			n.cause = cause
		}
	}
	r.tidy()
	return nil, false
}
