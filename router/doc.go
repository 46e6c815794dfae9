// Package router leads connections to applications: by protocol, by path and by
// channel.
//
// # What it is
//
// [ProtocolTypeRouter], [URLRouter] and [ChannelNameRouter] are
// protocol.Applications that open another one. All protocols with a path share one
// kind of URLRouter, and routers nest in each other, with any middleware between.
//
// # Usage
//
//	app := router.ProtocolTypeRouter{
//		"http": router.MustURLRouter(
//			router.Path("GET /articles/{year:int}/{slug:slug}", article, router.Name("article")),
//			router.Mount("/static", files),
//		),
//		"websocket": router.MustURLRouter(router.Path("/ws/chat/{room}", chat)),
//		"chat":      router.MustURLRouter(router.Path("/rooms/{room}", chat)),
//	}
//
// The application reads what was captured with scope.Param("room") or
// Int(scope, "year"). [Routes] lists where all of it leads.
//
// # Patterns
//
// A pattern is [METHOD ][HOST]/[PATH], as in net/http's ServeMux, and a segment of
// its path is one of
//
//	word         this word; what cannot stand for itself is percent-encoded
//	{name}       any segment that is not empty
//	{name:int}   decimal digits that fit an int
//	{name:uuid}  a UUID in its text form
//	{name:slug}  ASCII letters, digits, hyphens and underscores
//	{name:str}   as {name}
//	{name:own}   what a Converter given with Convert takes
//	{name...}    the rest of the path, perhaps empty; at the end only
//	{$}          nothing, behind the last slash: "/a/{$}" is "/a/"
//
// Other than in ServeMux, a path matches from end to end: "/a/" matches "/a/" and
// neither "/a" nor "/a/b". What is beneath it is said with "/a/{rest...}", or with
// [Mount], whose prefix "/a" matches "/a", "/a/" and all that is beneath.
//
// Paths are split at slashes before each segment is decoded, once, so that an
// escaped slash in a segment stays in it. A pattern without a host or method is for
// all of them. The port in a Host header and the case of its letters mean nothing;
// case matters everywhere else.
//
// GET serves HEAD too. A path whose routes are all for other methods is answered
// with 405 and Allow, OPTIONS with 204 and Allow. The handshake of a WebSocket has
// the method GET; protocols without methods reach the routes that name none.
//
// # Precedence
//
// The most specific route wins, in whatever order the routes were given:
//
//  1. Patterns for the connection's host go before those for all hosts.
//  2. Paths compare segment by segment from the left, where a word goes before
//     converters, these before {name}, and {name...} is the last.
//  3. The converters at one place are tried in this order: those of the program in
//     the order in which the routes have them, int, uuid, slug.
//  4. A mount is tried after all longer patterns, just before a {name...} that
//     starts where the mount ends.
//  5. Of one pattern for several methods, the one that names the connection's
//     method goes before the one that names none.
//  6. Regular expressions ([Regexp], [MountRegexp]) are tried at the end, in the
//     order given.
//
// Two routes that only an order could tell apart are an error that quotes both.
//
// # Nesting
//
// A mount moves what it matched from Scope.Rest to Scope.RootPath, and the captures
// of all levels add up. An application that returns an error for which
// protocol.IsNoRoute is true, as a router without a route does, is passed over: all
// that its branch wrote into the connection's record is taken back, the cleanups of
// the branch run, and the next route in the order above is tried. If none is left,
// the error is the best that was seen: a 405 rather than a 404.
//
// # Concurrency and ordering
//
// Routers are immutable when they have been made, and safe for concurrent use. A
// lookup runs on the goroutine that opens the connection.
//
// # Limits
//
// A pattern has at most 16 wildcards, and the patterns of one router at most 64
// methods. A lookup looks at each node of the routes' tree at most once, and is
// repeated only when a branch was passed over, so its time has a bound that no
// client can move; regular expressions run in time linear in the path. It allocates the derived scope and its captures and nothing else,
// unless the path has percent escapes or regular expressions are tried.
//
// # Extending
//
// [Converter] is for segments, protocol.Middleware given to [With] for single
// routes, and any protocol.Application that returns protocol.NoRoute can stand
// where a router can.
//
// # Errors
//
// NewURLRouter reports all faults of its routes; MustURLRouter panics with them. The
// routers that are maps report theirs with protocol.Check. Open refuses with a
// *protocol.Reject.
package router
