package protocol

import "time"

// timers are those of a connection that have not fired. They are kept so that
// they end with the connection; one that fired or was stopped leaves nothing.
type timers map[*timer]struct{}

type timer struct{ *time.Timer } // set with Conn.mu held

// PostAfter posts ev after d, unless the connection ends or stop is called
// before. A nil ev is a *Timer. Once the connection is closing it does nothing.
// stop may be called more than once, from any goroutine.
func (c *Conn) PostAfter(d time.Duration, ev Event) (stop func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.state >= StateClosing {
		return func() {}
	}
	t := new(timer)
	t.Timer = time.AfterFunc(d, func() {
		if !c.dropTimer(t) {
			return
		}
		if ev == nil {
			ev = &Timer{At: time.Now()}
		}
		_ = c.Post(ev) // too late is no error of the timer
	})
	r := c.others()
	if r.timers == nil {
		r.timers = make(timers)
	}
	r.timers[t] = struct{}{}
	return func() { c.dropTimer(t) }
}

// dropTimer stops t, and reports whether it was still to be heard of.
func (c *Conn) dropTimer(t *timer) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, live := c.rare.timers[t]
	delete(c.rare.timers, t)
	t.Stop()
	return live
}

// stopTimers stops all timers. c.mu is held.
func (c *Conn) stopTimers() {
	if c.rare == nil {
		return
	}
	for t := range c.rare.timers {
		t.Stop()
	}
	c.rare.timers = nil
}
