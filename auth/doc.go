// Package auth finds out who a connection belongs to, on every protocol.
//
// # What it is
//
// A [User] belongs to a connection because of a session ([Login], [Middleware]), a
// token ([Token]), or a chat's name with a proof ([ChatUsername]). A [Backend] knows
// the users. [From] returns the user of a scope, [Anonymous] if there is none.
//
// # Usage
//
//	app := auth.Stack(users, session.New(session.NewMemoryStore(), session.Config{}))(inner)
//
// and inside:
//
//	user, err := users.Authenticate(ctx, name, password)
//	if err == nil {
//		err = auth.Login(ctx, scope, user)
//	}
//	…
//	if !auth.From(scope).IsAuthenticated() {
//		return protocol.Rejectf(403, "log in first")
//	}
//
// or, for all that is inside, [Required].
//
// # Concurrency and ordering
//
// The user is known before the application opens. Login and Logout change what From
// returns for all scopes of the connection at once; other connections with the same
// session find out when they open. All functions are safe for concurrent use.
//
// # Limits
//
// A few passwords are hashed at a time, in 19 MiB each; others wait. Names and
// passwords are not rate limited here.
//
// # Extending
//
// Implement [Backend] for your users, [SessionHasher] so that a new password ends
// their sessions, and a [Verifier] for your tokens; [JWT] returns one. Middleware of
// your own says who it found with [WithUser].
//
// # Errors
//
// [ErrCredentials] and [ErrNoUser] say that somebody is not who they claim to be;
// middlewares answer them with 401. All other errors say that something does not
// work.
package auth
