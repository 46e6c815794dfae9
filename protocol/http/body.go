package http

import (
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/portico-go/portico/protocol"
)

const (
	bodyChunk     = 64 << 10 // the most that is read at once
	keptBuffer    = 64 << 10 // larger buffers are left to the collector
	smallestChunk = 512
)

// A body is the body of one request. The zero value is one without a byte.
type body struct {
	whole []byte  // all of it, if rest is nil
	rest  *source // else where it comes from
}

// A source is where a body comes from that is not there yet, read once. It is read on
// one goroutine at a time; another one may stop it.
type source struct {
	r      io.Reader
	length int64 // -1 if it is not known
	read   int64
	done   atomic.Bool // read to its end

	deadline func(time.Time) error // sets that of a read; nil for none
	stall    time.Duration

	mu      sync.Mutex // held while reading, guards what follows
	failed  bool
	stopped bool
}

// initFastHTTP prepares the body of a request of fasthttp.
func (b *body) initFastHTTP(ctx *fasthttp.RequestCtx, x *exchange) {
	r := ctx.Request.BodyStream()
	if r == nil {
		b.whole = ctx.Request.Body()
		return
	}
	b.rest = &source{r: r, length: int64(ctx.Request.Header.ContentLength()), stall: x.site.cfg.StallTimeout}
	if hasConn(ctx) {
		b.rest.deadline = x.conn.SetReadDeadline
	}
}

// done reports whether all of it was read.
func (b *body) done() bool { return b.rest == nil || b.rest.done.Load() }

// next reads the next part into buf. After the last part, which may be empty,
// done is set.
func (s *source) next(buf []byte) (n int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopped || s.failed {
		return 0, protocol.ErrClosed
	}
	if s.deadline != nil {
		if err := s.deadline(time.Now().Add(s.stall)); err != nil {
			return 0, bodyError(err)
		}
	}
	done := s.done.Load()
	for n == 0 && err == nil && !done {
		n, err = s.r.Read(buf)
		s.read += int64(n)
		// fasthttp reports a connection that ended within the body as its end.
		done = s.length >= 0 && s.read >= s.length || s.length < 0 && err == io.EOF
	}
	s.done.Store(done)
	if err != nil && !done {
		s.failed = true
		return n, bodyError(err)
	}
	return n, nil
}

// nextWithin is next for a body that may have limit bytes in all; 0 is no limit.
func (s *source) nextWithin(buf []byte, limit int64) (int, error) {
	if limit > 0 && s.length > limit {
		return 0, tooLarge(limit)
	}
	n, err := s.next(buf)
	if limit > 0 && s.read > limit {
		return 0, tooLarge(limit)
	}
	return n, err
}

// stop makes a read that goes on fail, and all later ones: the request's buffers
// go back to the server.
func (s *source) stop() {
	if s.deadline != nil && !s.done.Load() {
		_ = s.deadline(time.Unix(1, 0)) // a connection without deadlines makes stop wait
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stopped = true
	if s.deadline != nil {
		_ = s.deadline(time.Time{}) // the server sets its own for the next request
	}
}

// bodyError says what an error of reading a body means: the client is gone, is too
// slow, or sends nonsense.
func bodyError(err error) error {
	var ne net.Error
	if errors.As(err, &ne) && ne.Timeout() {
		return refuseAndClose(408, "the request's body took too long")
	}
	if _, broken := errors.AsType[fasthttp.ErrBrokenChunk](err); broken || !isCut(err) {
		return badRequest("the request's body has a broken chunk")
	}
	return fmt.Errorf("http: the request's body ended early (%w): %w", err, protocol.ErrReset)
}

// isCut reports whether a connection ended, as opposed to one that goes on with
// nonsense.
func isCut(err error) bool {
	var ne net.Error
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.ErrClosedPipe) ||
		errors.Is(err, net.ErrClosed) || errors.As(err, &ne)
}

// tooLarge is the answer to a body that is longer than limit.
func tooLarge(limit int64) error {
	return refuseAndClose(413, fmt.Sprintf("the request's body has more than %d bytes", limit))
}

// buffers are for bodies that are read whole.
type buffers struct{ pool sync.Pool }

func (p *buffers) get() *[]byte {
	if b, ok := p.pool.Get().(*[]byte); ok {
		return b
	}
	return new([]byte)
}

func (p *buffers) put(b *[]byte) {
	if cap(*b) <= keptBuffer {
		*b = (*b)[:0]
		p.pool.Put(b)
	}
}

// readAll appends the whole body to buf. It is refused before anything is
// allocated for it if it says that it is longer than limit, and as soon as it is.
func (b *body) readAll(buf []byte, limit int64) ([]byte, error) {
	if b.rest != nil {
		return b.rest.readAll(buf, limit)
	}
	if int64(len(b.whole)) > limit {
		return buf, tooLarge(limit)
	}
	return b.whole, nil
}

func (s *source) readAll(buf []byte, limit int64) ([]byte, error) {
	if s.length > limit {
		return buf, tooLarge(limit)
	}
	if s.length > 0 && int64(cap(buf)) < s.length {
		buf = make([]byte, 0, min(s.length, bodyChunk))
	}
	for !s.done.Load() {
		if len(buf) == cap(buf) {
			buf = append(buf, make([]byte, smallestChunk)...)[:len(buf)]
		}
		n, err := s.next(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		if int64(len(buf)) > limit {
			return buf, tooLarge(limit)
		}
		if err != nil {
			return buf, err
		}
	}
	return buf, nil
}

// skip reads what is left of a short body, so that the connection can go on. It
// reports whether it can.
func (s *source) skip() bool {
	const short = 8 << 10 // fasthttp has read this much before it calls a handler
	if s.done.Load() {
		return true
	}
	if s.length < 0 || s.length > short {
		return false
	}
	buf := make([]byte, smallestChunk)
	for !s.done.Load() {
		if _, err := s.next(buf); err != nil {
			return false
		}
	}
	return true
}
