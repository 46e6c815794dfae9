// Package presencetest proves that presence works over a broker: [Run] holds trackers on hubs that are joined by it to every clause of docs/channel-layer.md on presence.
//
// # Usage
//
// The [layertest.Backend] is the one that the suite of the layer takes:
//
//	func TestPresence(t *testing.T) {
//		server := start(t) // a real one, on a port of its own
//		presencetest.Run(t, layertest.Backend{
//			Broker: func(t *testing.T) channellayer.Broker { return open(t, server.URL) },
//			Stop:   func(*testing.T) { server.Kill() },
//			Start:  func(*testing.T) { server.Start() },
//		})
//	}
//
// # Concurrency and ordering
//
// The clauses run one after the other, because some of them stop the server. Each makes its own nodes and groups.
//
// # Limits
//
// A clause waits up to Backend.Patience for what should come. That something does not come is shown by something else that comes after it.
// Leases are a second or a few long, so that the suite takes seconds. All nodes must have found the server again within 4 s of each other.
//
// # Extending
//
// How presence lives with a network that loses messages in silence is tested in the package presence itself, in virtual time: that needs no server.
//
// # Errors
//
// Every failure is reported through testing.TB, with the clause as the name of the subtest.
package presencetest
