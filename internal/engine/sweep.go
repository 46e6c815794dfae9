package engine

import (
	"sync"
	"time"
)

// sweepAfter is how long queued bytes may wait for the end of a turn.
const sweepAfter = time.Millisecond

// A sweep sends off what handlers queued before they blocked: one timer for all
// streams, which runs only while a turn has queued something.
type sweep struct {
	mu    sync.Mutex
	dirty []*Stream
	spare []*Stream   // the last list, to be used again
	timer *time.Timer // nil before the first use
}

// add remembers a stream, which is not in the sweep, until the next time it fires.
func (s *sweep) add(stream *Stream) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dirty = append(s.dirty, stream)
	switch {
	case len(s.dirty) > 1: // the timer runs
	case s.timer == nil:
		s.timer = time.AfterFunc(sweepAfter, s.fire)
	default:
		s.timer.Reset(sweepAfter)
	}
}

func (s *sweep) fire() {
	s.mu.Lock()
	dirty := s.dirty
	s.dirty, s.spare = s.spare, nil
	s.mu.Unlock()
	for _, stream := range dirty {
		stream.resume()
	}
	clear(dirty)
	s.mu.Lock()
	s.spare = dirty[:0]
	s.mu.Unlock()
}
