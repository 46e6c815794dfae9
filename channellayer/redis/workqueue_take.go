package redis

import (
	"context"
	_ "embed"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/rueidis"

	"github.com/portico-go/portico/channellayer/workqueue"
)

//go:embed workqueue_take.lua
var takeBody string

var takeScript = rueidis.NewLuaScript(takeBody)

// longestWait is how long a Take asks the server to wait: what is due, or was lost by others, is looked for in between.
const longestWait = time.Second

// A token is what a lease needs to be settled: the entry of the stream, and how often it was leased. Whoever leases it next counts on.
type token struct {
	entry  string
	number int64
}

// Take implements workqueue.Store. What the server hands out must not be lost, so the caller may go when its context ends, but the answer is waited for.
func (s *JobStore) Take(ctx context.Context, channel string, most int) ([]*workqueue.Lease, error) {
	for {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		type outcome struct {
			leases []*workqueue.Lease
			err    error
		}
		taken := make(chan outcome)
		gone := make(chan struct{})
		ok := s.background(func() {
			leases, err := s.round(channel, most)
			select {
			case taken <- outcome{leases, err}:
			case <-gone:
				s.giveBack(leases)
			}
		})
		if !ok {
			return nil, workqueue.ErrClosed
		}
		select {
		case o := <-taken:
			if o.err != nil || len(o.leases) > 0 {
				return o.leases, s.why(o.err)
			}
		case <-ctx.Done():
			close(gone)
			return nil, ctx.Err()
		case <-s.over:
			close(gone)
			return nil, workqueue.ErrClosed
		}
	}
}

// round asks once for jobs, and waits for some a while.
func (s *JobStore) round(channel string, most int) ([]*workqueue.Lease, error) {
	ctx := context.Background()
	answer, err := s.run(ctx, takeScript, s.keys(channel, "ready", "later"),
		millis(s.limits.Lease), strconv.Itoa(most), millis(longestWait))
	if err != nil {
		return nil, fmt.Errorf("redis: take a job: %w", err)
	}
	parts, err := answer.ToArray()
	if err != nil || len(parts) == 0 {
		return nil, fmt.Errorf("redis: take a job: %w", errAnswer)
	}
	var leases []*workqueue.Lease
	for _, part := range parts[1:] {
		fields, err := part.ToArray()
		if err != nil || len(fields) != 3 {
			return leases, fmt.Errorf("redis: take a job: %w", errAnswer)
		}
		entry, _ := fields[0].ToString()
		number, _ := fields[1].AsInt64()
		job, _ := fields[2].ToString()
		if l := s.lease(channel, entry, number, job); l != nil {
			leases = append(leases, l)
		}
	}
	if len(parts) > 1 {
		return leases, nil
	}
	wait, err := parts[0].AsInt64()
	if err != nil {
		return nil, fmt.Errorf("redis: take a job: %w", errAnswer)
	}
	return s.wait(ctx, channel, most, wait)
}

// wait waits for a new job for so many milliseconds.
func (s *JobStore) wait(ctx context.Context, channel string, most int, wait int64) ([]*workqueue.Lease, error) {
	if s.open() != nil {
		return nil, workqueue.ErrClosed
	}
	ctx, cancel := context.WithTimeout(ctx, silence+longestWait)
	defer cancel()
	c, err := s.connect(ctx)
	if err != nil {
		return nil, err
	}
	ready := s.key(channel, "ready")
	command := c.B().Xreadgroup().Group("w", "w").Count(int64(most)).Block(max(wait, 1)).Streams().Key(ready).Id(">").Build()
	streams, err := c.Do(ctx, command).AsXRead()
	s.look(context.Background(), c, err)
	if rueidis.IsRedisNil(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("redis: wait for a job: %w", err)
	}
	var leases []*workqueue.Lease
	for _, e := range streams[ready] {
		if l := s.lease(channel, e.ID, 1, e.FieldValues["j"]); l != nil {
			leases = append(leases, l)
		}
	}
	return leases, nil
}

// lease makes a lease of an entry. One that is no job is buried as it is, so that it is found and does no harm.
func (s *JobStore) lease(channel, entry string, number int64, data string) *workqueue.Lease {
	l := &workqueue.Lease{Term: s.limits.Lease, Token: token{entry, number}}
	var err error
	if l.Job, err = workqueue.ParseJob(channel, []byte(data)); err != nil {
		l.Job = &workqueue.Job{ID: "damaged-" + entry, Channel: channel, Type: "damaged", Payload: []byte(data)}
		ctx, cancel := context.WithTimeout(context.Background(), silence)
		defer cancel()
		_ = s.Settle(ctx, l, workqueue.Outcome{Verdict: workqueue.Bury, Error: err.Error()}) // or it comes again
		return nil
	}
	l.Job.Attempt += int(number)
	return l
}

// giveBack gives jobs back that nobody waits for any more.
func (s *JobStore) giveBack(leases []*workqueue.Lease) {
	ctx, cancel := context.WithTimeout(context.Background(), silence)
	defer cancel()
	for _, l := range leases {
		_ = s.leased(ctx, s.exec, l, s.settlement(l, workqueue.Outcome{Verdict: workqueue.Release})...) // or its lease runs out
	}
}
