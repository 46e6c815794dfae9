// Package workqueuetest proves that a store keeps jobs as package workqueue promises: [Run] holds it to every clause of that contract.
//
// # Usage
//
// Write one test, in the package of the store, that says how to make one and how to take its server away:
//
//	func TestStore(t *testing.T) {
//		server := start(t) // a real one, on a port of its own, that keeps what it acknowledged
//		workqueuetest.Run(t, workqueuetest.Backend{
//			Store: func(t *testing.T, space string, l workqueue.Limits) workqueue.Store {
//				return open(t, server.URL, space, l)
//			},
//			Stop:  func(*testing.T) { server.Kill() },
//			Start: func(*testing.T) { server.Start() },
//		})
//	}
//
// # What it holds a store to
//
// Jobs whole, with names of every kind; about the order of enqueueing; one worker for each job; capacity per channel; keys and their window; delays; attempts counted, but not those that
// were given back; leases that run out and leases that are extended, and that a lost one settles nothing; dead jobs listed, revived, removed and bounded; a Take that waits, and that
// loses nothing when it is cancelled at any moment; closing. With a server: several processes, one that dies, and a server that is killed and comes back with all it had acknowledged.
//
// # Concurrency and ordering
//
// The clauses run one after the other. Each has a space of its own.
//
// # Limits
//
// A clause waits up to Backend.Patience for what should come soon, and never for nothing to come: it enqueues one more job, and looks at what comes before that one.
//
// # Extending
//
// A clause is a function of the suite in one of its lists.
//
// # Errors
//
// Every failure is reported through testing.TB, with the clause as the name of the subtest.
package workqueuetest
