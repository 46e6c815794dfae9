package workqueuetest_test

import (
	"context"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/portico-go/portico/channellayer/workqueue"
	"github.com/portico-go/portico/channellayer/workqueue/workqueuetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A mutant is a store in memory that does one thing wrong.
type mutant struct {
	*workqueue.Memory
	put    func(m *workqueue.Memory, ctx context.Context, job *workqueue.Job, delay time.Duration, once bool) (bool, error)
	settle func(m *workqueue.Memory, ctx context.Context, l *workqueue.Lease, o workqueue.Outcome) error
	extend bool // does not
}

func (m *mutant) Put(ctx context.Context, job *workqueue.Job, delay time.Duration, once bool) (bool, error) {
	if m.put != nil {
		return m.put(m.Memory, ctx, job, delay, once)
	}
	return m.Memory.Put(ctx, job, delay, once)
}

func (m *mutant) Settle(ctx context.Context, l *workqueue.Lease, o workqueue.Outcome) error {
	if m.settle != nil {
		return m.settle(m.Memory, ctx, l, o)
	}
	return m.Memory.Settle(ctx, l, o)
}

func (m *mutant) Extend(ctx context.Context, l *workqueue.Lease) error {
	if m.extend {
		return nil
	}
	return m.Memory.Extend(ctx, l)
}

// A fault is what a mutant does wrong, and the clause that finds it.
type fault struct {
	clause string
	limits func(l *workqueue.Limits)
	mutant mutant
}

var faults = map[string]fault{
	"extends nothing":   {clause: "a lease that is extended holds", mutant: mutant{extend: true}},
	"has no capacity":   {clause: "a channel has a capacity", limits: func(l *workqueue.Limits) { l.Capacity = 0 }},
	"keeps all dead":    {clause: "dead jobs are bounded", limits: func(l *workqueue.Limits) { l.Dead = 0 }},
	"leases for long":   {clause: "a lease that runs out is given to another", limits: func(l *workqueue.Limits) { l.Lease = time.Hour }},
	"leases for a wink": {clause: "a lease that runs out is given to another", limits: func(l *workqueue.Limits) { l.Lease = 50 * time.Millisecond }},
	"forgets keys":      {clause: "a key is forgotten after its window", limits: func(l *workqueue.Limits) { l.Window = time.Millisecond }},
	"knows no keys": {clause: "a key is enqueued once", mutant: mutant{put: func(m *workqueue.Memory, ctx context.Context, job *workqueue.Job, delay time.Duration, _ bool) (bool, error) {
		return m.Put(ctx, job, delay, false)
	}}},
	"does not delay": {clause: "a delayed job comes when its delay is over", mutant: mutant{put: func(m *workqueue.Memory, ctx context.Context, job *workqueue.Job, _ time.Duration, once bool) (bool, error) {
		return m.Put(ctx, job, 0, once)
	}}},
	"loses headers": {clause: "a job comes whole", mutant: mutant{put: func(m *workqueue.Memory, ctx context.Context, job *workqueue.Job, delay time.Duration, once bool) (bool, error) {
		job.Header = nil
		return m.Put(ctx, job, delay, once)
	}}},
	"counts what is given back": {clause: "an attempt that is given back does not count", mutant: mutant{settle: func(m *workqueue.Memory, ctx context.Context, l *workqueue.Lease, o workqueue.Outcome) error {
		if o.Verdict == workqueue.Release {
			o.Verdict = workqueue.Retry
		}
		return m.Settle(ctx, l, o)
	}}},
	"settles lost leases": {clause: "a lease that runs out is given to another", mutant: mutant{settle: func(m *workqueue.Memory, ctx context.Context, l *workqueue.Lease, o workqueue.Outcome) error {
		_ = m.Settle(ctx, l, o)
		return nil
	}}},
	"retries at once": {clause: "a job is tried again", mutant: mutant{settle: func(m *workqueue.Memory, ctx context.Context, l *workqueue.Lease, o workqueue.Outcome) error {
		o.After = 0
		return m.Settle(ctx, l, o)
	}}},
	"forgets why": {clause: "a dead job is listed with its reason", mutant: mutant{settle: func(m *workqueue.Memory, ctx context.Context, l *workqueue.Lease, o workqueue.Outcome) error {
		o.Error = ""
		return m.Settle(ctx, l, o)
	}}},
}

// TestMutant is no test by itself: it is what TestFaultsAreFound runs, and is to fail.
func TestMutant(t *testing.T) {
	f, ok := faults[os.Getenv("MUTANT")]
	if !ok {
		return
	}
	workqueuetest.Run(t, workqueuetest.Backend{Patience: 3 * time.Second, Store: func(t *testing.T, _ string, l workqueue.Limits) workqueue.Store {
		if f.limits != nil {
			f.limits(&l)
		}
		m, err := workqueue.NewMemory(l)
		if err != nil {
			t.Fatal(err)
		}
		broken := f.mutant
		broken.Memory = m
		return &broken
	}})
}

// Each fault is found by the clause that is about it.
func TestFaultsAreFound(t *testing.T) {
	t.Parallel()
	for name, f := range faults {
		t.Run(name, func(t *testing.T) {
			clause := strings.ReplaceAll(f.clause, " ", "_")
			cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestMutant$/^"+clause+"$", "-test.v")
			cmd.Env = append(os.Environ(), "MUTANT="+name)
			out, err := cmd.CombinedOutput()
			if !strings.Contains(string(out), "--- FAIL: TestMutant/"+clause) {
				t.Errorf("the clause %q does not find that a store %s: %v\n%s", f.clause, name, err, out)
			}
		})
	}
}
