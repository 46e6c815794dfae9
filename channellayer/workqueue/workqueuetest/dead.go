package workqueuetest

import (
	"errors"
	"fmt"
	"time"

	"github.com/portico-go/portico/channellayer/workqueue"
)

// deadClauses are about jobs that were given up.
var deadClauses = []clause{
	{"a dead job is listed with its reason", "dead", deadJobsAreListed},
	{"a dead job is revived", "revive", deadJobsAreRevived},
	{"dead jobs are removed", "remove", deadJobsAreRemoved},
	{"dead jobs are bounded", "bounded", deadJobsAreBounded},
}

// bury enqueues a number and buries it.
func (s *suite) bury(q *workqueue.Queue, channel string, n int, why string) string {
	s.Helper()
	id := s.put(q, channel, n).ID
	s.settle(q, s.expect(q, channel, n, 1), workqueue.Outcome{Verdict: workqueue.Bury, Error: why})
	return id
}

// dead returns dead jobs.
func (s *suite) dead(q *workqueue.Queue, channel string, skip, most int) []*workqueue.DeadJob {
	s.Helper()
	dead, err := q.Dead(s.ctx, channel, skip, most)
	if err != nil {
		s.Fatal(err)
	}
	return dead
}

func deadJobsAreListed(s *suite) {
	q := s.queue(workqueue.Limits{})
	if none := s.dead(q, "dead", 0, 10); len(none) != 0 {
		s.Errorf("a new channel has %d dead jobs", len(none))
	}
	id := s.put(q, "dead", 7).ID
	s.settle(q, s.expect(q, "dead", 7, 1), workqueue.Outcome{Verdict: workqueue.Retry, Error: "first"})
	s.settle(q, s.expect(q, "dead", 7, 2), workqueue.Outcome{Verdict: workqueue.Bury, Error: "второй\n"})
	s.stats(q, "dead", 0, 1)
	dead := s.dead(q, "dead", 0, 10)
	if len(dead) != 1 {
		s.Fatalf("%d dead jobs, expected 1", len(dead))
	}
	d := dead[0]
	if d.ID != id || d.Channel != "dead" || d.Type != "number" || d.Attempt != 2 || d.Error != "второй\n" || s.value(d.Job) != 7 {
		s.Errorf("got %+v", d.Job)
	}
	if age := time.Since(d.Died); age < -time.Minute || age > time.Minute {
		s.Errorf("it died at %v, expected now", d.Died)
	}
	for n := range 5 {
		s.bury(q, "dead", n, fmt.Sprint(n))
	}
	for skip := range 6 {
		page := s.dead(q, "dead", 1+skip, 2)
		if want := min(2, 5-skip); len(page) != want {
			s.Fatalf("a page of two behind %d of six has %d jobs, expected %d", 1+skip, len(page), want)
		}
		for i, d := range page {
			if s.value(d.Job) != skip+i || d.Error != fmt.Sprint(skip+i) {
				s.Errorf("place %d has %d", skip+i, s.value(d.Job))
			}
		}
	}
	s.empty(q, "dead", 0)
}

func deadJobsAreRevived(s *suite) {
	q := s.queue(workqueue.Limits{})
	id := s.bury(q, "revive", 1, "why")
	if err := q.Revive(s.ctx, "elsewhere", id); !errors.Is(err, workqueue.ErrNoJob) {
		s.Errorf("revive in another channel: %v, expected ErrNoJob", err)
	}
	if err := q.Revive(s.ctx, "revive", id); err != nil {
		s.Fatal(err)
	}
	s.stats(q, "revive", 1, 0)
	l := s.expect(q, "revive", 1, 1)
	if l.Job.ID != id || l.Job.Error != "" {
		s.Errorf("revived as %+v, expected ID %s and no Error", l.Job, id)
	}
	s.settle(q, l, workqueue.Outcome{Verdict: workqueue.Bury})
	if err := q.Revive(s.ctx, "revive", id); err != nil {
		s.Fatal(err)
	}
	s.done(q, "revive", 1)
	if err := q.Revive(s.ctx, "revive", id); !errors.Is(err, workqueue.ErrNoJob) {
		s.Errorf("revive twice: %v, expected ErrNoJob", err)
	}
	s.stats(q, "revive", 0, 0)
}

func deadJobsAreRemoved(s *suite) {
	q := s.queue(workqueue.Limits{})
	ids := make([]string, 3)
	for n := range ids {
		ids[n] = s.bury(q, "remove", n, "")
	}
	if err := q.Remove(s.ctx, "remove", ids[1]); err != nil {
		s.Fatal(err)
	}
	if err := q.Remove(s.ctx, "remove", ids[1]); !errors.Is(err, workqueue.ErrNoJob) {
		s.Errorf("remove twice: %v, expected ErrNoJob", err)
	}
	dead := s.dead(q, "remove", 0, 10)
	if len(dead) != 2 || dead[0].ID != ids[0] || dead[1].ID != ids[2] {
		s.Errorf("%d are left, expected the first and the third", len(dead))
	}
	s.stats(q, "remove", 0, 2)
}

func deadJobsAreBounded(s *suite) {
	q := s.queue(workqueue.Limits{Dead: 3})
	for n := range 5 {
		s.bury(q, "bounded", n, "")
	}
	s.stats(q, "bounded", 0, 3)
	dead := s.dead(q, "bounded", 0, 10)
	for i, d := range dead {
		if s.value(d.Job) != 2+i {
			s.Errorf("place %d has %d, expected the newest three of five", i, s.value(d.Job))
		}
	}
}
