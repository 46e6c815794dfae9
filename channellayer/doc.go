// Package channellayer lets connections, jobs and workers talk to each other: messages go to a channel, which has one reader, or to
// a group, which has any number of members. A [Hub] is the layer of one process, in memory; a [Broker] joins the hubs of several.
// The rules are written out, with the form of what travels, in docs/channel-layer.md.
//
// # Usage
//
//	hub, err := channellayer.New(channellayer.Config{})
//	sub, err := hub.Subscribe(hub.NewChannel("websocket"), wake) // wake says that sub.Next has something
//	err = sub.Join(ctx, "room.go")
//
//	hub.GroupSend(ctx, "room.go", channellayer.Event{Type: "chat.message", Value: Said{"alice", "hi"}})
//	hub.Broadcast(ctx, "room.go", channellayer.Event{Type: "chat.message", Value: Said{"alice", "hi"}})
//
//	for m, ok := sub.Next(); ok; m, ok = sub.Next() {
//		said, err := channellayer.Value[Said](m) // decoded once, however many members there are
//	}
//
// An event ([Hub.Send], [Hub.GroupSend]) is for a handler that its receiver has registered for the type. A broadcast is written to
// the receiver's client as it is, in the rendering of the client's framing, which is made once for all of them ([Rendering]).
// Both come through the same queue. A group send may leave members out by name ([Except]), or choose them by what they say of themselves ([Where]).
//
// A channel of one connection is named by [Hub.NewChannel], or with [Hub.Attach] only when somebody asks for its name, so that it costs nothing until then. Any other name is one that people agreed on, such as "thumbnails"; what is sent to it
// before somebody reads it waits there, within the channel's capacity and expiry.
//
// With Config.Broker each hub is a node of one layer: groups and the channels of [Hub.NewChannel] reach from node to node. A group send is one publish, a node
// without members of the group receives nothing for it, and members of the sender's node have it at once. When the broker goes, this process goes on by itself: sends and joins
// do what they can here and return an error that matches [ErrBrokerDown], and members get a [LayerEvent], as they do when it is back.
//
// # History
//
// With Config.History the messages of some groups are kept for a while, by size and age, and each has a [Position]. Who was away joins from the position of the last message that it had:
//
//	r, err := sub.JoinFrom(ctx, "room.go", position) // a client's: channellayer.ParsePosition(text)
//	if !r.Recovered {
//		tell(r.Gap) // some may be missing; r has all that is left
//	}
//	for page, err := r.Next(ctx); len(page) > 0; page, err = r.Next(ctx) {
//		handle(page) // then what sub.Next has: without a gap or a duplicate
//	}
//
// Such a group's messages come to all members, those of the sender's process too, in the order of the log, and a send that is not known to be stored is an error ([ErrUnconfirmed]). Nodes and members miss nothing
// while the broker is away or their queue is full, as long as the log has it, and are told of a gap otherwise ([LayerEvent]). What is stored is as safe as the broker's storage.
//
// # Concurrency and ordering
//
// Everything is safe for concurrent use, and nothing waits for a receiver: a send puts the message into the queues of its receivers, hands it to the broker if there is one, and returns.
//
// Order is guaranteed per sender and destination: of two sends that one goroutine makes one after the other to the same channel, or to the
// same group, each receiver that gets both gets them in that order, events and broadcasts alike. So it is for two goroutines of this process
// when one send returned before the other began. Sends that overlap in time may come to different members in different orders, and between two
// destinations no order is promised.
//
// A member gets every send to its group that begins after Join returned. Once Leave has returned nothing more is queued from the group; what was queued
// before is still delivered.
//
// Delivery is at most once. A message is lost when its receiver's queue is full, when it waits for longer than the expiry, and when the receiver closes
// before it has read it; between nodes also when the broker goes. Each loss is counted ([Hub.Stats]) and reported (Config.Observer); a group send also returns its counts.
//
// # Limits
//
// A channel holds 100 messages and a message lives for a minute, unless [Config] says otherwise. Capacity is per subscriber: one that never reads
// loses its own messages and nobody else's. For channels without a reader the hub keeps 10,000 messages in all. Names have 255 bytes ([CheckName]), a payload 16 MiB,
// a header 64 fields. Nothing is kept for a channel or a group that nobody has any more.
//
// # Extending
//
// A [Broker] is a handful of methods, which the package layertest proves; a [Log] has two more. A [Codec] decides how values become bytes. [AppendEnvelope] and [ParseEnvelope] are the form in which messages travel between processes, and [Token]
// turns a name into one that every broker accepts.
//
// # Errors
//
// Bad configuration is an error of [New]. A value that cannot be encoded, a bad name and a message that is too large are errors of the send, before
// anybody has the message. Only [Hub.Send] reports a full channel, and only it and [Hub.GroupAdd] a missing reader.
// See the sentinels, from [ErrClosed] on.
package channellayer
