package channellayer

import "context"

// A Broker carries envelopes between the hubs of several processes, its nodes, and knows nothing of what is in them. All that a layer promises is the
// hub's work, so a broker is small: channellayer/redis and channellayer/nats are brokers, and channellayer/layertest proves another one.
//
// A subject is one of the hub's names for a group or a node: letters, digits, "-", "_" and ".", up to 800 bytes. A broker puts a prefix of its own before
// it, so that several layers can share a server.
//
// A broker belongs to one hub. Publish is called by many goroutines at a time; Subscribe and Unsubscribe by one at a time. Every method returns when its context ends,
// and Publish within seconds without that, also when the server has gone silent.
type Broker interface {
	// Start begins to connect, and goes on connecting again until Close, with a growing, jittered pause between attempts. It makes the first attempt
	// before it returns, within ctx, and reports its outcome with r.Up or r.Down. It returns an error only for
	// what trying again cannot mend, such as a wrong option.
	Start(ctx context.Context, r Receiver) error
	// Publish hands an envelope to all nodes that have subscribed to the subject; this one may get it too. What one goroutine publishes one after the other to a
	// subject arrives in that order, at most once. The envelope is the broker's from now on. Nil means that the server, or the connection to it, has taken
	// it; without a connection it is an error at once. An envelope that the server can never take is an error that matches ErrTooLarge.
	Publish(ctx context.Context, subject string, envelope []byte) error
	// Subscribe returns when every Publish of any node that begins from now on reaches this one. Subscribing again is no error. An error
	// means that some of the subjects may be subscribed to and some not.
	Subscribe(ctx context.Context, subjects ...string) error
	// Unsubscribe is the opposite. Unsubscribing from what was not subscribed to is no error.
	Unsubscribe(ctx context.Context, subjects ...string) error
	// Close disconnects, and returns when no goroutine of the broker is left: the receiver is not called again.
	Close() error
}

// A Receiver is a hub as its [Broker] sees it. Its methods do not wait for anything, and may be called by any goroutine.
type Receiver interface {
	// Message delivers an envelope. Those of one subject come one at a time, in the order in which the server had them. The envelope remains the broker's.
	Message(subject string, envelope []byte)
	// Entry delivers an entry of a [Log], in the log's order within one subject. Some may be missing, and some come twice. The entry is the receiver's from now on.
	Entry(subject string, e Entry)
	// Up says that the broker is connected, and that no subject is subscribed to: the hub subscribes to all it needs.
	Up()
	// Down says that from some moment until the next Up messages may be missing, and why. A broker that notices a gap without a lost connection
	// says Down and then Up.
	Down(err error)
}

// How a hub names its subjects.
const (
	groupSubject = "g." // and the group's token
	logSubject   = "h." // the same for a group with history
	inboxSubject = "n." // and the node's id: what is sent to the channels of that node
)
