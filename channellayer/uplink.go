package channellayer

import (
	"context"
	"fmt"
	"hash/maphash"
	"sync"
	"sync/atomic"
	"time"
)

// An uplink is a hub's side of its broker: which subjects are subscribed to, and whether the broker is there. It is the broker's Receiver.
// Its lock comes after all others of the hub; nothing is called with it held.
type uplink struct {
	hub    *Hub
	broker Broker
	seed   maphash.Seed
	kick   chan struct{} // there is something to do for run
	ended  chan struct{} // run has returned
	there  atomic.Bool   // connected, for those who publish

	mu        sync.Mutex
	closed    bool
	connected bool
	session   uint64 // counts the broker's comings, so that what was subscribed in an earlier one is known to be void
	present   context.Context
	leave     context.CancelCauseFunc // ends present, which is the session's context
	since     time.Time               // when the broker went
	cause     error                   // why
	gone      bool                    // it has gone, and members do not know yet
	told      bool                    // members know that it is away
	links     table[*link]
	dirty     []*link   // to be subscribed to, the oldest first
	idle      []*link   // without members, lingering, the oldest first
	renewing  int       // links that were subscribed to before the broker went, and are not yet again
	retry     time.Time // no subscribing before that
	failures  int       // in a row
}

// brokerPatience is how long New waits for the broker's first answer, and how long each Subscribe and Unsubscribe may take.
const brokerPatience = 5 * time.Second

// startUplink connects a hub with its broker.
func startUplink(h *Hub, b Broker) (*uplink, error) {
	u := &uplink{
		hub: h, broker: b, seed: maphash.MakeSeed(),
		kick: make(chan struct{}, 1), ended: make(chan struct{}),
		since: time.Now(), cause: errNotYet,
	}
	u.present, u.leave = context.WithCancelCause(context.Background())
	u.leave(errNotYet)
	u.want("")
	go u.run()
	ctx, cancel := context.WithTimeout(context.Background(), brokerPatience)
	defer cancel()
	if err := b.Start(ctx, u); err != nil {
		_ = u.close() // the other error is the one to know
		return nil, fmt.Errorf("channellayer: start the broker: %w", err)
	}
	_ = u.confirmed(ctx, "") // a broker that is away is no error: it may come
	return u, nil
}

// close disconnects, and waits for the broker and for run.
func (u *uplink) close() error {
	u.mu.Lock()
	u.closed, u.connected = true, false
	u.there.Store(false)
	u.leave(ErrClosed)
	u.links, u.dirty, u.idle = table[*link]{}, nil, nil
	u.mu.Unlock()
	signal(u.kick)
	err := u.broker.Close()
	<-u.ended
	return err
}

// Up implements Receiver. Every link is subscribed to anew; nobody who waited in the session before is kept waiting.
func (u *uplink) Up() {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.closed {
		return
	}
	if u.connected {
		u.fall(errGap)
	}
	u.session++
	u.connected = true
	u.there.Store(true)
	u.present, u.leave = context.WithCancelCause(context.Background())
	u.retry, u.failures = time.Time{}, 0
	u.renewing = 0
	u.links.each(func(l *link) {
		l.renewing = true
		u.renewing++
		u.consider(l)
	})
	signal(u.kick)
}

// Down implements Receiver.
func (u *uplink) Down(err error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.closed {
		return
	}
	if u.connected {
		u.fall(err)
	} else {
		u.cause = err
		u.told = u.told || u.session == 0 // whoever joins before the first Up learns it from Join
	}
	signal(u.kick)
}

// fall notes that the broker has gone. What nobody wants is forgotten, so that a long absence piles nothing up.
func (u *uplink) fall(err error) {
	if !u.gone && !u.told {
		u.since = time.Now()
	}
	u.connected, u.gone = false, true
	u.there.Store(false)
	u.cause = err
	u.leave(err)
	dirty, idle := u.dirty, u.idle
	u.dirty, u.idle = nil, nil
	for _, l := range dirty {
		l.queued = false
	}
	for _, l := range idle {
		l.lingering = false
	}
	for _, l := range append(dirty, idle...) {
		u.consider(l)
	}
}

// confirmed waits until the broker has confirmed that it delivers a group's messages to this node. An error says that the membership is of this
// process only for now; it matches ErrBrokerDown, or is the context's.
func (u *uplink) confirmed(ctx context.Context, name string) error {
	if u.hub.local(name) {
		return nil
	}
	u.mu.Lock()
	l, _ := u.find(name)
	if l == nil || u.subscribed(l) || !u.connected {
		defer u.mu.Unlock()
		return u.standing(l)
	}
	if l.wait == nil {
		l.wait = make(chan struct{})
	}
	wait, present := l.wait, u.present
	u.mu.Unlock()
	select {
	case <-wait:
	case <-present.Done():
	case <-ctx.Done():
		return ctx.Err()
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.standing(l)
}

func (u *uplink) subscribed(l *link) bool { return u.connected && l.session == u.session }

// doubts reports whether the broker may deliver a group's messages though nobody can count on it.
func (u *uplink) doubts(l *link) bool { return u.connected && l.doubtful == u.session }

// standing returns nil for a link that the broker has confirmed.
func (u *uplink) standing(l *link) error {
	switch {
	case u.closed:
		return ErrClosed
	case !u.connected:
		return fmt.Errorf("%w: only members in this process are reached until it is back: %w", ErrBrokerDown, u.cause)
	case l != nil && l.wanted && !u.subscribed(l):
		return fmt.Errorf("%w: it did not confirm the subscription, which is tried again: %w", ErrBrokerDown, u.cause)
	}
	return nil
}

// find returns the link of that name, or nil, and the hash of the name.
func (u *uplink) find(name string) (*link, uint64) {
	hash := maphash.String(u.seed, name)
	return u.links.get(hash, name), hash
}

// presence returns a context that ends when the broker goes.
func (u *uplink) presence() context.Context {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.present
}
