package channellayer

import "slices"

// A closer is a function that waits for the end of a subscription.
type closer struct{ f func() }

// OnClose has f called once, when the reader of a channel of this process is closed: by the goroutine that closes it, when it has left its groups, and with
// no lock held. It must be quick. It is for those who keep something for a connection of which they know the channel's name.
//
// Stop takes it back; it does nothing when f has been called or is being called. Both are safe for concurrent use.
// The errors match [ErrNoSubscriber], [ErrInvalidName] or [ErrClosed]; then f is not called.
func (h *Hub) OnClose(channel string, f func()) (stop func(), err error) {
	s, err := h.reader(channel)
	if err != nil {
		return nil, err
	}
	c := &closer{f}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over() {
		return nil, ErrClosed
	}
	if s.rare == nil {
		s.rare = &rare{}
	}
	s.rare.closers = append(s.rare.closers, c)
	return func() { s.stay(c) }, nil
}

// stay is the stop function of a closer.
func (s *Subscription) stay(c *closer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if i := slices.Index(s.rare.closers, c); i >= 0 {
		s.rare.closers = slices.Delete(s.rare.closers, i, i+1)
	}
}
