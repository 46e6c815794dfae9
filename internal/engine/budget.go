package engine

import (
	"cmp"
	"slices"
	"sync"

	"github.com/portico-go/portico/protocol"
)

// chargeStep is how exactly a budget knows what waits for one peer.
const chargeStep = smallBuffer

// A Budget bounds the bytes that wait for all peers of a node together. When there
// are more, the peers for which bytes wait longest are closed as slow, without a
// word, until there is an eighth of room again. What leaves at once does not count,
// nor do less than 4 KiB for one peer.
type Budget struct {
	limit int

	mu       sync.Mutex
	waiting  int
	shedding bool
	streams  map[*Stream]struct{} // for which something counts
}

// NewBudget returns a budget of limit bytes; 0 is without bounds.
func NewBudget(limit int) *Budget {
	return &Budget{limit: limit, streams: make(map[*Stream]struct{})}
}

// Waiting returns how many bytes count.
func (b *Budget) Waiting() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.waiting
}

// charge says that s has had was bytes waiting that count, and now has is. The
// stream's lock is held.
func (b *Budget) charge(s *Stream, was, is int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.waiting += is - was
	if is > 0 {
		b.streams[s] = struct{}{}
	} else {
		delete(b.streams, s)
	}
	if b.limit > 0 && b.waiting > b.limit && !b.shedding {
		b.shedding = true
		go b.shed() // not here: locks are held
	}
}

// shed closes the slowest until there is room again.
func (b *Budget) shed() {
	for {
		b.mu.Lock()
		excess := b.waiting - (b.limit - b.limit/8)
		if b.waiting <= b.limit {
			excess = 0
		}
		streams := make([]*Stream, 0, len(b.streams))
		for s := range b.streams {
			streams = append(streams, s)
		}
		b.shedding = excess > 0 && len(streams) > 0
		again := b.shedding
		b.mu.Unlock()
		if !again {
			return
		}
		shedSlowest(streams, excess)
	}
}

// A debtor is a stream as it was when the budget was looked at.
type debtor struct {
	stream *Stream
	since  moment
	bytes  int
}

func shedSlowest(streams []*Stream, excess int) {
	debtors := make([]debtor, 0, len(streams))
	for _, s := range streams {
		s.mu.Lock()
		if o := s.out; o != nil {
			debtors = append(debtors, debtor{s, o.since, o.charged})
		}
		s.mu.Unlock()
	}
	slices.SortFunc(debtors, func(a, b debtor) int {
		return cmp.Or(cmp.Compare(a.since, b.since), cmp.Compare(b.bytes, a.bytes))
	})
	for _, d := range debtors {
		if excess <= 0 {
			return
		}
		excess -= d.bytes
		d.stream.observeDrops(1, protocol.ErrSlow)
		d.stream.abort(protocol.ErrSlow)
	}
}
