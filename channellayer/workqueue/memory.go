package workqueue

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// Memory is a [Store] in the memory of this process, whose jobs are gone with it. It runs no goroutine.
type Memory struct {
	limits Limits

	mu       sync.Mutex // guards what follows
	channels map[string]*shelf
	closed   bool
	over     chan struct{} // closed with the store
}

var (
	_ Store     = (*Memory)(nil)
	_ Inspector = (*Memory)(nil)
)

// NewMemory returns an empty store, or an error that names the limit that is wrong.
func NewMemory(l Limits) (*Memory, error) {
	l, err := l.WithDefaults()
	if err != nil {
		return nil, err
	}
	return &Memory{limits: l, channels: make(map[string]*shelf), over: make(chan struct{})}, nil
}

// shelf returns the jobs of a channel, as they are now. m.mu is held.
func (m *Memory) shelf(channel string) *shelf {
	s := m.channels[channel]
	if s == nil {
		s = newShelf()
		m.channels[channel] = s
	}
	s.settleDue(time.Now())
	return s
}

// use calls f with the jobs of a channel. Those that are empty afterwards are forgotten.
func (m *Memory) use(channel string, f func(s *shelf) error) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return ErrClosed
	}
	s := m.shelf(channel)
	err := f(s)
	if s.empty() {
		delete(m.channels, channel)
	}
	return err
}

// Put implements [Store].
func (m *Memory) Put(ctx context.Context, job *Job, delay time.Duration, once bool) (added bool, err error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	err = m.use(job.Channel, func(s *shelf) error {
		if once && s.known(job.ID) {
			return nil
		}
		if s.undone() >= m.limits.Capacity {
			return &FullError{Channel: job.Channel, Capacity: m.limits.Capacity}
		}
		now := time.Now()
		if once {
			s.remember(job.ID, now.Add(m.limits.Window))
		}
		kept := *job
		kept.Attempt, kept.Error = 0, ""
		s.place(&entry{job: kept}, now, delay)
		added = true
		return nil
	})
	return added, err
}

// Take implements [Store].
func (m *Memory) Take(ctx context.Context, channel string, most int) ([]*Lease, error) {
	for {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		var leases []*Lease
		var news chan struct{}
		var next time.Duration
		err := m.use(channel, func(s *shelf) error {
			if leases = m.lease(s, most); leases == nil {
				news, next = s.wait(), s.nextDue(time.Now())
			}
			return nil
		})
		if err != nil || leases != nil {
			return leases, err
		}
		if err := m.await(ctx, channel, news, next); err != nil {
			return nil, err
		}
	}
}

// lease leases jobs that may start now, or returns nil.
func (m *Memory) lease(s *shelf, most int) (leases []*Lease) {
	until := time.Now().Add(m.limits.Lease)
	for len(leases) < max(most, 1) {
		e := s.lease(until)
		if e == nil {
			break
		}
		job := e.job // the worker's own copy: the store counts on
		leases = append(leases, &Lease{Job: &job, Term: m.limits.Lease, Token: e.serial})
	}
	if leases != nil {
		s.tell()
	}
	return leases
}

// await returns when there may be a job, or with an error when there will be none.
func (m *Memory) await(ctx context.Context, channel string, news chan struct{}, next time.Duration) (err error) {
	timer := time.NewTimer(next)
	defer timer.Stop()
	select {
	case <-news:
	case <-timer.C:
	case <-m.over:
		return ErrClosed
	case <-ctx.Done():
		err = ctx.Err()
	}
	return errors.Join(err, m.use(channel, func(s *shelf) error {
		s.unwait(news)
		if err != nil {
			s.tell()
		}
		return nil
	}))
}

// Settle implements [Store].
func (m *Memory) Settle(ctx context.Context, l *Lease, o Outcome) error {
	return m.leased(ctx, l, func(s *shelf, e *entry, now time.Time) {
		s.take(e)
		if o.Verdict != Done {
			e.job.Error = o.Error
		}
		switch o.Verdict {
		case Retry:
			s.place(e, now, o.After)
		case Release:
			e.job.Attempt--
			s.giveBack(e)
		case Bury:
			s.bury(&e.job, now, m.limits.Dead)
		}
	})
}

// Extend implements [Store].
func (m *Memory) Extend(ctx context.Context, l *Lease) error {
	return m.leased(ctx, l, func(s *shelf, e *entry, now time.Time) { s.extend(e, now.Add(m.limits.Lease)) })
}

// leased calls f with the entry of a lease that holds.
func (m *Memory) leased(ctx context.Context, l *Lease, f func(s *shelf, e *entry, now time.Time)) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return m.use(l.Job.Channel, func(s *shelf) error {
		serial, _ := l.Token.(uint64)
		e := s.running[serial]
		if e == nil {
			return fmt.Errorf("%w: job %s of channel %q", ErrLeaseLost, l.Job.ID, l.Job.Channel)
		}
		f(s, e, time.Now())
		return nil
	})
}

// Stats implements [Inspector].
func (m *Memory) Stats(ctx context.Context, channel string) (Stats, error) {
	var st Stats
	err := m.use(channel, func(s *shelf) error {
		st = Stats{Waiting: s.ready.Len(), Delayed: len(s.delayed), Running: len(s.running), Dead: len(s.dead)}
		return ctx.Err()
	})
	return st, err
}

// Dead implements [Inspector].
func (m *Memory) Dead(ctx context.Context, channel string, skip, most int) ([]*DeadJob, error) {
	var dead []*DeadJob
	err := m.use(channel, func(s *shelf) error {
		skip = min(skip, len(s.dead))
		for _, d := range s.dead[skip:min(skip+most, len(s.dead))] {
			job := *d.Job
			dead = append(dead, &DeadJob{Job: &job, Died: d.Died})
		}
		return ctx.Err()
	})
	return dead, err
}

// Revive implements [Inspector].
func (m *Memory) Revive(ctx context.Context, channel, id string) error {
	return m.exhume(ctx, channel, id, func(s *shelf, job *Job) {
		kept := *job
		kept.Attempt, kept.Error = 0, ""
		s.place(&entry{job: kept}, time.Now(), 0)
	})
}

// Remove implements [Inspector].
func (m *Memory) Remove(ctx context.Context, channel, id string) error {
	return m.exhume(ctx, channel, id, func(*shelf, *Job) {})
}

// exhume takes a dead job out of its channel, and calls f with it.
func (m *Memory) exhume(ctx context.Context, channel, id string, f func(s *shelf, job *Job)) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return m.use(channel, func(s *shelf) error {
		job := s.exhume(id)
		if job == nil {
			return fmt.Errorf("%w: channel %q has no dead job %q", ErrNoJob, channel, id)
		}
		f(s, job)
		return nil
	})
}

// Close implements [Store].
func (m *Memory) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.closed {
		m.closed, m.channels = true, nil
		close(m.over)
	}
	return nil
}
