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
	mu       sync.Mutex
	hooks    []responseHook
	cleanups []cleanup
	values   []Binding
	route    string
	cause    error // why it ended

	answered     bool   // the hooks have run, or run now
	ended        bool   // the cleanups have run
	hasHandler   bool   // Open returned a handler that had no Disconnect yet
	disconnectAt uint32 // how many cleanups were there before it
}

// A Mark remembers how long a connection's record was.
type Mark struct {
	hooks, cleanups, values int
	route                   string
}

func (r *record) mark() Mark {
	r.mu.Lock()
	defer r.mu.Unlock()
	return Mark{len(r.hooks), len(r.cleanups), len(r.values), r.route}
}

// enter is mark, and then appends a pattern to the matched route.
func (r *record) enter(pattern string) Mark {
	r.mu.Lock()
	defer r.mu.Unlock()
	m := Mark{len(r.hooks), len(r.cleanups), len(r.values), r.route}
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
	hooks, values := min(m.hooks, len(r.hooks)), min(m.values, len(r.values))
	clear(r.hooks[hooks:])
	clear(r.values[values:])
	r.hooks, r.values = r.hooks[:hooks], r.values[:values]
	r.route = m.route
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
	last := len(r.cleanups) - 1
	if last < n {
		return nil
	}
	c := r.cleanups[last]
	r.cleanups[last] = nil
	r.cleanups = r.cleanups[:last]
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
	r.hooks = append(r.hooks, hook)
	return nil
}

// answer returns the hooks, which the caller runs on the head of the answer; the
// first time only.
func (r *record) answer() []responseHook {
	r.mu.Lock()
	defer r.mu.Unlock()
	hooks := r.hooks
	r.hooks, r.answered = nil, true
	return hooks
}

func (r *record) onClose(c cleanup) {
	r.mu.Lock()
	if !r.ended {
		r.cleanups = append(r.cleanups, c)
		r.mu.Unlock()
		return
	}
	cause := r.cause
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
	r.disconnectAt = uint32(len(r.cleanups))
	r.hasHandler = true
}

// end takes the newest cleanup: nil when it is the handler's turn to get its
// Disconnect, and false when there is none left.
func (r *record) end(cause error) (c cleanup, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.cause == nil {
		r.cause = cause
	}
	n := len(r.cleanups)
	switch {
	case r.hasHandler && n <= int(r.disconnectAt):
		r.hasHandler = false
		return nil, true
	case n == 0:
		r.ended, r.cleanups = true, nil
		return nil, false
	}
	c = r.cleanups[n-1]
	r.cleanups[n-1] = nil
	r.cleanups = r.cleanups[:n-1]
	return c, true
}
