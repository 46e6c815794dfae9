package engine

import "github.com/portico-go/portico/protocol"

// A mark is where a message begins that waits behind what is being written, or for
// Connect to return.
type mark struct {
	key      string // of KeepLatest, or ""
	at       int
	queued   moment
	overflow protocol.Overflow
	gone     bool // it was dropped: its bytes go with the next tidying
}

// A backlog knows the messages in outgoing.next, if there is anything to know: it is
// empty while all that was queued leaves at once.
type backlog struct {
	marks  []mark
	keys   map[string]int // the marks that have keys
	gone   int            // bytes of messages that were dropped
	oldest int            // before this mark none can be dropped
}

// tidyAt is how many bytes must be gone before it is worth moving what is behind.
const tidyAt = smallBuffer

// admit reports whether there is room for a message of n bytes, which is about to be
// queued, and makes some by what its Overflow says. An error says that the message must
// not be lost. s.mu is held.
func (s *Stream) admit(ev protocol.Event, n int, as urgency) (fits bool, err error) {
	o := s.out
	excess := o.waiting() + n - s.engine.cfg.MaxQueued
	if o.waiting() == 0 || as >= answers {
		excess = 0 // it is taken as large as it is
	}
	if excess <= 0 && len(o.flight) == 0 && !s.held {
		return true, nil // it leaves at once
	}
	overflow, key := s.overflow(ev, as)
	if i, waits := o.keys[key]; waits && key != "" {
		excess -= o.drop(i)
		s.lose(1, protocol.ErrReplaced)
	}
	if excess > 0 && overflow == protocol.DropOldest {
		dropped, bytes := o.dropOldest(excess)
		excess -= bytes
		s.lose(dropped, protocol.ErrSlow)
	}
	switch {
	case excess <= 0:
		m := mark{key: key, at: len(o.next), overflow: overflow}
		if !s.held { // else it is not for the peer that it waits
			m.queued = s.engine.now()
		}
		o.mark(m)
		return true, nil
	case overflow == protocol.DropNewest || overflow == protocol.DropOldest:
		s.lose(1, protocol.ErrSlow)
		return false, nil
	}
	return false, errFull
}

// overflow returns what becomes of ev if the peer is slow, and the key with which it
// takes part in KeepLatest. Signs of life are not dropped for what comes later.
func (s *Stream) overflow(ev protocol.Event, as urgency) (o protocol.Overflow, key string) {
	if as != ordinary {
		return protocol.CloseSlow, ""
	}
	o = s.life.Conn().Overflow()
	switch ev := ev.(type) {
	case *protocol.Message:
		if ev.Overflow != protocol.DefaultOverflow {
			o = ev.Overflow
		}
		if o == protocol.KeepLatest {
			key = ev.Key
		}
	case *protocol.Ping, *protocol.Pong:
		if o == protocol.DropOldest {
			o = protocol.DropNewest
		}
	}
	return o, key
}

// lose tells the observer that n messages do not arrive. s.mu is held.
func (s *Stream) lose(n int, why error) {
	if n > 0 && s.engine.cfg.Settings.Observer != nil {
		go s.observeDrops(n, why) // not here: locks are held
	}
}

// observeDrops tells the observer that n messages do not arrive. No lock is held.
func (s *Stream) observeDrops(n int, why error) {
	if o := s.engine.cfg.Settings.Observer; o != nil {
		for range n {
			o.Observe(protocol.Observation{Kind: protocol.Dropped, Conn: s.life.Conn(), Err: why})
		}
	}
}

// mark remembers a message whose bytes are about to be queued.
func (o *outgoing) mark(m mark) {
	if m.key != "" {
		if o.keys == nil {
			o.keys = make(map[string]int)
		}
		o.keys[m.key] = len(o.marks)
	}
	o.marks = append(o.marks, m)
}

// drop drops a message that waits, and returns how many bytes of room that makes.
func (o *outgoing) drop(i int) int {
	m := &o.marks[i]
	m.gone = true
	if m.key != "" {
		delete(o.keys, m.key)
		m.key = ""
	}
	n := o.end(i) - m.at
	o.gone += n
	return n
}

// end returns where a message ends.
func (o *outgoing) end(i int) int {
	if i+1 < len(o.marks) {
		return o.marks[i+1].at
	}
	return len(o.next)
}

// dropOldest drops the messages that wait longest of those that may be dropped for
// others, until n bytes are gone; nothing, if there are not so many.
func (o *outgoing) dropOldest(n int) (dropped, bytes int) {
	i := o.oldest
	for ; i < len(o.marks) && bytes < n; i++ {
		if m := o.marks[i]; !m.gone && m.overflow == protocol.DropOldest {
			bytes += o.end(i) - m.at
		}
	}
	if bytes < n {
		return 0, 0
	}
	for ; o.oldest < i; o.oldest++ {
		if m := o.marks[o.oldest]; !m.gone && m.overflow == protocol.DropOldest {
			o.drop(o.oldest)
			dropped++
		}
	}
	return dropped, bytes
}

// tidyIfWorth tidies when most of what was queued is gone, so that a message is moved
// about as often as one is dropped.
func (o *outgoing) tidyIfWorth() {
	if o.gone > tidyAt && o.gone > len(o.next)/2 {
		o.tidy()
	}
}

// tidy takes the bytes of what was dropped out of the queue.
func (o *outgoing) tidy() {
	if o.gone == 0 {
		return
	}
	next, marks := o.next[:0], o.marks[:0]
	for i, m := range o.marks {
		if m.gone {
			continue
		}
		from, to := m.at, o.end(i)
		m.at = len(next)
		next = append(next, o.next[from:to]...)
		if m.key != "" {
			o.keys[m.key] = len(marks)
		}
		marks = append(marks, m)
	}
	clear(o.marks[len(marks):])
	o.next, o.marks, o.gone, o.oldest = next, marks, 0, 0
}

// begin is called when what was queued begins to be written. It returns since when
// that waits, or 0 if it does not.
func (o *outgoing) begin() (since moment) {
	o.tidy()
	if len(o.marks) > 0 {
		since = o.marks[0].queued
	}
	o.backlog = o.emptied()
	return since
}

// emptied returns an empty backlog with the memory of this one.
func (b *backlog) emptied() backlog {
	clear(b.marks)
	clear(b.keys)
	if cap(b.marks) > 1<<10 {
		return backlog{}
	}
	return backlog{marks: b.marks[:0], keys: b.keys}
}
