package presencetest

import (
	"context"
	"slices"
	"time"

	"github.com/portico-go/portico/channellayer"
)

// outage stops the server, and returns when the watcher has been told. The server is started again with the clause's end at the latest.
func (s *suite) outage(w *watcher) (start func()) {
	s.Helper()
	s.Stop(s.t)
	started := false
	start = func() {
		if !started {
			started = true
			s.Start(s.t)
		}
	}
	s.Cleanup(start)
	for {
		m := s.next(w)
		if ev, ok := m.Layer(); ok && !ev.Up {
			return start
		}
		if m.Kind != channellayer.KindLayer {
			w.apply(m)
		}
	}
}

// next returns the next message of a watcher, and waits for it.
func (s *suite) next(w *watcher) *channellayer.Message {
	s.Helper()
	ctx, cancel := context.WithTimeout(s.ctx, s.Patience)
	defer cancel()
	m, err := w.Receive(ctx)
	if err != nil {
		s.Fatalf("no message within %v: %v", s.Patience, err)
	}
	return m
}

// wait lets leases end.
func (s *suite) wait(d time.Duration) {
	s.Helper()
	select {
	case <-time.After(d):
	case <-s.ctx.Done():
		s.Fatal(s.ctx.Err())
	}
}

func sorted(all []string) []string {
	slices.Sort(all)
	return all
}
