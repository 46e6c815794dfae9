// Package middleware has what stands between a server and consumers: one
// middleware per file, each of which works on every protocol or says which ones it
// lets pass.
//
// # What it is
//
// A middleware is a function from an application to an application. Most are a
// [Transform], which looks at the scope while a connection opens and then is out
// of the way; an [Around] does something around each event. Both describe
// themselves, so that a wrong order or configuration is an error of
// protocol.Check, which a server runs before it listens.
//
// # Usage
//
// The order from the outside in that suits most programs:
//
//	site := protocol.Chain(
//		middleware.ProxyHeaders(middleware.ProxyHeadersConfig{TrustedProxies: []string{"10.0.0.0/8"}}),
//		middleware.RequestID(middleware.RequestIDConfig{}),
//		middleware.TraceContext(middleware.TraceContextConfig{}),
//		middleware.AccessLog(middleware.AccessLogConfig{Logger: logger}),
//		middleware.Recover(middleware.RecoverConfig{}),
//		middleware.AllowedHosts("chat.example"),
//		middleware.SameOrigin(middleware.SameOriginConfig{}),
//	)(app)
//
// # Concurrency and ordering
//
// A middleware value serves all connections and is safe for concurrent use. What
// it adds to the answer it adds in a hook of Scope.OnResponse: hooks run from the
// outermost middleware to the innermost. Cleanups of Scope.OnClose run the other
// way round, also after a panic inside.
//
// # Limits
//
// Nothing that a client sent is trusted: headers of proxies, ids and traces count
// only if the peer of the connection is a proxy that the configuration names. What
// is parsed is bounded by the server's limit for headers, and where a
// specification has a tighter limit, by that.
//
// # Extending
//
// Fill in a [Transform] or an [Around] and call its Middleware method.
//
// # Errors
//
// A middleware refuses a connection with a *protocol.Reject: its Reason is for the
// client, its Err, with the details, for the server's Observer and for logs. Faults
// of a configuration are reported by protocol.Check; a middleware that has one
// refuses more, never less.
package middleware
