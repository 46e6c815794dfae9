package redis_test

import (
	"fmt"
	"os"
	"regexp"
	"strings"
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

// The rights that the guide names are enough, and keys under another prefix are not among them.
func TestJobsRights(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/workers.md")
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile("with ACLs: `([^`]+)` and the keys `([^`]+)`").FindStringSubmatch(string(page))
	if m == nil {
		t.Fatal("the page names no rights")
	}
	s := launch(t, []string{"user default off", "user jobs on >secret resetkeys resetchannels -@all " + m[2] + " " + m[1]})
	client := rueidis.ClientOption{InitAddress: []string{s.addr}, Username: "jobs", Password: "secret"}
	workqueuetest.Run(t, workqueuetest.Backend{
		Store: func(t *testing.T, space string, l workqueue.Limits) workqueue.Store {
			// Its own part of what the rights allow.
			return openJobs(t, redis.JobStoreOptions{Client: client, Prefix: "portico:jobs:" + space + ":", Limits: l})
		},
		Patience: patience,
	})
	other := openJobs(t, redis.JobStoreOptions{Client: client, Prefix: "other:"})
	if _, err := other.Stats(t.Context(), "c"); err == nil || !strings.Contains(err.Error(), "NOPERM") {
		t.Errorf("keys under another prefix: %v, expected NOPERM", err)
	}
}

// What somebody else has put into the stream is buried, and does no harm.
func TestDamagedJobsAreBuried(t *testing.T) {
	t.Parallel()
	s := launch(t, nil)
	q := newQueue(t, standalone(s.addr))
	s.do("XADD", "portico:jobs:{numbers}:ready", "*", "j", "not a job")
	if err := numbered(t.Context(), q, "numbers", 1); err != nil {
		t.Fatal(err)
	}
	leases, err := q.Take(t.Context(), "numbers", 1)
	if err != nil || len(leases) != 1 {
		t.Fatalf("%d jobs, %v; expected the one behind the damage", len(leases), err)
	}
	dead, err := q.Dead(t.Context(), "numbers", 0, 10)
	if err != nil || len(dead) != 1 || string(dead[0].Payload) != "not a job" || !strings.Contains(dead[0].Error, "bad record") {
		t.Errorf("dead: %v, %v; expected the damage", dead, err)
	}
}

func TestJobStoreOptions(t *testing.T) {
	t.Parallel()
	for want, o := range map[string]redis.JobStoreOptions{
		"InitAddress": {},
		"brace":       {Client: standalone("127.0.0.1:6379"), Prefix: "{x}"},
		"negative":    {Client: standalone("127.0.0.1:6379"), Limits: workqueue.Limits{Capacity: -1}},
	} {
		if _, err := redis.NewJobStore(o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, expected %q", o, err, want)
		}
	}
	if _, err := redis.OpenJobStore("redis://:hunter2@host:port", workqueue.Limits{}); err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("a bad URL: %v, expected an error without the password", err)
	}
}

func ExampleOpenJobStore() {
	store, err := redis.OpenJobStore("redis://127.0.0.1:6379/0?prefix=shop:", workqueue.Limits{Lease: 20 * time.Second})
	if err != nil {
		panic(err)
	}
	queue, _ := workqueue.New(workqueue.Config{Store: store}) // which closes the store
	defer queue.Close()
}

func ExampleNewJobStore() {
	_, err := redis.NewJobStore(redis.JobStoreOptions{
		Client: rueidis.ClientOption{InitAddress: []string{"127.0.0.1:6379"}},
		Limits: workqueue.Limits{Capacity: -1},
	})
	fmt.Println(err)
	// Output: workqueue: limits: Capacity (-1), Dead (0), Lease (0s) and Window (0s) must not be negative; zero means the default
}
