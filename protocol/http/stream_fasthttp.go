package http

import (
	"errors"
	"io"
	"net"
	"strconv"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/portico-go/portico/protocol"
)

// serve serves a streaming handler: it runs on goroutines of its own, and
// this one, fasthttp's, writes what it sends.
func (s *stream) serve(ctx *fasthttp.RequestCtx, p Policy) {
	x := s.x
	if hasConn(ctx) {
		s.writeDeadline = x.conn.SetWriteDeadline
	}
	go s.run(p)
	head, whole, isWhole := s.await()
	if !x.body.done() {
		ctx.SetConnectionClose() // what is left of it would be taken for a request
	}
	switch {
	case head == nil:
		s.finish(protocol.ErrReset)
		ctx.SetConnectionClose()
	case isWhole:
		sink := fasthttpSink{ctx}
		sink.start(head, false)
		sink.write(whole)
		s.finish(nil)
	case x.scope.Method() == "HEAD", bodyless(head.Status): // complete with its head
		fasthttpSink{ctx}.start(head, false)
		s.finish(nil)
	case x.scope.Version() == "1.0" && contentLength(head.Header) < 0:
		ctx.SetConnectionClose()
		fasthttpSink{ctx}.start(head, false)
		raw := ctx.Response.Header.AppendBytes(nil)
		ctx.HijackSetNoResponse(true)
		ctx.Hijack(func(c net.Conn) { s.writeClosing(c, raw) })
	default:
		fasthttpSink{ctx}.start(head, false)
		ctx.Response.ImmediateHeaderFlush = true
		ctx.Response.SetBodyStream(&streamReader{stream: s}, contentLength(head.Header))
	}
}

// contentLength returns the Content-Length among fields, or -1.
func contentLength(fields protocol.Fields) int {
	n, err := strconv.Atoi(fields.Get("Content-Length"))
	if err != nil || n < 0 {
		return -1
	}
	return n
}

// A streamReader is a stream as fasthttp takes it.
type streamReader struct {
	*stream
	part []byte // taken, for Read
	rest []byte // of part
	err  error  // of WriteTo or Read
}

// SupportsBodyWriteTo implements fasthttp.BodyWriterTo.
func (*streamReader) SupportsBodyWriteTo() bool { return true }

// WriteTo implements io.WriterTo.
func (r *streamReader) WriteTo(w io.Writer) (n int64, err error) {
	n, r.err = r.stream.WriteTo(w)
	return n, r.err
}

// Read implements io.Reader, for whatever stands between fasthttp and the stream
// and does not know WriteTo.
func (r *streamReader) Read(p []byte) (int, error) {
	if len(r.rest) == 0 {
		if r.part != nil {
			r.took(r.part)
		}
		if r.part, r.err = r.next(); r.err != nil {
			return 0, r.err
		}
		r.rest = r.part
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

// CloseWithError implements fasthttp.ReadCloserWithError. fasthttp calls it when
// it has written the answer, or could not.
func (r *streamReader) CloseWithError(err error) error {
	switch {
	case r.err != nil && !errors.Is(r.err, io.EOF):
		r.finish(r.err)
	case err != nil:
		r.finish(r.writeError(err))
	default:
		r.finish(nil)
	}
	return nil
}

// writeClosing writes an answer whose end is the end of the connection: HTTP/1.0
// has no chunks, and fasthttp would send them all the same.
func (s *stream) writeClosing(c net.Conn, head []byte) {
	_, err := c.Write(head)
	if err == nil {
		_, err = s.WriteTo(c)
	} else {
		err = s.writeError(err)
	}
	s.finish(err)
	_ = c.Close() // nobody is left to tell
}

// extendWrite sets the deadline of the next write, where there is one.
func (s *stream) extendWrite(t time.Time) error {
	if s.writeDeadline == nil {
		return nil
	}
	if err := s.writeDeadline(t); err != nil && !errors.Is(err, errors.ErrUnsupported) {
		return err
	}
	return nil
}

// interruptWrite makes a write that hangs fail.
func (s *stream) interruptWrite() {
	_ = s.extendWrite(time.Unix(1, 0)) // a connection without deadlines fails later
}
