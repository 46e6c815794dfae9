package http

import (
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/portico-go/portico/protocol"
)

const (
	bodyChunk     = 64 << 10 // the most that is read at once
	keptBuffer    = 64 << 10 // larger buffers are left to the collector
	smallestChunk = 512
)

// A body is the body of one request, read once.
type body struct {
	whole  []byte    // all of it, if r is nil
	r      io.Reader // else where it comes from
	length int64     // -1 if it is not known
	read   int64
	done   bool // read to its end

	extend func(time.Time) error // sets the deadline of a read; nil for none
	stall  time.Duration
}

// fasthttpBody returns the body of a request of fasthttp.
func fasthttpBody(ctx *fasthttp.RequestCtx, stall time.Duration) body {
	if r := ctx.Request.BodyStream(); r != nil {
		return body{r: r, length: int64(ctx.Request.Header.ContentLength()), stall: stall}
	}
	whole := ctx.Request.Body()
	return body{whole: whole, length: int64(len(whole)), done: len(whole) == 0}
}

// next reads the next part into buf. After the last part, which may be empty,
// done is set.
func (b *body) next(buf []byte) (n int, err error) {
	if b.extend != nil {
		if err := b.extend(time.Now().Add(b.stall)); err != nil {
			return 0, bodyError(err)
		}
	}
	for n == 0 && err == nil && !b.done {
		n, err = b.r.Read(buf)
		b.read += int64(n)
		// fasthttp reports a connection that ended within the body as its end.
		b.done = b.length >= 0 && b.read >= b.length || b.length < 0 && err == io.EOF
	}
	if b.done {
		return n, nil
	}
	if err != nil {
		return n, bodyError(err)
	}
	return n, nil
}

// bodyError says what an error of reading a body means: the client is gone, is too
// slow, or sends nonsense.
func bodyError(err error) error {
	var ne net.Error
	if errors.As(err, &ne) && ne.Timeout() {
		return refuseAndClose(408, "the request's body took too long")
	}
	if _, broken := errors.AsType[fasthttp.ErrBrokenChunk](err); broken {
		return badRequest("the request's body has a broken chunk")
	}
	return fmt.Errorf("http: the request's body ended early (%v): %w", err, protocol.ErrReset)
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
	if b.length > limit || b.r == nil && int64(len(b.whole)) > limit {
		return buf, tooLarge(limit)
	}
	if b.r == nil {
		b.done = true
		return b.whole, nil
	}
	if b.length > 0 && int64(cap(buf)) < b.length {
		buf = make([]byte, 0, min(b.length, bodyChunk))
	}
	for !b.done {
		if len(buf) == cap(buf) {
			buf = append(buf, make([]byte, smallestChunk)...)[:len(buf)]
		}
		n, err := b.next(buf[len(buf):cap(buf)])
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
func (b *body) skip() bool {
	const short = 8 << 10 // fasthttp has read this much before it calls a handler
	if b.done || b.r == nil {
		return true
	}
	if b.length < 0 || b.length > short {
		return false
	}
	buf := make([]byte, smallestChunk)
	for !b.done {
		if _, err := b.next(buf); err != nil {
			return false
		}
	}
	return true
}
