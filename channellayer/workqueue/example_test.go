package workqueue_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/portico-go/portico/channellayer"
	"github.com/portico-go/portico/channellayer/workqueue"
)

func ExampleNew() {
	queue, err := workqueue.New(workqueue.Config{})
	if err != nil {
		panic(err)
	}
	defer queue.Close()
	ctx := context.Background()

	photo := channellayer.Event{Type: "photo.added", Value: map[string]int{"id": 7}}
	_, _ = queue.Enqueue(ctx, "thumbnails", photo, workqueue.Key("photo-7"))
	again, _ := queue.Enqueue(ctx, "thumbnails", photo, workqueue.Key("photo-7"))
	fmt.Println("again:", again.Duplicate)

	leases, _ := queue.Take(ctx, "thumbnails", 1)
	job := leases[0].Job
	fmt.Printf("%s %s, attempt %d\n", job.Type, job.Payload, job.Attempt)
	_ = queue.Settle(ctx, leases[0], workqueue.Outcome{Verdict: workqueue.Bury, Error: "no such photo"})

	dead, _ := queue.Dead(ctx, "thumbnails", 0, 10)
	fmt.Println("dead:", dead[0].Error)
	_ = queue.Revive(ctx, "thumbnails", dead[0].ID)
	// Output:
	// again: true
	// photo.added {"id":7}, attempt 1
	// dead: no such photo
}

func ExampleNewMemory() {
	store, err := workqueue.NewMemory(workqueue.Limits{Capacity: 1, Lease: 10 * time.Second})
	if err != nil {
		panic(err)
	}
	queue, _ := workqueue.New(workqueue.Config{Store: store})
	defer queue.Close()
	for range 2 {
		_, err = queue.Enqueue(context.Background(), "mail", channellayer.Event{Type: "mail.send"})
	}
	fmt.Println(errors.Is(err, workqueue.ErrFull))
	// Output: true
}
