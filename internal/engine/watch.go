package engine

import "sync"

// A Watch tells when the peer of one connection resets it or hangs up while nobody
// reads. A FIN alone is no hang-up: it may be a half-close. A nil Watch never tells.
type Watch struct {
	watched

	mu      sync.Mutex
	notify  func()
	gone    bool // the peer hung up
	stopped bool
}

// Notify sets who is told when the peer resets the connection or hangs up; if it
// has already, f is called at once. f must not block.
func (w *Watch) Notify(f func()) {
	if w == nil {
		return
	}
	w.mu.Lock()
	gone := w.gone
	w.notify = f
	w.mu.Unlock()
	if gone && f != nil {
		f()
	}
}

// Stop ends the watch. Call it before the connection is closed, or after. A second call
// has no effect.
func (w *Watch) Stop() {
	if w == nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.notify = nil
	if !w.stopped {
		w.stopped = true
		w.forget()
	}
}

// hungUp is called when the peer hung up.
func (w *Watch) hungUp() {
	w.mu.Lock()
	w.gone = true
	f := w.notify
	w.mu.Unlock()
	if f != nil {
		f()
	}
}
