package worker_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/portico-go/portico/channellayer"
	"github.com/portico-go/portico/channellayer/workqueue"
	"github.com/portico-go/portico/consumer"
	"github.com/portico-go/portico/router"
	"github.com/portico-go/portico/worker"
)

func ExampleNew() {
	queue, err := workqueue.New(workqueue.Config{})
	if err != nil {
		panic(err)
	}
	defer queue.Close()
	ctx, stop := context.WithCancel(context.Background())

	type mail struct{ To string }
	send := func(_ context.Context, job *consumer.Job, m mail) error {
		if m.To == "" {
			return workqueue.Permanent(errors.New("nobody to send it to"))
		}
		fmt.Println("sent to", m.To)
		return nil
	}
	app := router.ChannelNameRouter{"mail": &consumer.Jobs{Handlers: consumer.JobHandlers{"mail.send": consumer.Do(send)}}}

	for _, m := range []mail{{"alice"}, {}} {
		_, _ = queue.Enqueue(ctx, "mail", channellayer.Event{Type: "mail.send", Value: m})
	}
	left := 2
	err = worker.New(app, worker.Config{Queue: queue, Report: func(r worker.Report) {
		if r.Outcome.Verdict == workqueue.Bury {
			fmt.Println("dead:", r.Err)
		}
		if left--; left == 0 { // one at a time: Concurrency is 1
			stop()
		}
	}}).Run(ctx)
	fmt.Println(err)
	// Output:
	// sent to alice
	// dead: nobody to send it to
	// <nil>
}
