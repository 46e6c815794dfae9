// Package nats joins the hubs of several processes through NATS servers, by core NATS subjects, and keeps history and the jobs of work queues in JetStream.
//
// # Usage
//
//	broker, err := nats.Open("nats://nats-1.internal:4222,nats://nats-2.internal:4222")
//	hub, err := channellayer.New(channellayer.Config{Broker: broker})
//
//	store, err := nats.OpenJobStore("nats://nats-1.internal:4222,nats://nats-2.internal:4222", workqueue.Limits{})
//	queue, err := workqueue.New(workqueue.Config{Store: store})
//
// [Open] and [OpenJobStore] take a URL, [New] and [NewJobStore] all options of the client nats.go: credentials, TLS, names. The two need nothing of each other.
//
// # Concurrency and ordering
//
// A [Broker] is safe for concurrent use, and belongs to one hub. It has one connection. A publish is handed to the connection and does not
// wait for the server. One goroutine passes on what comes, in the order in which the server sent it.
//
// A subscription is confirmed by the server that the node is connected to. In a cluster of servers the others learn of it a moment later, so a send
// on another server that follows a join at once may be missed.
//
// A [Broker] is a channellayer.Log too: a send to a group with history is one message to a JetStream stream, which stores it, publishes it once more with its sequence, and answers. Many
// senders wait for their answers at a time.
//
// A [JobStore] belongs to one queue, and has a connection of its own. A job is one message of a stream; whoever settles a job replaces or deletes that message, which only one can do.
//
// # Limits
//
// Delivery is at most once, but for groups with history: with files and "sync_interval: always", or with three replicas, no acknowledged message of those is lost by a crash.
// Servers take messages of a mebibyte unless max_payload says otherwise, and a message's envelope has some bytes more than its payload: a
// greater one is an error that matches channellayer.ErrTooLarge. 8,192 envelopes wait in the process; when there is no room for one, members are told of a gap.
//
// # Extending
//
// Several layers share servers under prefixes of their own. An account that may publish to and subscribe to "portico.>" is enough; with JetStream it must publish to "$JS.API.>" and "$JS.ACK.>" and subscribe
// to "_INBOX.>" too.
//
// # Errors
//
// Open and New report wrong options. Credentials that the server refuses are an error of channellayer.New, and so is a server that is not fit for the history that is asked for: without JetStream, older than
// 2.11, or with a stream of that name that is another one. Everything else is tried again, after a pause that
// doubles up to a second and has a random part; the hub says meanwhile that the broker is down. A server that has not answered two pings, one
// every 2 s, is taken for gone.
package nats
