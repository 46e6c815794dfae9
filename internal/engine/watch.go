package engine

import "sync"

// A Watch tells of the hang-up of one connection. A nil Watch never does.
type Watch struct {
	stop func() // forgets the registration
	drop func() // has the kernel forget it, while the socket is open

	mu     sync.Mutex
	notify func()
	gone   bool // the peer hung up
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

// Stop ends the watch. Call it before the connection is closed, or after.
func (w *Watch) Stop() {
	if w == nil {
		return
	}
	w.mu.Lock()
	w.notify = nil
	w.mu.Unlock()
	w.stop()
}

// release is Stop for a socket that is to be watched in another way.
func (w *Watch) release() {
	if w == nil {
		return
	}
	w.drop()
	w.Stop()
}

// hungUp is called by the watcher.
func (w *Watch) hungUp() {
	w.mu.Lock()
	w.gone = true
	f := w.notify
	w.mu.Unlock()
	if f != nil {
		f()
	}
}
