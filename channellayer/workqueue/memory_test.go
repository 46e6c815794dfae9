package workqueue_test

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/portico-go/portico/channellayer/workqueue"
	"github.com/portico-go/portico/channellayer/workqueue/workqueuetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestMemory(t *testing.T) {
	t.Parallel()
	workqueuetest.Run(t, workqueuetest.Backend{Store: func(t *testing.T, _ string, l workqueue.Limits) workqueue.Store {
		m, err := workqueue.NewMemory(l)
		if err != nil {
			t.Fatal(err)
		}
		return m
	}})
}
