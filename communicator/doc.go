// Package communicator drives applications in tests, without a network: it stands
// where the server does, and the test plays the client.
//
// # Usage
//
//	func TestChat(t *testing.T) {
//		synctest.Test(t, func(t *testing.T) {
//			alice := communicator.WebSocket(t, app, "/ws/chat/go")
//			if _, err := alice.Connect(); err != nil {
//				t.Fatal(err)
//			}
//			…
//			if !alice.ReceiveNothing(time.Minute) { … } // costs no time
//		})
//	}
//
// WebSocket, Chat and HTTP open connections of portico's own protocols, Protocol one
// of your own by its handshake, and New one of a request that you make. What the channel layer sends reaches the application as it does on a
// server; send to its groups through the layer.
//
// # Concurrency and ordering
//
// A communicator is for one goroutine. The application runs on others, one event
// at a time. In a testing/synctest bubble all waiting is virtual: timeouts, ping
// intervals and receive-nothing checks of hours take no time.
//
// # Limits
//
// A call waits for Timeout at the most. There is no limit on what is queued,
// unless Queue says so.
//
// # Errors
//
// Every call returns the application's error, if it has failed: a test cannot
// overlook a panic. Refusals and closes, which applications send on purpose, are
// errors of the calls that expected something else.
package communicator
