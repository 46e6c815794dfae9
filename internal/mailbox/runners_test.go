package mailbox_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/portico-go/portico/internal/mailbox"
	"github.com/portico-go/portico/protocol"
)

// A sleeper shares its runners with others, and blocks in each event.
type sleeper struct {
	runners *mailbox.Runners
	began   time.Time
	over    time.Time
}

func (s *sleeper) Runners() *mailbox.Runners { return s.runners }

func (s *sleeper) HandleEvent(protocol.Event) {
	s.began = time.Now()
	time.Sleep(time.Second)
	s.over = time.Now()
}

func (s *sleeper) TurnOver() {}

// However many handlers block, no other box waits for them, not for a moment: the
// bubble's clock stands still until all have begun.
func TestBlockedHandlersDelayNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var runners mailbox.Runners
		sleepers := make([]*sleeper, 2_000) // the race detector follows no more than 8,000 goroutines
		begin := time.Now()
		for i := range sleepers {
			sleepers[i] = &sleeper{runners: &runners}
			b := mailbox.New(sleepers[i])
			b.Release()
			post(t, b, "sleep")
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		for i, s := range sleepers {
			if s.began != begin || s.over.Sub(begin) != time.Second {
				t.Fatalf("box %d began %v late and was done after %v, want 0 and 1s", i, s.began.Sub(begin), s.over.Sub(begin))
			}
		}
	})
}

// A quick box says when it was served.
type quick struct {
	runners *mailbox.Runners
	signals mailbox.Signals
	handled chan struct{}
}

func (q *quick) Runners() *mailbox.Runners { return q.runners }

func (q *quick) HandleEvent(protocol.Event) {}

func (q *quick) TurnOver() {}

func (q *quick) HandleSignals(s mailbox.Signals) {
	q.signals |= s
	q.handled <- struct{}{}
}

// Boxes are served as they come, and when all is done no runner is left: the bubble
// would not end.
func TestRunnersServeAllAndEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var runners mailbox.Runners
		handled := make(chan struct{}, 100_000)
		boxes := make([]*mailbox.Box, 10_000)
		for i := range boxes {
			boxes[i] = mailbox.New(&quick{runners: &runners, handled: handled})
			boxes[i].Release()
		}
		for range 5 {
			for _, b := range boxes {
				b.Wake(1)
			}
			synctest.Wait()
			if n := len(handled); n != len(boxes) {
				t.Fatalf("%d boxes were served, want %d", n, len(boxes))
			}
			for range boxes {
				<-handled
			}
		}
	})
}
