// Package nats joins the hubs of several processes through NATS servers, by core NATS subjects.
//
// # Usage
//
//	broker, err := nats.Open("nats://nats-1.internal:4222,nats://nats-2.internal:4222")
//	hub, err := channellayer.New(channellayer.Config{Broker: broker})
//
// [Open] takes a URL, [New] all options of the client nats.go: credentials, TLS, names.
//
// # Concurrency and ordering
//
// A [Broker] is safe for concurrent use, and belongs to one hub. It has one connection. A publish is handed to the connection and does not
// wait for the server. One goroutine passes on what comes, in the order in which the server sent it.
//
// A subscription is confirmed by the server that the node is connected to. In a cluster of servers the others learn of it a moment later, so a send
// on another server that follows a join at once may be missed.
//
// # Limits
//
// Delivery is at most once. Servers take messages of a mebibyte unless max_payload says otherwise, and a message's envelope has some bytes more than its payload: a
// greater one is an error that matches channellayer.ErrTooLarge. 8,192 envelopes wait in the process; when there is no room for one, members are told of a gap.
//
// # Extending
//
// Several layers share servers under prefixes of their own. An account that may publish to and subscribe to "portico.>" is enough.
//
// # Errors
//
// Open and New report wrong options. Credentials that the server refuses are an error of channellayer.New. Everything else is tried again, after a pause that
// doubles up to a second and has a random part; the hub says meanwhile that the broker is down. A server that has not answered two pings, one
// every 2 s, is taken for gone.
package nats
