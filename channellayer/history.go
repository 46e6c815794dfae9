package channellayer

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"path"
	"sync"
	"time"
)

// A History gives the groups whose names match a pattern a history: see [Config].
type History struct {
	// Pattern is matched against the whole name of a group, as that of a [Limit] is against a channel's. It should match the groups that need a history and no others, such as
	// those in which the package presence talks, whose messages nobody wants to keep.
	Pattern string
	// Size is how many messages of each such group are kept. It must be positive.
	Size int
	// Age is how long each is kept, at most. It must be a second at least. A group without members is forgotten altogether when nothing has been said for ten times as long.
	Age time.Duration
}

// history is a hub's side of the logs: which groups have one, and who reads what is missing.
type history struct {
	hub    *Hub
	rules  []historyRule
	memory *MemoryLog // nil with a broker
	log    appender   // nil without rules
	ctx    context.Context
	stop   context.CancelFunc

	mu      sync.Mutex
	behind  []*feed // to be caught up, the first first
	feeds   watched
	readers int // goroutines that do so
	closed  bool
	ended   sync.WaitGroup
}

// An appender is what hubs need of a [Log], and a [MemoryLog].
type appender interface {
	Append(ctx context.Context, subject string, keep Retention, r Record) (Position, error)
	Read(ctx context.Context, subject string, keep Retention, from uint64, limit int) (Page, error)
}

type historyRule struct {
	pattern string // in the form of [globForm]
	keep    Retention
}

const (
	readPage    = 100 // entries in one reading
	mostReaders = 32  // readings at a time, when many groups come back at once
)

// newHistory returns the history that a configuration asks for, or an error that names what is wrong with it.
func newHistory(h *Hub) (*history, error) {
	hist := &history{hub: h}
	hist.ctx, hist.stop = context.WithCancel(context.Background())
	for i, r := range h.config.History {
		glob := globForm(r.Pattern)
		if _, err := path.Match(glob, ""); err != nil || glob == "" {
			return nil, fmt.Errorf("channellayer: config: History[%d]: pattern %q is malformed; expected a group name with *, ? and [a-z]", i, r.Pattern)
		}
		if r.Size <= 0 || r.Age < time.Second {
			return nil, fmt.Errorf("channellayer: config: History[%d]: pattern %q has size %d and age %v, expected at least 1 and a second", i, r.Pattern, r.Size, r.Age)
		}
		hist.rules = append(hist.rules, historyRule{glob, Retention{r.Size, r.Age}})
	}
	if len(hist.rules) == 0 {
		return hist, nil
	}
	if h.config.Broker == nil {
		hist.memory = NewMemoryLog(hist.appended)
		hist.log = hist.memory
		return hist, nil
	}
	log, ok := h.config.Broker.(Log)
	if !ok {
		return nil, fmt.Errorf("channellayer: config: History asks for a log, but %T keeps none; expected a broker that is a channellayer.Log", h.config.Broker)
	}
	hist.log = log
	if p, ok := log.(Preparer); ok {
		p.Prepare(hist.retentions())
	}
	return hist, nil
}

// retentions returns those of all rules.
func (h *history) retentions() []Retention {
	all := make([]Retention, len(h.rules))
	for i, r := range h.rules {
		all[i] = r.keep
	}
	return all
}

// of returns how much of a group's history is kept, and false for a group without.
func (h *history) of(group string) (Retention, bool) {
	if len(h.rules) == 0 || h.hub.local(group) {
		return Retention{}, false
	}
	name := globForm(group)
	for _, r := range h.rules {
		if ok, _ := path.Match(r.pattern, name); ok { // the pattern was checked by New
			return r.keep, true
		}
	}
	return Retention{}, false
}

// subject returns the subject of a group.
func (h *history) subject(group string) string {
	if _, ok := h.of(group); ok {
		return logSubject + Token(group)
	}
	return groupSubject + Token(group)
}

// send appends a message to the log of a group, from where it comes to members everywhere, those in this process included.
func (h *history) send(ctx context.Context, group string, keep Retention, m *Message) (Delivery, error) {
	subject := logSubject + Token(group)
	r := Record{Key: recordKey(m.Header.Get(HeaderIdempotencyKey)), Tag: rand.Text()[:tagLength], Envelope: h.hub.seal("", m)}
	if u := h.hub.uplink; u != nil && !u.there.Load() {
		u.mu.Lock()
		defer u.mu.Unlock()
		return Delivery{}, h.unsent(fmt.Errorf("%w: %w", ErrBrokerDown, u.cause))
	}
	at, err := h.log.Append(ctx, subject, keep, r)
	if h.memory != nil {
		h.deliver(subject)
	}
	switch {
	case err == nil:
		return Delivery{Position: at}, nil
	case errors.Is(err, ErrTooLarge), errors.Is(err, ErrClosed):
		return Delivery{}, h.unsent(err)
	}
	return Delivery{}, h.unsent(fmt.Errorf("%w: it may be stored or not: %w", ErrBrokerDown, err))
}

func (h *history) unsent(err error) error {
	h.hub.counts.unpublished.Add(1)
	return fmt.Errorf("%w: %w", ErrUnconfirmed, err)
}

// recordKey makes a key that every broker takes of what an application calls a send.
func recordKey(key string) string {
	if key == "" {
		return ""
	}
	sum := sha256.Sum256([]byte(key))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// appended is called by the log in memory, with its lock held.
func (h *history) appended(subject string, e Entry) {
	if f := h.feed(subject); f != nil {
		f.offer(e)
	}
}

// deliver goes on with the delivery of what was offered to the feed of a subject.
func (h *history) deliver(subject string) {
	if f := h.feed(subject); f != nil {
		f.run()
	}
}

// feed returns the feed of a subject with members here, or nil.
func (h *history) feed(subject string) *feed {
	group, err := ParseToken(subject[len(logSubject):])
	if err != nil {
		return nil
	}
	return h.hub.groups.feed(group)
}

// confirmed has the feeds of groups whose subjects are subscribed to, perhaps for the second time, read what they have missed.
func (h *history) confirmed(links []*link) {
	if len(h.rules) == 0 {
		return
	}
	for _, l := range links {
		if f := h.hub.groups.feed(l.name); f != nil {
			f.follow()
		}
	}
}

// catchUp has a feed that the caller owns caught up. In memory that is done at once, and the caller goes on with true; otherwise by a goroutine that is the owner from now on.
func (h *history) catchUp(f *feed) bool {
	if h.memory != nil {
		return f.catchUp(h.ctx)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return false
	}
	h.behind = append(h.behind, f)
	if h.readers < mostReaders {
		h.readers++
		h.ended.Go(h.read)
	}
	return false
}

// read catches up with feed after feed, until there are no more.
func (h *history) read() {
	for f := h.next(); f != nil; f = h.next() {
		if f.catchUp(h.ctx) {
			f.work()
		}
	}
}

func (h *history) next() *feed {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.behind) == 0 || h.closed {
		h.behind = nil
		h.readers--
		return nil
	}
	f := h.behind[0]
	h.behind[0] = nil
	h.behind = h.behind[1:]
	return f
}

// end stops all reading; wait returns when nobody reads.
func (h *history) end() {
	h.mu.Lock()
	h.closed = true
	if h.feeds.timer != nil {
		h.feeds.timer.Stop()
	}
	h.mu.Unlock()
	h.stop()
	if h.memory != nil {
		h.memory.Close()
	}
}

func (h *history) wait() { h.ended.Wait() }
