// Package session remembers clients between their requests, on every protocol.
//
// # What it is
//
// A [Session] is a set of values under string keys that belongs to a client's
// cookie. [New] keeps sessions in a [Store], [NewSigned] in the cookie itself.
//
// # Usage
//
//	sessions := session.New(session.NewMemoryStore(), session.Config{})
//	app := protocol.Chain(middleware.Cookie(), sessions.Middleware())(inner)
//
// and inside:
//
//	s := session.From(scope)
//	visits, _, err := session.Get[int](ctx, s, "visits")
//	err = s.Put(ctx, "visits", visits+1)
//
// A session is loaded when it is first used. A changed one is saved with the head
// of the answer, an HTTP response or a WebSocket's 101, which also sets its cookie;
// changes after that are saved after the event in which they were made. An answer
// with a status of 500 or more saves nothing, and neither does a handler that
// fails.
//
// # Concurrency and ordering
//
// A Session is safe for concurrent use. Connections with the same cookie have each
// their own: one sees what others changed when it loads, and what it saves is
// laid over what the store has by then, key by key. Of two saves at the same instant
// the later one wins, as scs stores cannot compare and swap; that a session deleted
// at that instant stays deleted takes a store that is a [Replacer].
//
// # Limits
//
// A client never chooses its token: an unknown one is ignored, and the session gets
// a new one. A session that was deleted meanwhile is not brought back. A signed
// session is at most as large as a cookie, and cannot be ended before it expires.
// On chat no cookie can be set: a session that needs one lives as long as its
// connection, and is kept by nobody.
//
// # Extending
//
// Implement [Store], [CtxStore] and [Replacer] if you can, or take one of those for
// github.com/alexedwards/scs.
//
// # Errors
//
// [ErrHeadersSent]: a change needs a new cookie, too late. [ErrDeleted]: the session
// ended elsewhere. [ErrTooLarge]: it does not fit its cookie. All others are the
// store's.
package session
