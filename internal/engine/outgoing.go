package engine

import (
	"errors"
	"net"
	"runtime/debug"
	"sync"
	"time"

	"github.com/portico-go/portico/protocol"
)

// sendAt is how many queued bytes leave without waiting for the end of a turn.
const sendAt = 64 << 10

// errFull is returned by push when the peer has too many bytes to read already.
var errFull = errors.New("engine: the queue to the peer is full")

// outgoing is the queue of bytes for one peer. What a turn queues leaves in one
// write at its end, by a goroutine that lives as long as there is something to
// write, so that no peer ever holds up a handler.
type outgoing struct {
	engine *Engine
	conn   net.Conn
	codec  protocol.Codec
	failed func(error) // called once, without the lock, when a write failed
	writer func()      // write, as a value that is made once
	// flushed is closed when the last byte is out, or never will be.
	flushed chan struct{}

	mu       sync.Mutex
	buf      []byte    // queued behind what is being written
	since    time.Time // when the first byte of buf was queued
	inFlight int       // bytes being written
	held     bool      // Connect has not returned: nothing leaves
	inTurn   bool      // a turn runs, which sends off at its end
	listed   bool      // the sweep will look
	due      bool      // buf is to be written now
	writing  bool      // the writing goroutine runs
	final    bool      // nothing comes behind buf
	broken   bool      // a write failed: nothing can be sent any more
}

// push queues the encoding of ev. A last event is queued even if the queue is
// full; one that is final leaves at once, and nothing comes behind it.
func (o *outgoing) push(ev protocol.Event, last, final bool) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.broken || o.final {
		return protocol.ErrClosed
	}
	before := len(o.buf)
	if o.buf == nil {
		o.buf = o.engine.buffers.get()
	}
	buf, err := o.encode(ev)
	if err != nil || len(buf) == 0 { // nothing to send
		if before == 0 {
			o.engine.buffers.put(o.buf)
			o.buf = nil
		}
		return err
	}
	if waiting := before + o.inFlight; !last && waiting > 0 && len(buf)+o.inFlight > o.engine.cfg.MaxQueued {
		return errFull
	}
	o.buf = buf
	if before == 0 {
		o.since = time.Now()
	}
	switch {
	case final:
		o.final, o.held = true, false
		o.start()
	case o.held:
	case !o.inTurn, len(o.buf) >= sendAt:
		o.start()
	case !o.listed:
		o.listed = true
		o.engine.sweep.add(o)
	}
	return nil
}

// encode is Codec.Append with a net below: it is also called where nothing else
// would catch a panic.
func (o *outgoing) encode(ev protocol.Event) (buf []byte, err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &protocol.PanicError{Value: v, Stack: debug.Stack()}
		}
	}()
	return o.codec.Append(o.buf, ev)
}

// begin says that a turn begins, at whose end turnOver is called.
func (o *outgoing) begin() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.inTurn = true
}

// turnOver sends off what the turn queued.
func (o *outgoing) turnOver() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.inTurn = false
	o.send()
}

// flush sends off what is queued.
func (o *outgoing) flush() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.send()
}

// release lets go of what waited for Connect to return.
func (o *outgoing) release() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.held = false
	o.send()
}

// swept is called by the sweep.
func (o *outgoing) swept() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.listed = false
	o.send()
}

// finish says that nothing comes any more: flushed is closed when all is written
// and the write side is closed.
func (o *outgoing) finish() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.final {
		o.final, o.held = true, false
		o.start()
	}
}

// send starts the writer if there is something to write. o.mu is held.
func (o *outgoing) send() {
	if len(o.buf) > 0 && !o.held {
		o.start()
	}
}

// start has the writer write what is queued. o.mu is held.
func (o *outgoing) start() {
	o.due = true
	if !o.writing {
		o.writing = true
		go o.writer()
	}
}

// write writes what is due, and at the end closes the write side.
func (o *outgoing) write() {
	o.mu.Lock()
	for o.due && len(o.buf) > 0 && !o.broken {
		o.due = false
		chunk, deadline := o.buf, o.since.Add(o.engine.cfg.WriteTimeout)
		o.buf, o.inFlight = nil, len(chunk)
		o.mu.Unlock()
		err := o.conn.SetWriteDeadline(deadline)
		if err == nil {
			_, err = o.conn.Write(chunk)
		}
		o.engine.buffers.put(chunk)
		if err != nil {
			o.failed(err)
		}
		o.mu.Lock()
		o.inFlight, o.broken = 0, o.broken || err != nil
	}
	o.writing = false
	over, broken := o.final, o.broken
	if broken {
		o.buf = nil
	}
	o.mu.Unlock()
	if over {
		if c, ok := o.conn.(writeCloser); ok && !broken {
			_ = c.CloseWrite() // a peer that is gone already needs no FIN
		}
		close(o.flushed)
	}
}

// A writeCloser is a connection that can be half-closed.
type writeCloser interface{ CloseWrite() error }
