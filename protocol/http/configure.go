package http

import (
	"errors"
	"net"

	"github.com/valyala/fasthttp"
)

// Configure sets what a fasthttp.Server should have so that everything here works:
// request bodies are not read before the application opened, header sections are
// kept as they came, "Expect: 100-continue" is answered by the application, multipart bodies are left to the application, and requests that
// fasthttp itself refuses are answered with a short text.
func (f *Front) Configure(s *fasthttp.Server) {
	s.StreamRequestBody = true
	s.MaxRequestBodySize = 1 // of a streamed body it is only how much is read before the handler runs
	s.DisablePreParseMultipartForm = true
	s.SecureErrorLogMessage = true
	s.ExpectHandler = f.Expect
	s.ErrorHandler = refuseUnread
}

// refuseUnread answers a request that fasthttp could not read.
func refuseUnread(ctx *fasthttp.RequestCtx, err error) {
	status, reason := fasthttp.StatusBadRequest, "bad request"
	var ne net.Error
	if _, small := errors.AsType[*fasthttp.ErrSmallBuffer](err); small {
		status, reason = fasthttp.StatusRequestHeaderFieldsTooLarge, "the request's header is too large"
	} else if errors.As(err, &ne) && ne.Timeout() {
		status, reason = fasthttp.StatusRequestTimeout, "the request took too long"
	} else if errors.Is(err, fasthttp.ErrBodyTooLarge) {
		status, reason = fasthttp.StatusRequestEntityTooLarge, "the request's body is too large"
	}
	head, body := refusal(refuseAndClose(status, reason))
	sink := fasthttpSink{ctx}
	sink.start(&head, true)
	sink.write(body)
}
