package communicator

import (
	"slices"

	"github.com/portico-go/portico/protocol"
)

// admit reports whether a message may be queued for Receive, and makes room by what its
// Overflow says, as a server does. s.mu is held.
func (s *side) admit(m *protocol.Message) (fits bool, err error) {
	if s.Queue <= 0 {
		return true, nil
	}
	overflow := s.overflow(m)
	waits := func(ev protocol.Event) *protocol.Message {
		if w, ok := ev.(*protocol.Message); ok && s.overflow(w) == overflow {
			return w
		}
		return nil
	}
	if overflow == protocol.KeepLatest && m.Key != "" {
		s.sent = slices.DeleteFunc(s.sent, func(ev protocol.Event) bool {
			w := waits(ev)
			return w != nil && w.Key == m.Key
		})
	}
	switch {
	case s.messages() < s.Queue:
		return true, nil
	case overflow == protocol.DropNewest:
		return false, nil
	case overflow == protocol.DropOldest:
		oldest := slices.IndexFunc(s.sent, func(ev protocol.Event) bool { return waits(ev) != nil })
		if oldest < 0 {
			return false, nil
		}
		s.sent = slices.Delete(s.sent, oldest, oldest+1)
		return true, nil
	}
	return false, protocol.ErrSlow
}

// overflow returns what becomes of a message for which there is no room.
func (s *side) overflow(m *protocol.Message) protocol.Overflow {
	if m.Overflow != protocol.DefaultOverflow {
		return m.Overflow
	}
	return s.life.Conn().Overflow()
}

// messages returns how many wait for Receive. s.mu is held.
func (s *side) messages() (n int) {
	for _, ev := range s.sent {
		if _, ok := ev.(*protocol.Message); ok {
			n++
		}
	}
	return n
}

// SendIfRoom implements protocol.WaitableTransport.
func (s *side) SendIfRoom(ev protocol.Event) (room <-chan struct{}, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := ev.(*protocol.Message); ok && s.Queue > 0 && s.messages() >= s.Queue {
		if s.room == nil {
			s.room = make(chan struct{})
		}
		return s.room, nil
	}
	s.queue(ev)
	return nil, nil
}

// release wakes those who wait for room. s.mu is held.
func (s *side) release() {
	if s.room != nil {
		close(s.room)
		s.room = nil
	}
}
