package http

import (
	"bytes"
	"context"
	"errors"
	"io"
	nethttp "net/http"
	"net/url"
	"runtime/debug"
	"strconv"

	"github.com/portico-go/portico/protocol"
)

// NetHTTP returns an Application that answers with a handler of net/http. It
// streams in both directions: what the handler flushes leaves at once, a request
// body that comes slowly is read as it comes, and a client that reads slowly makes
// Write wait. The request's context is the connection's; captures of the route are
// path values; the URL has the whole path, so wrap the handler in
// nethttp.StripPrefix where it expects less. A panic is answered with 500, or cuts
// an answer that was begun, and is logged, but for nethttp.ErrAbortHandler.
// Hijacking and deadlines are not supported.
func NetHTTP(h nethttp.Handler) protocol.Application { return &netHTTPApp{h} }

type netHTTPApp struct{ h nethttp.Handler }

// Open implements protocol.Application.
func (a *netHTTPApp) Open(_ context.Context, scope *protocol.Scope, conn *protocol.Conn) (protocol.Handler, error) {
	record(scope, func(p *Policy) { p.Stream, p.StreamBody = true, true })
	return &netHTTPHandler{h: a.h, scope: scope, conn: conn}, nil
}

// Describe implements protocol.Described.
func (a *netHTTPApp) Describe() protocol.Description { return protocol.Description{Name: "NetHTTP"} }

type netHTTPHandler struct {
	h     nethttp.Handler
	scope *protocol.Scope
	conn  *protocol.Conn
	feed  *feed      // of a body that comes in parts
	done  chan error // the handler's end, then
}

// Handle implements protocol.Handler. With a body in one part the handler runs
// here. Otherwise it runs beside, Handle returns when it wants the next part, and
// with the last part when it is done.
func (n *netHTTPHandler) Handle(ctx context.Context, ev protocol.Event) error {
	switch ev := ev.(type) {
	case *Request:
		if n.feed == nil && !ev.More {
			return n.serve(ctx, io.NopCloser(bytes.NewReader(ev.Body)), int64(len(ev.Body)))
		}
		if n.feed == nil {
			n.feed, n.done = newFeed(), make(chan error, 1)
			go func() { n.done <- n.serve(ctx, n.feed, declaredLength(n.scope)) }()
		}
		return n.give(ev)
	case *protocol.Disconnect:
		if n.done != nil { // it ends before its Disconnect does
			n.feed.stop(ev.Cause)
			err := <-n.done
			n.done = nil
			return err
		}
	}
	return nil
}

// give hands a part of the body to the handler.
func (n *netHTTPHandler) give(ev *Request) error {
	select {
	case n.feed.parts <- ev:
	case err := <-n.done: // it wants no more
		n.done = nil
		return err
	}
	if ev.More {
		select {
		case <-n.feed.wants:
			return nil
		case err := <-n.done:
			n.done = nil
			return err
		}
	}
	err := <-n.done
	n.done = nil
	return err
}

func declaredLength(scope *protocol.Scope) int64 {
	length, err := strconv.ParseInt(scope.Header("Content-Length"), 10, 64)
	if err != nil {
		return -1
	}
	return length
}

// serve runs the handler to its end.
func (n *netHTTPHandler) serve(ctx context.Context, body io.ReadCloser, length int64) (err error) {
	w := &responseWriter{ctx: ctx, conn: n.conn, head: n.scope.Method() == nethttp.MethodHead, header: nethttp.Header{}}
	defer func() {
		if v := recover(); v != nil {
			err = panicked(v)
		}
	}()
	req, err := n.request(ctx, body, length)
	if err != nil {
		return err
	}
	n.h.ServeHTTP(w, req)
	return w.finish()
}

// panicked returns the error for a panic of a handler. ErrAbortHandler means that
// the handler gave up, which is no failure to be logged.
func panicked(v any) error {
	if err, ok := v.(error); ok && errors.Is(err, nethttp.ErrAbortHandler) {
		return &abortError{}
	}
	return &protocol.PanicError{Value: v, Stack: debug.Stack()}
}

// An abortError is nethttp.ErrAbortHandler: 500 if nothing was answered, else the
// answer is cut.
type abortError struct{}

// Error implements error.
func (*abortError) Error() string { return "http: the handler aborted its answer" }

// As implements what errors.As asks for.
func (e *abortError) As(target any) bool {
	switch t := target.(type) {
	case **protocol.Reject:
		*t = &protocol.Reject{Status: nethttp.StatusInternalServerError}
	case **protocol.CloseError:
		*t = &protocol.CloseError{Code: protocol.CloseInternalError, Err: nethttp.ErrAbortHandler}
	default:
		return false
	}
	return true
}

// request makes the request of a scope.
func (n *netHTTPHandler) request(ctx context.Context, body io.ReadCloser, length int64) (*nethttp.Request, error) {
	s := n.scope
	target := s.RawPath() + query(s)
	u, err := url.ParseRequestURI(target)
	if err != nil {
		return nil, protocol.Rejectf(nethttp.StatusBadRequest, "the path cannot be parsed")
	}
	req := &nethttp.Request{
		Method: s.Method(), URL: u, RequestURI: target, Host: s.Host(),
		Proto: "HTTP/" + s.Version(), ProtoMajor: 1, ProtoMinor: 1,
		Header: nethttp.Header{}, Body: body, ContentLength: length, TLS: s.TLS(),
		RemoteAddr: s.Client().String(),
	}
	if s.Version() == "1.0" {
		req.ProtoMinor = 0
	}
	for name, value := range s.Headers().All() {
		if !is(name, "Host") && !is(name, "Transfer-Encoding") {
			req.Header.Add(name, value)
		}
	}
	if length < 0 {
		req.TransferEncoding = []string{"chunked"}
	}
	if length == 0 {
		req.Body = nethttp.NoBody
	}
	req = req.WithContext(ctx)
	for p := range s.Params() {
		if p.Name != "" {
			req.SetPathValue(p.Name, p.Value)
		}
	}
	return req, nil
}

// A feed is a request body that comes in parts.
type feed struct {
	parts chan *Request
	wants chan struct{} // asks for the next part
	over  chan struct{}
	cause error

	cur  []byte
	more bool
	got  bool
}

func newFeed() *feed {
	return &feed{parts: make(chan *Request), wants: make(chan struct{}), over: make(chan struct{}), more: true}
}

// Read implements io.Reader. It copies, so a part may go when it asks for the next.
func (f *feed) Read(p []byte) (int, error) {
	for len(f.cur) == 0 {
		if !f.more {
			return 0, io.EOF
		}
		if f.got {
			select {
			case f.wants <- struct{}{}:
				f.got = false
			case <-f.over:
				return 0, f.cause
			}
		}
		select {
		case part := <-f.parts:
			f.cur, f.more, f.got = part.Body, part.More, true
		case <-f.over:
			return 0, f.cause
		}
	}
	n := copy(p, f.cur)
	f.cur = f.cur[n:]
	return n, nil
}

// Close implements io.Closer.
func (*feed) Close() error { return nil }

// stop makes reads fail.
func (f *feed) stop(cause error) {
	if f.cause = cause; cause == nil {
		f.cause = protocol.ErrClosed
	}
	close(f.over)
}
