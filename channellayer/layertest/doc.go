// Package layertest proves that a broker carries a channel layer: [Run] holds hubs that are joined by it to every clause of the layer's contract.
//
// # Usage
//
// Write one test, in the package of the broker, that says how to make one and how to take its server away:
//
//	func TestLayer(t *testing.T) {
//		server := start(t) // a real one, on a port of its own
//		layertest.Run(t, layertest.Backend{
//			Broker: func(t *testing.T) channellayer.Broker { return open(t, server.URL) },
//			Stop:   func(*testing.T) { server.Kill() },
//			Start:  func(*testing.T) { server.Start() },
//		})
//	}
//
// # What it holds a broker to
//
// Order per sender and group; at most one delivery; a queue per subscriber, and expiry; events and broadcasts with types, headers and payloads whole, up to a mebibyte;
// Except and Where across nodes; names of every kind, told apart; channels of other nodes; one publish for a group send and none received by a node without members; joins that hold when they
// return, also when many goroutines join and leave at once; leaving, closing and contexts that end. When the server goes: members are told, this process goes on, others are an error
// that matches [channellayer.ErrBrokerDown], nothing blocks. When it is back: everything is subscribed to again, members are told, messages cross.
// The clauses for a hub alone are run too, with the broker, and without one if Backend.Broker is nil.
//
// [History] holds a broker that is a [channellayer.Log] to the clauses about groups with history: one order for all, idempotency keys, trimming, recoveries that are exact or say that they are not, also
// while messages are sent, lost on their way, or the server goes. [Crashes] does so under load for as long as you like.
//
// # Concurrency and ordering
//
// The clauses run one after the other, because some of them stop the server. Each makes its own hubs, and groups with names of their own.
//
// # Limits
//
// A clause waits up to Backend.Patience for what should come soon, and never for nothing to come: it sends one more message along
// the same way, and looks at what came before that one.
//
// # Extending
//
// [Loopback] is a broker within one process, for tests of programs that run several hubs. It passes the suite, and shows how little a broker is.
//
// # Errors
//
// Every failure is reported through testing.TB, with the clause as the name of the subtest.
package layertest
