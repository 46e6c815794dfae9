package channellayer

import "slices"

// An audience is those members of a group, of this hub, that a message is for.
type audience struct {
	except []*Subscription // they are few: comparing their pointers with each member's is cheaper than comparing names
	where  *Condition      // nil: everybody
}

// audience reads whom a message is for off its header.
func (h *Hub) audience(m *Message) (audience, error) {
	var a audience
	if len(m.Header) == 0 {
		return a, nil
	}
	for _, f := range m.Header {
		if f.Key == HeaderExcept {
			if s := h.channels.get(f.Value); s != nil {
				a.except = append(a.except, s)
			}
		}
	}
	var err error
	a.where, err = m.Header.where()
	return a, err
}

// everybody tells that nobody is left out.
func (a *audience) everybody() bool { return len(a.except) == 0 && a.where == nil }

// includes tells whether the message is for a member.
func (a *audience) includes(s *Subscription) bool {
	return !slices.Contains(a.except, s) && (a.where == nil || a.where.holds(s.metadata()))
}
