package workqueuetest

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/portico-go/portico/channellayer"
	"github.com/portico-go/portico/channellayer/workqueue"
)

// jobClauses are about what comes of a job that was enqueued.
var jobClauses = []clause{
	{"a job comes whole", "whole", jobsComeWhole},
	{"channels of every name are told apart", "names", namesAreToldApart},
	{"jobs come in about the order of enqueueing", "order", jobsComeInOrder},
	{"a job has one worker", "one", jobsHaveOneWorker},
	{"Take takes what there is, up to most", "most", takeTakesUpToMost},
	{"Take waits for a job", "wait", takeWaits},
	{"cancelling Take loses nothing", "cancel", cancellingLosesNothing},
	{"a channel has a capacity", "capacity", channelsHaveACapacity},
	{"a key is enqueued once", "once", keysAreOnce},
	{"a key is forgotten after its window", "window", keysAreForgotten},
	{"a delayed job comes when its delay is over", "delay", delaysHold},
	{"a closed store says so", "closed", closedStoresSaySo},
}

func jobsComeWhole(s *suite) {
	q := s.queue(workqueue.Limits{})
	header := channellayer.Header{{Key: channellayer.HeaderTraceParent, Value: "00-1-2-01"}, {Key: "ключ", Value: "\x00\xff"}, {Key: "ключ", Value: ""}}
	for _, size := range []int{0, 1, 1000, 200_000} {
		payload := bytes.Repeat([]byte("x"), size)
		before := time.Now().Add(-time.Millisecond)
		r, err := q.Enqueue(s.ctx, "whole", channellayer.Event{Type: "тип/*>", Value: payload, Header: header}, workqueue.Expiry(time.Hour))
		if err != nil {
			s.Fatal(err)
		}
		l := s.take(q, "whole")
		got, err := workqueue.Value[[]byte](l.Job)
		if err != nil || !bytes.Equal(got, payload) {
			s.Errorf("a payload of %d bytes came with %d: %v", size, len(got), err)
		}
		if l.Job.ID != r.ID || l.Job.Channel != "whole" || l.Job.Type != "тип/*>" || !reflect.DeepEqual(l.Job.Header, header) || l.Job.Attempt != 1 {
			s.Errorf("got %+v, expected what was enqueued, with ID %s", l.Job, r.ID)
		}
		if l.Job.Enqueued.Before(before) || time.Until(l.Job.Expires).Round(time.Minute) != time.Hour {
			s.Errorf("enqueued at %v, expires at %v", l.Job.Enqueued, l.Job.Expires)
		}
		s.settle(q, l, workqueue.Outcome{})
	}
	s.stats(q, "whole", 0, 0)
}

func namesAreToldApart(s *suite) {
	q := s.queue(workqueue.Limits{})
	names := []string{"a", "A", "a.b", "a.*", "a.>", "a b", "{a}", "a_b", "ключ", "🙂", strings.Repeat("ü", channellayer.MaxName/2)}
	for i, name := range names {
		s.put(q, name, i)
	}
	for i, name := range slices.Backward(names) {
		s.done(q, name, i)
	}
	for _, name := range []string{"", "a\n", strings.Repeat("a", channellayer.MaxName+1)} {
		if _, err := q.Enqueue(s.ctx, name, number(1)); !errors.Is(err, channellayer.ErrInvalidName) {
			s.Errorf("enqueue into %q: %v, expected ErrInvalidName", name, err)
		}
		if _, err := q.Take(s.ctx, name, 1); !errors.Is(err, channellayer.ErrInvalidName) {
			s.Errorf("take from %q: %v, expected ErrInvalidName", name, err)
		}
	}
}

func jobsComeInOrder(s *suite) {
	q := s.queue(workqueue.Limits{})
	for n := range 3 {
		s.put(q, "order", n)
	}
	s.done(q, "order", 0, 1, 2)
}

func jobsHaveOneWorker(s *suite) {
	const jobs, workers = 200, 5
	q := s.queue(workqueue.Limits{})
	for n := range jobs {
		s.put(q, "one", n)
	}
	ctx, cancel := context.WithCancel(s.ctx)
	defer cancel()
	var mu sync.Mutex
	times := make(map[int]int)
	do := func(l *workqueue.Lease) {
		n := s.value(l.Job)
		if err := q.Settle(s.ctx, l, workqueue.Outcome{}); err != nil {
			s.Error(err)
		}
		mu.Lock()
		defer mu.Unlock()
		if times[n]++; len(times) == jobs {
			cancel()
		}
	}
	var all sync.WaitGroup
	for w := range workers {
		all.Go(func() {
			for ctx.Err() == nil {
				leases, _ := q.Take(ctx, "one", 1+w) // an error ends the context, or the count is wrong
				for _, l := range leases {
					do(l)
				}
			}
		})
	}
	all.Wait()
	if len(times) != jobs {
		s.Errorf("%d jobs came, expected %d", len(times), jobs)
	}
	for n, t := range times {
		if t != 1 {
			s.Errorf("job %d came %d times", n, t)
		}
	}
	s.stats(q, "one", 0, 0)
}

func takeTakesUpToMost(s *suite) {
	q := s.queue(workqueue.Limits{})
	for n := range 5 {
		s.put(q, "most", n)
	}
	got := map[int]bool{}
	for len(got) < 5 {
		leases, err := q.Take(s.ctx, "most", 3)
		if err != nil || len(leases) < 1 || len(leases) > 3 {
			s.Fatalf("took %d jobs, expected 1 to 3: %v", len(leases), err)
		}
		for _, l := range leases {
			got[s.value(l.Job)] = true
		}
	}
}

func takeWaits(s *suite) {
	q := s.queue(workqueue.Limits{})
	taken := make(chan []*workqueue.Lease, 2)
	for range 2 {
		go func() {
			leases, err := q.Take(s.ctx, "wait", 1)
			if err != nil {
				s.Errorf("take: %v", err)
			}
			taken <- leases
		}()
	}
	s.pause(50 * time.Millisecond)
	for n := range 2 {
		s.put(q, "wait", n)
	}
	for range 2 {
		select {
		case leases := <-taken:
			if len(leases) != 1 {
				s.Fatalf("took %d jobs, expected 1", len(leases))
			}
		case <-time.After(s.Patience):
			s.Fatalf("a Take still waits %v after a job for it", s.Patience)
		}
	}
	ctx, cancel := context.WithTimeout(s.ctx, 50*time.Millisecond)
	defer cancel()
	began := time.Now()
	if leases, err := q.Take(ctx, "wait", 1); err == nil || !errors.Is(err, context.DeadlineExceeded) || len(leases) > 0 {
		s.Errorf("took %d jobs of an empty channel: %v, expected the context's error", len(leases), err)
	}
	if took := time.Since(began); took > s.Patience/2 {
		s.Errorf("Take went on for %v after its context had ended", took)
	}
}

func cancellingLosesNothing(s *suite) {
	const jobs = 40
	q := s.queue(workqueue.Limits{Lease: 10 * time.Minute})
	got := map[int]int{}
	keep := func(leases []*workqueue.Lease) {
		for _, l := range leases {
			if l.Job.Attempt != 1 {
				s.Errorf("job %d came at attempt %d, expected 1", s.value(l.Job), l.Job.Attempt)
			}
			got[s.value(l.Job)]++
			s.settle(q, l, workqueue.Outcome{})
		}
	}
	for n := range jobs {
		ctx, cancel := context.WithCancel(s.ctx)
		var putting sync.WaitGroup
		putting.Go(func() {
			s.put(q, "cancel", n)
			s.pause(time.Duration(n%5) * time.Millisecond)
			cancel()
		})
		leases, err := q.Take(ctx, "cancel", 2)
		putting.Wait()
		if err != nil && len(leases) > 0 {
			s.Errorf("Take returned %d jobs with an error: %v", len(leases), err)
		}
		keep(leases)
		cancel()
	}
	for len(got) < jobs {
		keep([]*workqueue.Lease{s.take(q, "cancel")})
	}
	if once := slices.Max(slices.Collect(maps.Values(got))); once != 1 {
		s.Errorf("a job came %d times", once)
	}
}

func channelsHaveACapacity(s *suite) {
	q := s.queue(workqueue.Limits{Capacity: 3})
	s.put(q, "small", 0)
	s.put(q, "small", 1, workqueue.Delay(time.Hour))
	s.put(q, "small", 2)
	running := s.expect(q, "small", 0, 1)
	full := func() {
		s.Helper()
		_, err := q.Enqueue(s.ctx, "small", number(3))
		e, ok := errors.AsType[*workqueue.FullError](err)
		if !ok || !errors.Is(err, workqueue.ErrFull) || e.Channel != "small" || e.Capacity != 3 {
			s.Fatalf("the fourth of three: %v, expected a FullError", err)
		}
	}
	full()
	s.put(q, "another", 9)
	s.settle(q, running, workqueue.Outcome{Verdict: workqueue.Retry, After: time.Hour})
	full()
	s.done(q, "small", 2)
	s.put(q, "small", 4)
	full()
	s.done(q, "small", 4)
	s.stats(q, "small", 2, 0)
}

func keysAreOnce(s *suite) {
	q := s.queue(workqueue.Limits{})
	first := s.put(q, "once", 1, workqueue.Key("ключ 1"))
	again := s.put(q, "once", 2, workqueue.Key("ключ 1"))
	if first.Duplicate || !again.Duplicate || again.ID != first.ID {
		s.Errorf("receipts %+v and %+v, expected a duplicate of the same ID", first, again)
	}
	r, err := q.Enqueue(s.ctx, "once", channellayer.Event{Type: "number", Value: 3, Header: channellayer.Header{{Key: channellayer.HeaderIdempotencyKey, Value: "ключ 1"}}})
	if err != nil || !r.Duplicate {
		s.Errorf("with the key in a header: %+v, %v", r, err)
	}
	s.put(q, "once elsewhere", 4, workqueue.Key("ключ 1"))
	s.put(q, "once", 5, workqueue.Key("ключ 2"))
	s.done(q, "once", 1)
	if r := s.put(q, "once", 6, workqueue.Key("ключ 1")); !r.Duplicate {
		s.Errorf("the key of a job that is done was enqueued again within its window")
	}
	s.done(q, "once", 5)
	s.done(q, "once elsewhere", 4)
	s.stats(q, "once", 0, 0)
	s.put(q, "once", 7)
	s.put(q, "once", 7)
	s.done(q, "once", 7, 7)
}

func keysAreForgotten(s *suite) {
	q := s.queue(workqueue.Limits{Window: time.Second})
	began := time.Now()
	s.put(q, "window", 0, workqueue.Key("k"))
	s.eventually("the key may be enqueued again", func() bool { return !s.put(q, "window", 1, workqueue.Key("k")).Duplicate }, func() {})
	if took := time.Since(began); took < time.Second {
		s.Errorf("the key was forgotten after %v, expected a second", took)
	}
	s.done(q, "window", 0, 1)
}

func delaysHold(s *suite) {
	q := s.queue(workqueue.Limits{})
	began := time.Now()
	for n, d := range []time.Duration{1200 * time.Millisecond, 600 * time.Millisecond, -time.Second, 0} {
		s.put(q, "delay", n, workqueue.Delay(d))
	}
	s.done(q, "delay", 2, 3)
	s.done(q, "delay", 1)
	second := time.Since(began)
	s.done(q, "delay", 0)
	if first := time.Since(began); second < 600*time.Millisecond || first < 1200*time.Millisecond {
		s.Errorf("delays of 600 ms and 1.2 s were over after %v and %v", second, first)
	}
}

func closedStoresSaySo(s *suite) {
	q := s.queue(workqueue.Limits{})
	s.put(q, "closed", 1)
	l := s.take(q, "closed")
	ended := make(chan error, 1)
	go func() {
		_, err := q.Take(s.ctx, "closed", 1)
		ended <- err
	}()
	s.pause(20 * time.Millisecond)
	if err := errors.Join(q.Close(), q.Close()); err != nil {
		s.Errorf("close: %v", err)
	}
	select {
	case err := <-ended:
		if !errors.Is(err, workqueue.ErrClosed) {
			s.Errorf("the Take that waited returned %v, expected ErrClosed", err)
		}
	case <-time.After(s.Patience):
		s.Fatalf("a Take still waits %v after Close", s.Patience)
	}
	_, enqueued := q.Enqueue(s.ctx, "closed", number(1))
	_, taken := q.Take(s.ctx, "closed", 1)
	_, counted := q.Stats(s.ctx, "closed")
	_, listed := q.Dead(s.ctx, "closed", 0, 1)
	for i, err := range []error{enqueued, taken, counted, listed, q.Settle(s.ctx, l, workqueue.Outcome{}), q.Extend(s.ctx, l), q.Revive(s.ctx, "closed", "x"), q.Remove(s.ctx, "closed", "x")} {
		if !errors.Is(err, workqueue.ErrClosed) {
			s.Errorf("call %d on a closed queue: %v, expected ErrClosed", i, err)
		}
	}
}
