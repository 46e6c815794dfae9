package http

import (
	"context"
	"errors"
	nethttp "net/http"

	"github.com/portico-go/portico/protocol"
)

// heldBack is how much of an answer waits for more before it is sent in parts: a
// shorter one leaves as a whole, with its length.
const heldBack = 4 << 10

// A responseWriter is a nethttp.ResponseWriter that sends events.
type responseWriter struct {
	ctx    context.Context
	conn   *protocol.Conn
	header nethttp.Header
	head   bool // the request is a HEAD
	status int  // 0 before WriteHeader
	sent   protocol.Fields
	begun  bool // the head was sent
	buf    []byte
	err    error
}

// Header implements nethttp.ResponseWriter.
func (w *responseWriter) Header() nethttp.Header { return w.header }

// WriteHeader implements nethttp.ResponseWriter. Informational answers are left out.
func (w *responseWriter) WriteHeader(status int) {
	if w.status != 0 || status < 200 {
		return
	}
	w.status = status
	for name, values := range w.header {
		for _, value := range values {
			w.sent.Add(name, value)
		}
	}
}

// Write implements io.Writer. It waits for a client that reads slowly.
func (w *responseWriter) Write(p []byte) (int, error) {
	w.WriteHeader(nethttp.StatusOK)
	if bodyless(w.status) {
		return 0, nethttp.ErrBodyNotAllowed
	}
	if w.err != nil {
		return 0, w.err
	}
	if len(w.buf) == 0 && !w.begun {
		w.sniff(p)
	}
	if w.head {
		return len(p), nil
	}
	n := 0
	for len(p) > 0 {
		m := min(len(p), bodyChunk)
		w.buf = append(w.buf, p[:m]...)
		n, p = n+m, p[m:]
		if len(w.buf) >= heldBack {
			if err := w.FlushError(); err != nil {
				return n, err
			}
		}
	}
	return n, nil
}

// sniff guesses the Content-Type, as net/http does, if there is none.
func (w *responseWriter) sniff(p []byte) {
	if _, ok := w.header["Content-Type"]; !ok && w.sent.Get("Content-Type") == "" && w.sent.Get("Content-Encoding") == "" {
		w.sent.Add("Content-Type", nethttp.DetectContentType(p))
	}
}

// Flush implements nethttp.Flusher.
func (w *responseWriter) Flush() { _ = w.FlushError() } // the next Write returns it

// FlushError is what nethttp.ResponseController calls.
func (w *responseWriter) FlushError() error {
	w.WriteHeader(nethttp.StatusOK)
	if w.err == nil && !w.begun {
		w.begun = true
		w.err = w.conn.Send(&ResponseStart{Head: protocol.Head{Status: w.status, Header: w.sent}})
	}
	if w.err == nil && len(w.buf) > 0 {
		w.err = w.part(true)
	}
	return w.err
}

func (w *responseWriter) part(more bool) error {
	if err := Drain(w.ctx, w.conn); err != nil && !errors.Is(err, ErrBuffered) {
		return err
	}
	err := w.conn.Send(&ResponseBody{Body: w.buf, More: more})
	w.buf = w.buf[:0]
	return err
}

// EnableFullDuplex is what nethttp.ResponseController calls; it always is.
func (w *responseWriter) EnableFullDuplex() error { return nil }

// finish sends what is left.
func (w *responseWriter) finish() error {
	w.WriteHeader(nethttp.StatusOK)
	switch {
	case w.err != nil:
		return w.err
	case w.begun:
		return w.part(false)
	}
	return w.conn.Send(&Response{Head: protocol.Head{Status: w.status, Header: w.sent}, Body: w.buf})
}
