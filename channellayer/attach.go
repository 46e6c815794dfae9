package channellayer

// A Reader is a connection that reads a subscription, and lives as long as it.
type Reader interface {
	// Wake is called each time that the queue stops being empty, as the wake function of [Hub.Subscribe] is.
	Wake()
	// ChannelPrefix returns what the name of its channel begins with, as [Hub.NewChannel] takes it. It is called at most once, when the name is asked for first, with a lock
	// held: it returns what is known already.
	ChannelPrefix() string
}

// Attach makes a subscription for one connection, whose channel has no name until somebody asks for it with [Subscription.Name]: most are only in groups. The limits
// are those of a channel whose name begins with the reader's prefix. The error is [ErrClosed]. Close the subscription when done.
func (h *Hub) Attach(r Reader) (*Subscription, error) {
	c := h.classes[0]
	if len(h.classes) > 1 {
		c = h.classOf(h.NewChannel(r.ChannelPrefix()))
	}
	s := newSubscription(c, r)
	return s, h.nameless.add(s)
}

// named is the Reader of a channel whose name people agreed on.
type named struct {
	name  string
	wake  func()
	ready chan struct{} // what Receive waits on, if there is no wake
}

// Wake implements Reader.
func (n *named) Wake() {
	if n.wake == nil {
		signal(n.ready)
		return
	}
	n.wake()
}

// ChannelPrefix implements Reader. It is not called.
func (*named) ChannelPrefix() string { return "" }

// Name returns the name of the channel. That of a subscription from [Hub.Attach] is made when it is asked for first; it is "" if it was not until the end.
func (s *Subscription) Name() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.isNamed():
		return s.key()
	case s.over():
		return ""
	}
	h, r := s.class.hub, s.others()
	r.name = h.NewChannel(s.reader.ChannelPrefix())
	if err := h.channels.add(s, func() {}); err != nil { // nothing waits for a name that nobody knew
		r.name = "" // the hub is closed
	}
	h.nameless.remove(s)
	return r.name
}

// isNamed reports whether the channel has a name. Its callers hold s.mu.
func (s *Subscription) isNamed() bool {
	_, ok := s.reader.(*named)
	return ok || s.rare != nil && s.rare.name != ""
}

// label returns the channel's name for whoever is told of a lost message. Where nobody is told, none is made.
func (s *Subscription) label() string {
	if s.class.hub.config.Observer == nil {
		return ""
	}
	return s.Name()
}
