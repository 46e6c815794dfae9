// Package consumer is what most programs are written in: consumers react to the
// events of one connection, with a state of their own for each.
//
// # Usage
//
// [Messages] serves WebSockets, chats and every other protocol with messages:
//
//	type member struct{ room string }
//
//	func (m *member) connect(ctx context.Context, c *consumer.Conn) error {
//		m.room = "room." + c.Scope().Param("room")
//		return c.Join(ctx, m.room)
//	}
//
//	func (m *member) say(ctx context.Context, c *consumer.Conn, in Say) error {
//		return c.Broadcast(ctx, m.room, "said", Said{Text: in.Text})
//	}
//
//	chat := &consumer.Messages[member]{
//		Layer:      hub,
//		Connect:    (*member).connect,
//		Receive:    consumer.JSON((*member).say),
//		Broadcasts: consumer.Broadcasts{"said": consumer.Render[Said]()},
//	}
//
// [HTTP] and [HTTPFunc] answer requests. [Jobs] does the jobs of a work queue. [Pull] is a consumer written as a loop.
//
// Clients of a group with history that come back get what they missed, if they say the position of the last message that they had: [Conn.JoinFrom], [RenderPositioned].
//
// # Concurrency and ordering
//
// The functions of one connection run one at a time: the client's messages, the
// layer's events, timers. The state needs no lock. A broadcast goes to the client
// with no function in between, but behind the events that came before it.
//
// # Limits
//
// A connection's channel holds as many messages as the layer's capacity says, 100
// unless configured; what does not fit is dropped and counted by the layer.
//
// # Errors
//
// What a function returns ends the connection: a *protocol.Reject refuses it, a
// *protocol.CloseError closes it, anything else is logged and closes it with 1011.
// Wrong configuration is found by protocol.Check before the server listens.
package consumer
