package server

import (
	"io"
	"os"

	"github.com/portico-go/portico/protocol"
	"github.com/portico-go/portico/protocol/http"
)

// maxHeld is how much of the answers to requests that came together leaves in one write.
const maxHeld = 64 << 10

// A polledHTTP is what an httpConn knows in addition when it is polled: fasthttp gets
// one whole head at a time, and is sent away when there is none.
type polledHTTP struct {
	head    int          // length of the next request's, if all of it has come, else 0
	between bool         // the next Read begins a request
	begun   bool         // a request was begun since fasthttp was called
	exact   bool         // of what came, fasthttp has read the request's head and no more
	rested  bool         // fasthttp has found no request
	whole   bool         // the answer that is written has an end
	opened  *http.Opened // of the next request, if it is no simple one
	forced  error        // ends a head that is not complete
	held    []byte       // answers that leave with those to the requests behind
}

// look looks for the head of the next request.
func (h *httpConn) look() {
	if h.head = 0; len(h.prefix) > 0 {
		h.head = headEnd(h.prefix)
	}
}

// serve answers the requests that are there.
func (h *httpConn) serve() {
	c := h.conn
	h.between, h.begun, h.rested, h.forced = true, false, false, nil
	switch {
	case c.ended != nil:
		h.forced = io.EOF
		h.ended.Store(true)
	case h.head > 0:
	case c.late:
		h.forced = os.ErrDeadlineExceeded
	default: // there is no room for more
		h.forced = io.ErrShortBuffer
	}
	if h.answerSimple() {
		return
	}
	if err := h.at.http.ServeConn(h); err != nil {
		h.at.lostHTTP(c, err)
	}
	if !h.hijacked {
		h.held = nil
	}
}

// answerSimple answers the requests that come first, as far as that is possible without
// fasthttp's loop. It reports whether that was all for now.
func (h *httpConn) answerSimple() (done bool) {
	for h.head > 0 {
		h.setIdle(false)
		all, head := h.prefix, h.prefix[:h.head]
		h.prefix = h.prefix[h.head:]
		h.look()
		h.whole = true
		switch h.answer(head) {
		case http.Left:
			h.prefix = all
			h.look()
			return false
		case http.Closing:
			_ = h.Close() // nobody is left to tell
			return true
		case http.Answered:
			h.answered()
		}
	}
	h.rested = len(h.prefix) == 0 || h.forced == nil
	return h.rested
}

// answer answers a request, which closes what it makes a WebSocket of: as HTTP that is over.
func (h *httpConn) answer(head []byte) (outcome http.Outcome) {
	req := h.at.newRequest()
	kind := http.ViewHead(req, head)
	req.Scheme = "http"
	req.Client, req.Server = h.AddrPorts()
	req.Peer = h.peer
	switch {
	case kind == http.Upgrading && h.at.upgrader != nil && h.upgrade(req):
		return http.Closing // and req is kept
	case kind == http.Common && h.at.front != nil:
		outcome, h.opened = h.at.front.Answer(h.at.srv.base, h, req)
	}
	h.at.drop(req)
	return outcome
}

// upgrade makes the connection a WebSocket, if req asks for one rightly: what is wrong is
// left to fasthttp.
func (h *httpConn) upgrade(req *protocol.Request) bool {
	codec, err := h.at.upgrader.Upgrade(req)
	if err != nil {
		return false
	}
	h.become(req, codec)
	return true
}

// become remembers what the connection becomes, when all that was answered before has left.
func (h *httpConn) become(req *protocol.Request, codec protocol.Codec) {
	_ = h.release() // who is gone is found out by the stream
	req.RootPath = h.at.srv.cfg.RootPath
	h.upgraded, h.request, h.codec = true, req, codec
}

// readHead reads the head of the next request, whole, or what there is of one that
// will not be completed.
func (h *httpConn) readHead(p []byte) (int, error) {
	end := h.head
	if end == 0 {
		if end = len(h.prefix); end == 0 || h.forced == nil {
			h.rested = true
			return 0, io.EOF // between two requests it makes fasthttp leave
		}
	}
	n := copy(p, h.prefix[:end])
	h.prefix = h.prefix[n:]
	h.between, h.exact, h.whole = false, n == end, false
	h.look()
	return n, nil
}

// goesOn is called when a request begins, whose head fasthttp may have read together
// with the body before it.
func (h *httpConn) goesOn() {
	if h.between {
		h.between, h.exact, h.whole = false, false, false
	}
}

// holds reports whether an answer is to be kept, because another one follows at once.
func (h *httpConn) holds(n int) bool {
	return h.head > 0 && h.whole && len(h.held)+n <= maxHeld && !h.at.srv.draining.Load()
}

// release writes what is held.
func (h *httpConn) release() error {
	if len(h.held) == 0 {
		return nil
	}
	_, err := h.write(h.held)
	h.held = h.held[:0]
	return err
}
