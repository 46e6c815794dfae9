package worker_test

import (
	"context"
	"testing"
	"testing/synctest"

	"github.com/portico-go/portico/auth"
	"github.com/portico-go/portico/consumer"
	"github.com/portico-go/portico/middleware"
	"github.com/portico-go/portico/middleware/session"
	"github.com/portico-go/portico/protocol"
	"github.com/portico-go/portico/worker"
)

// What stands around a site stands around its jobs too, and lets them pass.
func TestJobsBehindTheStackOfASite(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		users, err := auth.Users(map[string]string{"alice": "wonderland"})
		if err != nil {
			t.Fatal(err)
		}
		stack := protocol.Chain(
			middleware.AllowedHosts(),
			middleware.SameOrigin(middleware.SameOriginConfig{}),
			auth.Stack(users, session.New(session.NewMemoryStore(), session.Config{})),
		)
		known := true
		b := start(t, stack(numbers(func(_ context.Context, job *consumer.Job, _ int) error {
			known = auth.From(job.Conn.Scope()).IsAuthenticated()
			return nil
		})), worker.Config{})
		b.put(1)
		if r := <-b.reports; r.Err != nil || known {
			t.Errorf("%+v, a known user: %v; expected a job that was done for nobody", r, known)
		}
		if err := b.end(); err != nil {
			t.Error(err)
		}
	})
}
