// Package workqueue keeps jobs until somebody has done them: whoever has one to be done puts it into a [Queue] under the name of a channel, such as "thumbnails",
// and one of the workers of that channel, in this process or in another, does it. The package worker runs them.
//
// # Usage
//
//	queue, err := workqueue.New(workqueue.Config{}) // in memory; with Config.Store in Redis or NATS
//	receipt, err := queue.Enqueue(ctx, "thumbnails", channellayer.Event{Type: "photo.added", Value: Photo{ID: 7}},
//		workqueue.Key("photo-7"),          // once, however often it is enqueued
//		workqueue.Delay(10*time.Second),   // not before then
//		workqueue.Expiry(time.Hour))       // not any more after that
//
// Who does jobs without the package worker takes a [Lease] with [Queue.Take], and settles it.
//
// # Concurrency and ordering
//
// Everything is safe for concurrent use. Jobs of a channel are started in about the order in which they were enqueued; no order is promised: several workers
// take them at a time, and one that has to be tried again comes later.
//
// A job is done at least once. It is leased to one worker at a time, which says when it is done; if the worker dies, or does not extend the lease in time, another
// takes it. So a job can run twice, and even at the same time, when a worker was cut off without knowing it: jobs should be such that this does no harm. [Job.ID] and [Job.Attempt] help.
//
// # Limits
//
// See [Limits]: jobs that are not done are bounded per channel, and who enqueues one more gets an error that matches [ErrFull]; dead jobs are bounded too, of which the oldest are dropped.
// Names have 255 bytes, a payload 16 MiB, a header 64 fields, as in the channel layer; the store's server may allow less.
//
// # Extending
//
// A [Store] keeps the jobs, and is five methods; [Inspector] is what it can show. [Memory] is one, channellayer/redis has another. [AppendJob] and [ParseJob] are a form in
// which a store can keep a job. The package workqueuetest proves a store.
//
// # Errors
//
// See the sentinels, from [ErrClosed] on. Any other error of a store means that it cannot be reached now; what was asked for may have been done or not. To enqueue again with
// the same [Key] is safe. A job's handler returns [Permanent] or [RetryAfter] if it knows better than the worker when to try again.
package workqueue
