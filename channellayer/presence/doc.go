// Package presence tells who is in a group, on all nodes of a layer: a list, and the changes to it. It needs nothing but a hub, so it works with every broker, and keeps
// nothing on a server. What trackers tell each other is specified in docs/channel-layer.md; why they do it that way is docs/adr/0010.
//
// # Usage
//
//	tracker, err := presence.New(hub, presence.Config{Grace: 5 * time.Second})
//	defer tracker.Close() // before the hub
//
//	err = tracker.Track(ctx, conn.Channel(), "room.go", user.Name, Meta{Device: "phone"}) // until the connection ends
//	list, err := tracker.Watch(ctx, conn.Channel(), "room.go")                            // who is there, and from now on each change
//
// Each [Presence] is one connection. Several of one user have the same key and a Meta each. Changes come as events of the type [EventDiff] with a [Diff] as their value,
// behind what else the connection has to handle, so in a consumer
//
//	Events: consumer.Events[member]{presence.EventDiff: consumer.Event((*member).presenceChanged)}
//
// A Diff can be sent to clients as it is, and they keep their list with it: take out those who left, put in those who joined, replace those who were updated.
//
// # Concurrency and ordering
//
// Everything is safe for concurrent use. A list and the diffs that follow it make up the state at every moment. Each node sees the changes of another one in the order in which
// they were made there; those of two nodes may be seen in different orders by different nodes. Changes that come close together may be one Diff.
// In the end, when nothing changes any more, all nodes that can reach each other have the same list.
//
// A node that is killed is in no list of the others any more when its lease has ended, 15 s after it was heard last; one that is closed is so at once. No clock but each node's
// own is looked at. While the broker is away, and for a lease after it is back, nobody is thrown out: presences of other nodes stay as they were seen last, and those of this node
// come and go as always. Nodes that cannot reach each other for longer than a lease lose each other's presences, and have them again when they can.
//
// # Limits
//
// Metadata has up to 4 KiB of JSON, and a node up to 100,000 presences in a group, unless [Config] says otherwise; a key is a name of up to 255 bytes ([channellayer.CheckName]), and so is
// a group's name together with Config.Name and a colon. All are checked by [Tracker.Track]. No message is much longer than 128 KiB. A node holds the
// presences of the groups in which it has presences or watchers itself, receives nothing about others, and lets go of a group 25 s after its last one.
// A diff takes one place in the queue of each watcher's channel; if that is full, Diff.Number shows what is missing.
//
// # Extending
//
// The package presencetest holds a broker to all this, with a real server.
//
// # Errors
//
// Bad configuration is an error of New. All other errors are those of the layer, such as [channellayer.ErrNoSubscriber], [channellayer.ErrTooLarge] and [channellayer.ErrClosed], and [ErrFull].
// That a broker is away is none.
package presence
