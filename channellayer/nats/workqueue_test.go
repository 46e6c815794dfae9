package nats_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/portico-go/portico/channellayer"
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

// A key is known after a restart of the server, also if its job is done.
func TestKeysOutliveTheServer(t *testing.T) {
	t.Parallel()
	p := launchDurable(t)
	q := newQueue(t, p.url())
	if err := enqueue(t.Context(), q, 1); err != nil {
		t.Fatal(err)
	}
	leases, err := q.Take(t.Context(), "numbers", 1)
	if err != nil || len(leases) != 1 {
		t.Fatalf("%d jobs, %v", len(leases), err)
	}
	if err := q.Settle(t.Context(), leases[0], workqueue.Outcome{}); err != nil {
		t.Fatal(err)
	}
	p.kill()
	p.start()
	eventually(t, "the server is used again", func() bool { return enqueue(t.Context(), q, 1) == nil })
	if st, err := q.Stats(t.Context(), "numbers"); err != nil || st != (workqueue.Stats{}) {
		t.Errorf("%+v, %v: the key was forgotten", st, err)
	}
}

// What somebody else has put into the stream is buried, and does no harm.
func TestDamagedJobsAreBuried(t *testing.T) {
	t.Parallel()
	s := launch(t, jetStream(t))
	q := newQueue(t, s.url())
	if err := enqueue(t.Context(), q, 1); err != nil {
		t.Fatal(err)
	}
	if _, err := manage(t, s.url()).Publish(t.Context(), "portico.jobs."+channellayer.Token("numbers")+".x", []byte("not a job")); err != nil {
		t.Fatal(err)
	}
	if err := enqueue(t.Context(), q, 2); err != nil {
		t.Fatal(err)
	}
	for got := 0; got < 2; {
		leases, err := q.Take(t.Context(), "numbers", 2)
		if err != nil {
			t.Fatal(err)
		}
		got += len(leases)
	}
	dead, err := q.Dead(t.Context(), "numbers", 0, 10)
	if err != nil || len(dead) != 1 || string(dead[0].Payload) != "not a job" || !strings.Contains(dead[0].Error, "bad record") {
		t.Errorf("dead: %v, %v; expected the damage", dead, err)
	}
}

// The rights that the page about deployment names are enough.
func TestRights(t *testing.T) {
	t.Parallel()
	o := jetStream(t)
	o.Users = []*server.User{{Username: "alice", Password: "x", Permissions: &server.Permissions{
		Publish:   &server.SubjectPermission{Allow: []string{"portico.>", "$JS.API.>", "$JS.ACK.>"}},
		Subscribe: &server.SubjectPermission{Allow: []string{"portico.>", "_INBOX.>"}},
	}}}
	s := launch(t, o)
	url := "nats://alice:x@" + s.running.Addr().String()
	h, err := logHub(t, url, anHour)
	if err != nil {
		t.Fatal(err)
	}
	first := say(t, h, 1)
	say(t, h, 2)
	recovers(t, h, first, channellayer.GapNone, 2)
	q := newQueue(t, url)
	if err := enqueue(t.Context(), q, 1); err != nil {
		t.Fatal(err)
	}
	leases, err := q.Take(t.Context(), "numbers", 1)
	if err != nil || len(leases) != 1 {
		t.Fatalf("%d jobs, %v", len(leases), err)
	}
	if err := q.Extend(t.Context(), leases[0]); err != nil {
		t.Error(err)
	}
	if err := q.Settle(t.Context(), leases[0], workqueue.Outcome{Verdict: workqueue.Bury}); err != nil {
		t.Error(err)
	}
	if dead, err := q.Dead(t.Context(), "numbers", 0, 1); err != nil || len(dead) != 1 {
		t.Errorf("%d dead jobs, %v", len(dead), err)
	}
}

// A stream that has as many bytes as it may takes no more jobs, and keeps those that it has.
func TestFullStream(t *testing.T) {
	t.Parallel()
	s := launch(t, jetStream(t))
	store := newJobStore(t, nats.JobStoreOptions{URL: s.url(), Stream: nats.StreamOptions{MaxBytes: 10_000}})
	q, err := workqueue.New(workqueue.Config{Store: store})
	if err != nil {
		t.Fatal(err)
	}
	kept := 0
	for err == nil {
		if _, err = q.Enqueue(t.Context(), "c", channellayer.Event{Type: "t", Value: strings.Repeat("x", 1000)}); err == nil {
			kept++
		}
	}
	if st, errStats := q.Stats(t.Context(), "c"); errStats != nil || st.Waiting != kept || kept < 5 || !strings.Contains(err.Error(), "maximum bytes") {
		t.Errorf("%d jobs were taken, then %v; %+v are left (%v)", kept, err, st, errStats)
	}
	leases, err := q.Take(t.Context(), "c", 1)
	if err != nil || len(leases) != 1 {
		t.Fatalf("%d jobs, %v", len(leases), err)
	}
	if err := q.Settle(t.Context(), leases[0], workqueue.Outcome{}); err != nil {
		t.Error(err)
	}
}

func TestJobStoreOptions(t *testing.T) {
	t.Parallel()
	for want, o := range map[string]nats.JobStoreOptions{
		"URL is empty": {},
		"Prefix":       {URL: "nats://127.0.0.1", Prefix: "x"},
		"Stream":       {URL: "nats://127.0.0.1", Stream: nats.StreamOptions{Replicas: 7}},
		"negative":     {URL: "nats://127.0.0.1", Limits: workqueue.Limits{Capacity: -1}},
	} {
		if _, err := nats.NewJobStore(o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, expected %q", o, err, want)
		}
	}
	if _, err := nats.OpenJobStore("nats://alice:hunter2@127.0.0.1:por", workqueue.Limits{}); err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("a bad URL: %v, expected an error without the password", err)
	}
}

func ExampleOpenJobStore() {
	store, err := nats.OpenJobStore("nats://127.0.0.1:4222?prefix=shop.", workqueue.Limits{Lease: 20 * time.Second})
	if err != nil {
		panic(err)
	}
	queue, _ := workqueue.New(workqueue.Config{Store: store}) // which closes the store
	defer queue.Close()
}

func ExampleNewJobStore() {
	_, err := nats.NewJobStore(nats.JobStoreOptions{
		URL:    "nats://nats-1.internal:4222,nats://nats-2.internal:4222",
		Stream: nats.StreamOptions{Replicas: 3},
		Limits: workqueue.Limits{Capacity: -1},
	})
	fmt.Println(err)
	// Output: workqueue: limits: Capacity (-1), Dead (0), Lease (0s) and Window (0s) must not be negative; zero means the default
}
