// Package worker runs the jobs of a work queue: it takes them from a workqueue.Queue and serves each as a connection of the protocol "channel", in this process
// beside a server, or in one of its own.
//
// # Usage
//
//	app := router.ProtocolTypeRouter{
//		"http":    site,
//		"channel": router.ChannelNameRouter{"thumbnails": &consumer.Jobs{Layer: hub, Handlers: consumer.JobHandlers{"photo.added": consumer.Do(makeThumbnail)}}},
//	}
//	w := worker.New(app, worker.Config{Queue: queue, Policy: worker.Policy{Concurrency: 8}})
//	err := w.Run(ctx) // until ctx is cancelled and everything that runs is done or given back
//
// Scope.Channel is the name of the job's channel, and the scope's headers are those of the job, traceparent among them, so middleware serves jobs as it serves requests. The one event is
// a *workqueue.Job. The handler that returns nil has done it. docs/workers.md is the guide.
//
// # Concurrency and ordering
//
// Of each channel as many jobs run at a time as its [Policy] says, each on a goroutine of its own, and no more are taken than can run: what waits, waits in the queue, for every worker.
// They begin in about the order in which they were enqueued. While a handler runs its lease is extended, so a lease can be short and a job long.
//
// # Limits
//
// A job is tried ten times, with a growing pause from a second to five minutes between, and is dead then; a handler has half an hour. See [Policy].
//
// # Extending
//
// Config.Report is told of each attempt, for metrics. Where the jobs are kept is the workqueue.Store's matter.
//
// # Errors
//
// What is wrong with the configuration is one error of [Worker.Run], before any job is taken. A handler's error, a panic included, makes the job be tried again; an error of
// workqueue.Permanent, and a *protocol.Reject with a status below 500, make it dead at once. That the queue cannot be reached is logged, and tried again for ever.
package worker
