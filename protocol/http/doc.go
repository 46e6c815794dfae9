// Package http serves Applications over HTTP/1, on fasthttp, and bridges to
// net/http and fasthttp in both directions.
//
// # What it is
//
// A request opens the application like any other connection. Its Handler gets a
// [Request] with the body, answers with a [Response], and gets its Disconnect.
// Responses' heads pass through the response hooks of middleware, however the
// answer is made: by a handler, a refusal, or a bridged handler.
//
// # Usage
//
//	front := http.NewFront(app, http.Config{})
//	s := &fasthttp.Server{Handler: front.ServeFastHTTP}
//	front.Configure(s)
//
// [RequestHandler] and [Handler] mount an application in any server of fasthttp or
// net/http; [FastHTTP] and [NetHTTP] mount their handlers in an application.
//
// # Buffered and streaming handlers
//
// A handler is buffered by default: it runs on the server's goroutine, parts that it
// sends ([ResponseStart], [ResponseBody]) are collected, and the answer leaves when
// it has returned. One that returns without a whole answer is a 500. Nothing can be
// posted to it, and Flush is an error: [ErrBuffered].
//
// A handler that called [Stream] while it opened runs on goroutines of its own. Its
// parts leave as they come, and it gets what is posted to its connection until it
// ends its answer. A middleware can have the request's body come in parts with
// [StreamBody], for either kind.
//
// # Concurrency and ordering
//
// A handler's events come one at a time: the request's parts, what was posted, and
// Disconnect as the last. A buffered handler has had its Disconnect when its answer
// is in the server's hands, before it is written. A streaming one gets it when its
// answer was written, or could not be; the connection's next request may be served
// meanwhile. Sending is safe from any goroutine; after the end it is
// protocol.ErrClosed, whatever has become of the server's buffers.
//
// # Limits and back-pressure
//
// A body that is read whole has at most [Config].MaxBody bytes, or what [BodyLimit]
// says for a route; a longer one is answered with 413 before it is read if its
// length is known, and as soon as it is too long otherwise. The application opens
// before the body is read, so a refusal costs little, and a client that expects
// "100 Continue" is told without it. A streamed body is read as its handler returns.
// A streamed answer's queue is bounded: see [Config].MaxQueue and [Drain].
//
// What is wrong with a request is refused before any application sees it: see
// [NewRequest]. A connection whose request was not read to its end is closed.
//
// # Errors
//
// A *protocol.Reject is the answer that it describes; another error is 500, and a
// streamed answer that was begun is cut, so that nobody takes it for the whole.
// [protocol.ErrReset] is the cause if the client went away, which is noticed when
// its answer is written or its body read; a server that knows earlier cancels the
// request through a [Tracker].
package http
