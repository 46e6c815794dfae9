package nats_test

import (
	"testing"

	"github.com/portico-go/portico/channellayer/nats"
	"github.com/portico-go/portico/channellayer/workqueue"
	"github.com/portico-go/portico/channellayer/workqueue/workqueuetest"
)

func newJobStore(t testing.TB, o nats.JobStoreOptions) *nats.JobStore {
	t.Helper()
	s, err := nats.NewJobStore(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func TestJobs(t *testing.T) {
	t.Parallel()
	s := launch(t, jetStream(t))
	url := s.url()
	workqueuetest.Run(t, workqueuetest.Backend{
		Store: func(t *testing.T, space string, l workqueue.Limits) workqueue.Store {
			return newJobStore(t, nats.JobStoreOptions{URL: url, Prefix: space + ".", Limits: l})
		},
		Stop:     func(*testing.T) { s.stop() },
		Start:    func(*testing.T) { s.start() },
		Patience: patience,
	})
}
