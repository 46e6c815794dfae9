package redis_test

import (
	"testing"
	"time"

	"github.com/redis/rueidis"

	"github.com/portico-go/portico/channellayer/redis"
	"github.com/portico-go/portico/channellayer/workqueue"
	"github.com/portico-go/portico/channellayer/workqueue/workqueuetest"
)

// openJobs returns a store on the servers that o names.
func openJobs(t testing.TB, o redis.JobStoreOptions) *redis.JobStore {
	t.Helper()
	s, err := redis.NewJobStore(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func TestJobsStandalone(t *testing.T) {
	t.Parallel()
	s := launch(t, durable)
	workqueuetest.Run(t, workqueuetest.Backend{
		Store: func(t *testing.T, space string, l workqueue.Limits) workqueue.Store {
			store, err := redis.OpenJobStore("redis://"+s.addr+"/0?prefix="+space+":", l)
			if err != nil {
				t.Fatal(err)
			}
			return store
		},
		Stop:     func(*testing.T) { s.kill() },
		Start:    func(*testing.T) { s.start() },
		Patience: patience,
	})
}

func TestJobsCluster(t *testing.T) {
	t.Parallel()
	servers := launchCluster(t, 0)
	workqueuetest.Run(t, workqueuetest.Backend{
		Store: func(t *testing.T, space string, l workqueue.Limits) workqueue.Store {
			return openJobs(t, redis.JobStoreOptions{Client: rueidis.ClientOption{InitAddress: addresses(servers)}, Prefix: space + ":", Limits: l})
		},
		Patience: patience,
	})
}

func TestJobsSentinel(t *testing.T) {
	t.Parallel()
	_, _, options := launchSentinels(t, time.Hour)
	workqueuetest.Run(t, workqueuetest.Backend{
		Store: func(t *testing.T, space string, l workqueue.Limits) workqueue.Store {
			return openJobs(t, redis.JobStoreOptions{Client: options.Client, Prefix: space + ":", Limits: l})
		},
		Patience: patience,
	})
}
