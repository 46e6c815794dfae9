// Package redis joins the hubs of several processes through a Redis server, Sentinel or Cluster, version 6.2 or newer, or Valkey, and keeps the jobs of work queues there.
//
// # Usage
//
//	broker, err := redis.Open("redis://user:secret@redis.internal:6379")
//	hub, err := channellayer.New(channellayer.Config{Broker: broker})
//
//	store, err := redis.OpenJobStore("redis://user:secret@redis.internal:6379", workqueue.Limits{})
//	queue, err := workqueue.New(workqueue.Config{Store: store})
//
// [Open] and [OpenJobStore] take a URL, [New] and [NewJobStore] all options of the client rueidis: Sentinel, Cluster, TLS, dialers. The two need nothing of each other.
//
// # Concurrency and ordering
//
// A [Broker] is safe for concurrent use, and belongs to one hub. A message is one PUBLISH, which waits for the server's answer; concurrent ones share a
// round trip. Each node listens on one connection, or on one for each lane with Options.Sharded; a subject's messages keep to one.
//
// A [Broker] is a channellayer.Log too: the history of a group is a stream and a hash in one slot. A send is one script, which appends and publishes.
//
// A [JobStore] belongs to one queue. Each of its steps is one script over the keys of one channel, which have one slot.
//
// # Limits
//
// Delivery is at most once, but for groups with history. A node that reads too slowly is disconnected by the server (client-output-buffer-limit pubsub), which is a
// gap that its members are told of, as any other lost connection. The server needs neither persistence nor memory for this: it keeps nothing, unless
// there is history. With appendonly yes and appendfsync always no acknowledged message of that is lost by a crash.
//
// # Extending
//
// Several layers share a server under prefixes of their own. In a Cluster, PUBLISH goes to every server of it, and so the Cluster carries
// no more than one server would; with Options.Sharded (Redis 7) messages go to the servers of one shard, chosen by the subject.
//
// # Errors
//
// Open and New report wrong options. A password that the server refuses is an error of channellayer.New. Everything else is tried again, after a pause that
// doubles up to a second and has a random part; the hub says meanwhile that the broker is down. The server is taken for gone when it has not
// returned for 5 s what each node sends to itself every second.
package redis
