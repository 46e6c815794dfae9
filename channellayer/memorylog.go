package channellayer

import (
	"context"
	"crypto/rand"
	"sync"
	"time"
)

// A MemoryLog keeps the history of groups in this process: a hub without a broker has one. Its methods are those of a [Log], and wait for nothing.
//
// It holds what the retentions allow and the idempotency keys of the last two minutes, and forgets a group in which nothing was said for long by itself. Close it when done.
type MemoryLog struct {
	deliver func(subject string, e Entry)

	mu     sync.Mutex
	logs   map[string]*memoryHistory
	timer  *time.Timer // nil while there are no logs
	closed bool
}

// A memoryHistory is the log of one subject.
type memoryHistory struct {
	keep    Retention
	top     Position
	used    time.Time    // when it was appended to or read
	entries []datedEntry // the oldest first
	keys    map[string]datedPosition
}

type datedEntry struct {
	Entry
	at time.Time
}

type datedPosition struct {
	Position
	at time.Time
}

// sweepEvery is how often a MemoryLog looks for what is too old.
const sweepEvery = 10 * time.Second

// NewMemoryLog returns an empty log. Deliver is called with each entry that is appended, in order, before Append returns and with the log's lock held: it must not wait, nor call the log.
// The envelope that it gets is shared, and read-only.
func NewMemoryLog(deliver func(subject string, e Entry)) *MemoryLog {
	return &MemoryLog{deliver: deliver, logs: map[string]*memoryHistory{}}
}

// Append does what [Log] says.
func (l *MemoryLog) Append(ctx context.Context, subject string, keep Retention, r Record) (Position, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.usable(ctx); err != nil {
		return Position{}, err
	}
	now := time.Now()
	h := l.open(subject, keep)
	if seen, ok := h.keys[r.Key]; ok && now.Sub(seen.at) < DedupWindow {
		return seen.Position, nil
	}
	e := Entry{Position: Position{Epoch: h.top.Epoch, Offset: h.top.Offset + 1, Tag: r.Tag}, Envelope: r.Envelope}
	e.Previous, e.PreviousTag = h.top.Offset, h.top.Tag
	h.top = e.Position
	h.entries = append(h.entries, datedEntry{e, now})
	h.trim(now)
	if r.Key != "" {
		if h.keys == nil {
			h.keys = map[string]datedPosition{}
		}
		h.keys[r.Key] = datedPosition{e.Position, now}
	}
	l.deliver(subject, e)
	return e.Position, nil
}

// Read does what [Log] says.
func (l *MemoryLog) Read(ctx context.Context, subject string, keep Retention, from uint64, limit int) (Page, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.usable(ctx); err != nil {
		return Page{}, err
	}
	h := l.open(subject, keep)
	h.trim(time.Now())
	page := Page{Top: h.top}
	if limit == 0 || len(h.entries) == 0 {
		return page, nil
	}
	skip := 0
	if first := h.entries[0].Offset; from > first {
		skip = int(min(from-first, uint64(len(h.entries)))) // offsets have no gaps here
	}
	end := min(len(h.entries), skip+limit)
	for _, e := range h.entries[skip:end] {
		page.Entries = append(page.Entries, e.Entry)
	}
	page.More = end < len(h.entries)
	return page, nil
}

// Close forgets everything. Later calls return [ErrClosed].
func (l *MemoryLog) Close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	clear(l.logs)
	if l.timer != nil {
		l.timer.Stop()
	}
}

func (l *MemoryLog) usable(ctx context.Context) error {
	if l.closed {
		return ErrClosed
	}
	return ctx.Err()
}

// open returns the log of a subject, which is made if need be.
func (l *MemoryLog) open(subject string, keep Retention) *memoryHistory {
	h := l.logs[subject]
	if h == nil {
		h = &memoryHistory{top: Position{Epoch: rand.Text()[:tagLength]}}
		l.logs[subject] = h
		if len(l.logs) == 1 {
			l.arm()
		}
	}
	h.keep, h.used = keep, time.Now()
	return h
}

// trim drops the entries that are too many or too old.
func (h *memoryHistory) trim(now time.Time) {
	drop := max(0, len(h.entries)-h.keep.Size)
	for drop < len(h.entries) && now.Sub(h.entries[drop].at) >= h.keep.Age {
		drop++
	}
	clear(h.entries[:drop])
	if h.entries = h.entries[drop:]; len(h.entries) == 0 {
		h.entries = nil
	}
}

func (l *MemoryLog) arm() {
	if l.timer == nil {
		l.timer = time.AfterFunc(sweepEvery, l.sweep)
	} else {
		l.timer.Reset(sweepEvery)
	}
}

// sweep drops what is too old in the logs that nobody uses.
func (l *MemoryLog) sweep() {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	for subject, h := range l.logs {
		h.trim(now)
		for key, p := range h.keys {
			if now.Sub(p.at) >= DedupWindow {
				delete(h.keys, key)
			}
		}
		if now.Sub(h.used) >= h.keep.TopAge() {
			delete(l.logs, subject)
		}
	}
	if len(l.logs) > 0 && !l.closed {
		l.arm()
	}
}

func (l *MemoryLog) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.logs)
}
