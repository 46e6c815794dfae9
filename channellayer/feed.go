package channellayer

import (
	"container/list"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// A feed is what a node knows of the log of one group that has members here: which entry it delivered last, and what has come since. Whatever comes, and comes twice or not at all,
// it delivers the log's entries in the log's order: what is not the next one makes it read the log.
//
// One goroutine at a time owns a feed and delivers, with no lock held; others only offer entries. It is whoever finds it without an owner, and a reader of [history] where the log
// has to be asked. The lock is a last one, as that of [history] is.
type feed struct {
	hub     *Hub
	name    string // of the group
	subject string
	keep    Retention
	known   chan struct{} // closed when last is known for the first time
	over    atomic.Bool   // the group has no more members here

	watched *list.Element // guarded by history.mu
	due     time.Time     // when it is to be looked at; guarded by history.mu

	mu       sync.Mutex
	owned    bool
	stale    bool     // the log has to be read before anything is delivered
	started  bool     // last is known
	last     Position // of the entry that was delivered last, or is being delivered
	count    uint64   // entries and gaps delivered: unlike offsets they start with the feed, and never go back
	pending  []Entry
	bytes    int        // of the envelopes that are pending
	recent   []Position // read from the log, not yet seen to come as well
	failures int        // readings in a row
}

var errPatience = errors.New("channellayer: the log did not answer in time")

// How many entries, and how many bytes of them, wait for their delivery, or for what is missing before them; more are read from the log when it is their turn.
const (
	feedBuffer = 256
	feedBytes  = 1 << 20
)

func newFeed(h *Hub, group string, keep Retention) *feed {
	f := &feed{hub: h, name: group, subject: logSubject + Token(group), keep: keep, known: make(chan struct{})}
	h.history.watch(f)
	return f
}

// offer adds an entry that came. Run has to follow.
func (f *feed) offer(e Entry) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.pending) >= feedBuffer || len(f.pending) > 0 && f.bytes+len(e.Envelope) > feedBytes {
		f.stale = true // the log has it
		return
	}
	f.pending = append(f.pending, e)
	f.bytes += len(e.Envelope)
}

// follow has the log read from where the feed is, because something may be missing.
func (f *feed) follow() {
	f.mu.Lock()
	f.stale = true
	f.mu.Unlock()
	f.run()
}

// run delivers what there is, unless somebody does so already.
func (f *feed) run() {
	f.mu.Lock()
	idle := f.owned || f.over.Load() || !f.stale && len(f.pending) == 0
	f.owned = f.owned || !idle
	f.mu.Unlock()
	if !idle {
		f.work()
	}
}

// work is what the owner does, until there is nothing more or a reader has become the owner.
func (f *feed) work() {
	for {
		t, read := f.next()
		switch {
		case read:
			if !f.hub.history.catchUp(f) {
				return
			}
		case t.number == 0:
			return
		default:
			f.hub.deliver(f, t)
		}
	}
}

// A turn is an entry that is being delivered.
type turn struct {
	Entry
	before Position // of what was delivered before it
	number uint64   // greater by one with each delivery, from 1 on
}

// next returns the next entry to deliver; or says that the log has to be read first; or returns no turn if there is nothing more, and the caller is the owner no longer.
func (f *feed) next() (t turn, read bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for {
		if f.stale {
			return turn{}, true
		}
		if len(f.pending) == 0 || !f.started {
			f.owned = false
			return turn{}, false
		}
		e := f.pending[0]
		f.pending[0] = Entry{}
		f.bytes -= len(e.Envelope)
		if f.pending = f.pending[1:]; len(f.pending) == 0 {
			f.pending = nil
		}
		switch {
		case e.Epoch == f.last.Epoch && e.Previous == f.last.Offset && e.Offset > f.last.Offset:
			f.recent = nil // entries come in order, so nothing that was read comes any more
			return f.turn(e), false
		case e.Position == f.last || slices.Contains(f.recent, e.Position):
		default:
			f.stale = true
		}
	}
}

// turn notes that an entry is being delivered. The caller holds the lock.
func (f *feed) turn(e Entry) turn {
	t := turn{Entry: e, before: f.last}
	if t.before.Tag == "" && t.before.Offset > 0 {
		t.before = Position{} // where a trimmed log begins: nobody has been there
	}
	t.number = f.advance(e.Position)
	return t
}

// advance notes that something is being delivered that is followed by what comes after this position. The caller holds the lock.
func (f *feed) advance(to Position) (number uint64) {
	f.last = to
	f.count++
	return f.count
}

// catchUp delivers what the log has behind the last entry that was delivered. It returns false if the log cannot be read; the caller is the owner no longer then.
func (f *feed) catchUp(ctx context.Context) bool {
	for anew := false; ; {
		last, started := f.begin()
		page, err := f.read(ctx, last.Offset, started)
		switch {
		case err != nil:
			f.retry()
			return false
		case f.over.Load():
			f.abandon()
			return false
		case !started:
			f.start(page.Top)
			return true
		}
		entries, gap := page.after(last)
		switch {
		case gap == GapTrimmed && anew: // members know already
			f.settle(page)
		case gap != GapNone:
			f.skip(gap, page)
		}
		for _, e := range entries {
			f.hub.deliver(f, f.repeatable(e))
		}
		if anew = gap == GapEpoch; !anew && !page.More {
			return true
		}
	}
}

func (f *feed) begin() (last Position, started bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.stale = false
	return f.last, f.started
}

func (f *feed) read(ctx context.Context, from uint64, started bool) (Page, error) {
	ctx, cancel := context.WithTimeout(ctx, brokerPatience)
	defer cancel()
	limit := 0
	if started {
		limit = readPage
	}
	return f.hub.history.log.Read(ctx, f.subject, f.keep, from, limit)
}

// start makes the log's end the place from where members get all that comes.
func (f *feed) start(top Position) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.failures = 0
	if !f.started {
		f.last, f.started = top, true
		close(f.known)
	}
}

// end says that there are no more members. Those who still wait for the beginning need not.
func (f *feed) end() {
	f.over.Store(true)
	f.hub.history.unwatch(f)
	f.start(Position{})
}

// repeatable is turn for an entry that was read, and may come once more by itself.
func (f *feed) repeatable(e Entry) turn {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.failures = 0
	if len(f.recent) >= feedBuffer {
		f.recent = slices.Delete(f.recent, 0, feedBuffer/2)
	}
	f.recent = append(f.recent, e.Position)
	return f.turn(e)
}

// skip tells members that there is a gap. A log that has begun anew is read from its beginning, and one that has been trimmed goes on with what it has. Of a log that has lost its end nobody
// knows what was delivered, so it goes on with what comes next.
func (f *feed) skip(gap Gap, page Page) {
	to := page.Top
	switch {
	case gap == GapEpoch:
		to = Position{Epoch: page.Top.Epoch}
	case gap == GapTrimmed && len(page.Entries) > 0:
		to = Position{Epoch: page.Top.Epoch, Offset: page.Entries[0].Previous}
	}
	f.mu.Lock()
	n := f.advance(to)
	f.recent = nil
	f.mu.Unlock()
	f.hub.tellGap(f, LayerEvent{Up: true, Since: time.Now(), Group: f.name, Gap: gap}, n)
}

// settle goes on with what there is of a log that has begun anew.
func (f *feed) settle(page Page) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(page.Entries) == 0 {
		f.last = page.Top
	}
}

// retry gives up for now. The next entry or the broker's return has it read again, and so does a timer if the broker is there.
func (f *feed) retry() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.stale, f.owned = true, false
	pause := min(retryFirst<<min(f.failures, 16), retryMost)
	f.failures++
	if u := f.hub.uplink; u != nil && u.there.Load() && !f.over.Load() {
		time.AfterFunc(pause, f.run)
	}
}

func (f *feed) abandon() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.owned, f.pending, f.bytes, f.recent = false, nil, 0, nil
}

// place returns up to which entry the feed has delivered, or is about to, and that delivery's number.
func (f *feed) place() (Position, uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.last, f.count
}

// settled waits until a member of a group with history gets all that is sent from now on.
func (s *Subscription) settled(ctx context.Context, group string) error {
	h := s.class.hub
	f := h.groups.feed(group)
	if f == nil {
		return nil
	}
	select {
	case <-f.known:
		return nil
	default:
		f.follow()
	}
	gone := context.Background()
	if h.uplink != nil {
		gone = h.uplink.presence()
	}
	ctx, cancel := context.WithTimeoutCause(ctx, brokerPatience, errPatience)
	defer cancel()
	select {
	case <-f.known:
		return nil
	case <-gone.Done():
		return fmt.Errorf("%w: %w", ErrBrokerDown, context.Cause(gone))
	case <-ctx.Done():
		if errors.Is(context.Cause(ctx), errPatience) {
			return fmt.Errorf("%w: the history of group %q cannot be read", ErrBrokerDown, group)
		}
		return ctx.Err()
	}
}
