//go:build unix

package redis_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/portico-go/portico/channellayer/workqueue"
)

// A server that has gone silent, without a broken connection, is an error within seconds, and used again when it speaks.
func TestJobsOfASilentServer(t *testing.T) {
	t.Parallel()
	s := launch(t, nil)
	q := newQueue(t, standalone(s.addr))
	ctx, cancel := context.WithTimeout(t.Context(), 3*patience)
	defer cancel()
	if err := numbered(ctx, q, "numbers", 1); err != nil {
		t.Fatal(err)
	}
	waiting := make(chan error, 1)
	go func() {
		_, err := q.Take(ctx, "nothing", 1)
		waiting <- err
	}()
	freeze(t, s)
	began := time.Now()
	err := numbered(ctx, q, "numbers", 2)
	if took := time.Since(began); err == nil || took > 15*time.Second {
		t.Errorf("enqueue into silence: %v after %v, expected an error within seconds", err, took)
	}
	select {
	case err := <-waiting:
		if err == nil {
			t.Error("a job came out of silence")
		}
	case <-time.After(patience):
		t.Error("Take waits for ever")
	}
	thaw(t, s)
	await(t, "the server is used again", func() bool { return numbered(ctx, q, "numbers", 3) == nil })
	leases, err := q.Take(ctx, "numbers", 1)
	if err != nil || len(leases) != 1 {
		t.Fatalf("%d jobs, %v; expected one", len(leases), err)
	}
	if err := q.Settle(ctx, leases[0], workqueue.Outcome{}); err != nil && !errors.Is(err, workqueue.ErrLeaseLost) {
		t.Error(err)
	}
}
