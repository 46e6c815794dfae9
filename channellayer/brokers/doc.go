// Package brokers opens the broker that a URL names, for programs whose users choose it.
//
// # Usage
//
//	broker, err := brokers.Open(os.Getenv("LAYER")) // redis://… or nats://…
//	hub, err := channellayer.New(channellayer.Config{Broker: broker})
//
// A program with one broker needs this no more than the other broker's client library, which comes with it: it calls redis.Open or nats.Open itself.
//
// # Concurrency and ordering
//
// [Open] may be called by any goroutine. A broker belongs to one hub.
//
// # Limits
//
// What a URL can say, the page of the broker's own package tells.
//
// # Extending
//
// There is no registry: a program with another broker looks at the URL's scheme itself, and leaves the rest to Open.
//
// # Errors
//
// An unknown scheme is an error that names those that are known. No error shows a password.
package brokers
