package channellayer

import (
	"container/list"
	"time"
)

// watchEvery is how often a feed's log is read although nothing seems to be missing. It finds a message that was the last one and got lost on its way, and keeps a log from being forgotten while
// its group has members. Feeds are watched one by one, each at its own time.
const watchEvery = time.Minute

// watched are the feeds of a hub, the one that was read longest ago first. They are guarded by history.mu.
type watched struct {
	order list.List // of *feed
	timer *time.Timer
}

// watch begins to watch a feed.
func (h *history) watch(f *feed) {
	h.mu.Lock()
	defer h.mu.Unlock()
	f.due = time.Now().Add(watchEvery)
	f.watched = h.feeds.order.PushBack(f)
	if h.feeds.order.Len() == 1 && !h.closed {
		h.arm()
	}
}

// unwatch ends that.
func (h *history) unwatch(f *feed) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.feeds.order.Remove(f.watched)
}

// arm sets the timer for the first feed. The caller holds the lock, and there is one.
func (h *history) arm() {
	in := max(time.Until(h.feeds.order.Front().Value.(*feed).due), time.Second/10) // several at once, if they are close together
	if h.feeds.timer == nil {
		h.feeds.timer = time.AfterFunc(in, h.look)
	} else {
		h.feeds.timer.Reset(in)
	}
}

// look has the logs read of all feeds whose time has come.
func (h *history) look() {
	feeds, open := h.due()
	if !open {
		return
	}
	defer h.ended.Done()
	for _, f := range feeds {
		f.follow()
	}
}

// due returns these feeds, and counts its caller among those that wait waits for, unless the hub is closed.
func (h *history) due() (all []*feed, open bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return nil, false
	}
	h.ended.Add(1)
	now := time.Now()
	for front := h.feeds.order.Front(); front != nil; front = h.feeds.order.Front() {
		f := front.Value.(*feed)
		if f.due.After(now) {
			h.arm()
			break
		}
		f.due = now.Add(watchEvery)
		h.feeds.order.MoveToBack(front)
		all = append(all, f)
	}
	return all, true
}
