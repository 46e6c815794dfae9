package redis

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/rueidis"

	"github.com/portico-go/portico/channellayer/workqueue"
)

// A channel has a stream of what is ready and of what runs (the pending entries of its group "w"), a sorted set of what may start later, by when it may, and a sorted set and a hash of what is dead.
// Each script is one step.
var (
	//go:embed workqueue_put.lua
	putBody string
	//go:embed workqueue_settle.lua
	settleBody string
	//go:embed workqueue_show.lua
	showBody string

	putScript    = rueidis.NewLuaScript(putBody)
	settleScript = rueidis.NewLuaScript(settleBody)
	showScript   = rueidis.NewLuaScript(showBody)
)

// Put implements workqueue.Store.
func (s *JobStore) Put(ctx context.Context, job *workqueue.Job, delay time.Duration, once bool) (added bool, err error) {
	keys := s.keys(job.Channel, "ready", "later")
	if once {
		keys = append(keys, s.key(job.Channel, "key:"+job.ID))
	}
	fresh := *job
	fresh.Attempt, fresh.Error = 0, ""
	answer, err := s.run(ctx, putScript, keys, record(&fresh), millis(delay), strconv.Itoa(s.limits.Capacity), millis(s.limits.Window))
	if err != nil {
		return false, fmt.Errorf("redis: put a job: %w", err)
	}
	n, err := answer.AsInt64()
	switch {
	case err != nil:
		return false, fmt.Errorf("redis: put a job: %w", errAnswer)
	case n < 0:
		return false, &workqueue.FullError{Channel: job.Channel, Capacity: s.limits.Capacity}
	}
	return n == 1, nil
}

// record is how a job is kept.
func record(job *workqueue.Job) string { return rueidis.BinaryString(workqueue.AppendJob(nil, job)) }

// Settle implements workqueue.Store.
func (s *JobStore) Settle(ctx context.Context, l *workqueue.Lease, o workqueue.Outcome) error {
	if err := s.leased(ctx, s.run, l, s.settlement(l, o)...); err != nil {
		return fmt.Errorf("redis: settle a job: %w", err)
	}
	return nil
}

// settlement returns what the script is to do for an outcome.
func (s *JobStore) settlement(l *workqueue.Lease, o workqueue.Outcome) []string {
	job := *l.Job
	switch o.Verdict {
	case workqueue.Done:
		return []string{"done"}
	case workqueue.Release:
		job.Attempt--
		return []string{"wait", record(&job), "0"}
	case workqueue.Bury:
		job.Error = o.Error
		return []string{"bury", record(&job), "0", job.ID, strconv.Itoa(s.limits.Dead)}
	}
	job.Error = o.Error
	return []string{"wait", record(&job), millis(o.After)}
}

// Extend implements workqueue.Store.
func (s *JobStore) Extend(ctx context.Context, l *workqueue.Lease) error {
	if err := s.leased(ctx, s.run, l, "extend"); err != nil {
		return fmt.Errorf("redis: extend a lease: %w", err)
	}
	return nil
}

// A runner is run or exec.
type runner func(ctx context.Context, script *rueidis.Lua, keys []string, args ...string) (rueidis.RedisMessage, error)

// leased does something with a lease that holds.
func (s *JobStore) leased(ctx context.Context, run runner, l *workqueue.Lease, args ...string) error {
	t, ok := l.Token.(token)
	if !ok {
		return errors.New("the lease is another store's")
	}
	keys := s.keys(l.Job.Channel, "ready", "later", "dead", "graves")
	answer, err := run(ctx, settleScript, keys, append([]string{t.entry, strconv.FormatInt(t.number, 10)}, args...)...)
	if err != nil {
		return err
	}
	if n, err := answer.AsInt64(); err != nil || n == 0 {
		return errors.Join(fmt.Errorf("%w: job %s of channel %q", workqueue.ErrLeaseLost, l.Job.ID, l.Job.Channel), err)
	}
	return nil
}

// show runs the script for what is looked at.
func (s *JobStore) show(ctx context.Context, channel string, args ...string) (rueidis.RedisMessage, error) {
	return s.run(ctx, showScript, s.keys(channel, "ready", "later", "dead", "graves"), args...)
}

// Stats implements workqueue.Inspector.
func (s *JobStore) Stats(ctx context.Context, channel string) (workqueue.Stats, error) {
	answer, err := s.show(ctx, channel, "stats")
	if err != nil {
		return workqueue.Stats{}, fmt.Errorf("redis: count jobs: %w", err)
	}
	n, err := answer.AsIntSlice()
	if err != nil || len(n) != 4 {
		return workqueue.Stats{}, fmt.Errorf("redis: count jobs: %w", errAnswer)
	}
	return workqueue.Stats{Waiting: int(n[0] - n[1]), Running: int(n[1]), Delayed: int(n[2]), Dead: int(n[3])}, nil
}

// Dead implements workqueue.Inspector.
func (s *JobStore) Dead(ctx context.Context, channel string, skip, most int) ([]*workqueue.DeadJob, error) {
	answer, err := s.show(ctx, channel, "list", strconv.Itoa(skip), strconv.Itoa(skip+most-1))
	if err != nil {
		return nil, fmt.Errorf("redis: list dead jobs: %w", err)
	}
	rows, err := answer.ToArray()
	if err != nil {
		return nil, fmt.Errorf("redis: list dead jobs: %w: %w", errAnswer, err)
	}
	dead := make([]*workqueue.DeadJob, 0, len(rows))
	for _, row := range rows {
		fields, err := row.ToArray()
		if err != nil || len(fields) != 2 {
			return nil, fmt.Errorf("redis: list dead jobs: %w", errAnswer)
		}
		at, _ := fields[0].AsInt64()
		data, _ := fields[1].ToString()
		job, err := workqueue.ParseJob(channel, []byte(data))
		if err != nil {
			return nil, fmt.Errorf("redis: list dead jobs: %w", err)
		}
		dead = append(dead, &workqueue.DeadJob{Job: job, Died: time.UnixMicro(at)})
	}
	return dead, nil
}

// Revive implements workqueue.Inspector.
func (s *JobStore) Revive(ctx context.Context, channel, id string) error {
	job, err := s.grave(ctx, channel, id)
	if err != nil {
		return fmt.Errorf("redis: revive a job: %w", err)
	}
	job.Attempt, job.Error = 0, ""
	return s.exhume(ctx, channel, id, record(job))
}

// grave reads one dead job.
func (s *JobStore) grave(ctx context.Context, channel, id string) (*workqueue.Job, error) {
	answer, err := s.show(ctx, channel, "read", id)
	if rueidis.IsRedisNil(err) {
		return nil, noJob(channel, id)
	}
	if err != nil {
		return nil, err
	}
	data, err := answer.ToString()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errAnswer, err)
	}
	return workqueue.ParseJob(channel, []byte(data))
}

func noJob(channel, id string) error {
	return fmt.Errorf("%w: channel %q has no dead job %q", workqueue.ErrNoJob, channel, id)
}

// Remove implements workqueue.Inspector.
func (s *JobStore) Remove(ctx context.Context, channel, id string) error {
	return s.exhume(ctx, channel, id)
}

// exhume takes a dead job out, and makes another one wait in its place, if any.
func (s *JobStore) exhume(ctx context.Context, channel, id string, revived ...string) error {
	answer, err := s.show(ctx, channel, append([]string{"exhume", id}, revived...)...)
	if err != nil {
		return fmt.Errorf("redis: take out a dead job: %w", err)
	}
	if n, err := answer.AsInt64(); err != nil || n == 0 {
		return errors.Join(noJob(channel, id), err)
	}
	return nil
}
