package workqueue

import (
	"container/heap"
	"container/list"
	"slices"
	"time"
)

// A shelf is one channel of a [Memory], whose lock guards it.
type shelf struct {
	ready   *list.List // of *entry, in the order in which they may start
	delayed timeline
	running map[uint64]*entry // by serial
	leases  timeline          // the same, by when their leases run out
	dead    []*DeadJob

	keys    map[string]time.Time // until when an ID is known
	expiry  []keyUntil           // the same, in order
	waiting []chan struct{}      // one for each Take that waits; told by closing it
	serial  uint64
}

// An entry is a job that is not done.
type entry struct {
	job    Job
	serial uint64    // of its lease
	at     time.Time // when it is due, or its lease runs out
	index  int       // in its timeline
}

type keyUntil struct {
	id    string
	until time.Time
}

// never is how long a Take waits that has nothing to wait for but news.
const never = 24 * time.Hour

func newShelf() *shelf {
	return &shelf{ready: list.New(), running: make(map[uint64]*entry), keys: make(map[string]time.Time)}
}

// empty reports whether the shelf keeps nothing, and nobody looks at it.
func (s *shelf) empty() bool {
	return s.undone() == 0 && len(s.dead) == 0 && len(s.keys) == 0 && len(s.waiting) == 0
}

// undone is how many jobs count for the capacity.
func (s *shelf) undone() int { return s.ready.Len() + len(s.delayed) + len(s.running) }

// settleDue does what has become due: jobs whose delay is over, leases that ran out, keys that are forgotten.
func (s *shelf) settleDue(now time.Time) {
	for len(s.leases) > 0 && !s.leases[0].at.After(now) {
		e := s.leases[0]
		s.take(e)
		s.giveBack(e)
	}
	for len(s.delayed) > 0 && !s.delayed[0].at.After(now) {
		e := heap.Pop(&s.delayed).(*entry)
		s.ready.PushBack(e)
		s.tell()
	}
	for len(s.expiry) > 0 && !s.expiry[0].until.After(now) {
		delete(s.keys, s.expiry[0].id)
		s.expiry = s.expiry[1:]
	}
}

// known reports whether an ID was remembered.
func (s *shelf) known(id string) bool {
	_, ok := s.keys[id]
	return ok
}

func (s *shelf) remember(id string, until time.Time) {
	s.keys[id] = until
	s.expiry = append(s.expiry, keyUntil{id, until})
}

// place makes a job wait for delay, and then for a worker.
func (s *shelf) place(e *entry, now time.Time, delay time.Duration) {
	if delay > 0 {
		e.at = now.Add(delay)
		heap.Push(&s.delayed, e)
	} else {
		s.ready.PushBack(e)
	}
	s.tell() // also of a delay: it may be the shortest
}

// giveBack makes a job the next one that is leased.
func (s *shelf) giveBack(e *entry) {
	s.ready.PushFront(e)
	s.tell()
}

// lease leases the first job, or returns nil.
func (s *shelf) lease(until time.Time) *entry {
	front := s.ready.Front()
	if front == nil {
		return nil
	}
	e := s.ready.Remove(front).(*entry)
	s.serial++
	e.serial, e.at = s.serial, until
	e.job.Attempt++
	s.running[e.serial] = e
	heap.Push(&s.leases, e)
	return e
}

func (s *shelf) extend(e *entry, until time.Time) {
	e.at = until
	heap.Fix(&s.leases, e.index)
}

// take ends a lease.
func (s *shelf) take(e *entry) {
	delete(s.running, e.serial)
	heap.Remove(&s.leases, e.index)
}

func (s *shelf) bury(job *Job, now time.Time, most int) {
	s.dead = append(s.dead, &DeadJob{Job: job, Died: now})
	if n := len(s.dead) - most; n > 0 {
		s.dead = slices.Delete(s.dead, 0, n)
	}
}

// exhume takes a dead job out, or returns nil.
func (s *shelf) exhume(id string) *Job {
	at := slices.IndexFunc(s.dead, func(d *DeadJob) bool { return d.ID == id })
	if at < 0 {
		return nil
	}
	job := s.dead[at].Job
	s.dead = slices.Delete(s.dead, at, at+1)
	return job
}

// nextDue is how long to wait for what becomes due without anybody's doing.
func (s *shelf) nextDue(now time.Time) time.Duration {
	next := now.Add(never)
	for _, t := range []timeline{s.delayed, s.leases} {
		if len(t) > 0 && t[0].at.Before(next) {
			next = t[0].at
		}
	}
	return next.Sub(now)
}

// wait returns a channel that is closed when there is something to look at.
func (s *shelf) wait() chan struct{} {
	news := make(chan struct{})
	s.waiting = append(s.waiting, news)
	return news
}

// tell wakes the one who has waited longest, to look at what there is and until when to wait. Who stops waiting, with a job or without, tells the next one, so that somebody
// always knows what becomes due first.
func (s *shelf) tell() {
	if len(s.waiting) > 0 {
		close(s.waiting[0])
		s.waiting = s.waiting[1:]
	}
}

// unwait forgets one who waited.
func (s *shelf) unwait(news chan struct{}) {
	if at := slices.Index(s.waiting, news); at >= 0 {
		s.waiting = slices.Delete(s.waiting, at, at+1)
	}
}

// A timeline is a heap of entries, the next one first.
type timeline []*entry

func (t timeline) Len() int           { return len(t) }
func (t timeline) Less(i, j int) bool { return t[i].at.Before(t[j].at) }
func (t timeline) Swap(i, j int) {
	t[i], t[j] = t[j], t[i]
	t[i].index, t[j].index = i, j
}

func (t *timeline) Push(x any) {
	e := x.(*entry)
	e.index = len(*t)
	*t = append(*t, e)
}

func (t *timeline) Pop() any {
	old := *t
	e := old[len(old)-1]
	old[len(old)-1] = nil
	*t = old[:len(old)-1]
	return e
}
