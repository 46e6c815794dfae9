package engine_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/portico-go/portico/internal/engine"
	"github.com/portico-go/portico/protocol"
)

// lines is a protocol of lines: "ping x" and "pong x", "quit" and "close code
// reason" for a close, "bad" for a protocol error, anything else is a message.
type lines struct {
	answers bool // "quit" answers a "close"
}

// AnswersClose implements protocol.CloseAnswerer.
func (c lines) AnswersClose() bool { return c.answers }

func (c lines) Decode(in []byte, emit func(protocol.Event) error) (n int, err error) {
	for {
		i := bytes.IndexByte(in[n:], '\n')
		if i < 0 {
			return n, nil
		}
		line := in[n : n+i]
		n += i + 1
		var ev protocol.Event = &protocol.Message{Data: line}
		switch word, rest, _ := strings.Cut(string(line), " "); word {
		case "ping":
			ev = &protocol.Ping{Data: []byte(rest)}
		case "pong":
			ev = &protocol.Pong{Data: []byte(rest)}
		case "quit":
			ev = &protocol.Close{Code: protocol.CloseNormal, Reason: rest}
		case "bad":
			return n, protocol.Closef(protocol.CloseProtocolError, "bad line")
		case "panic":
			panic("codec")
		}
		if err := emit(ev); err != nil {
			return n, err
		}
	}
}

func (c lines) Append(dst []byte, ev protocol.Event) ([]byte, error) {
	switch ev := ev.(type) {
	case *protocol.Accept:
		if ev.Subprotocol != "" {
			return dst, errors.New("lines: there are no subprotocols")
		}
		return append(dst, "ok\n"...), nil
	case *protocol.Reject:
		return fmt.Appendf(dst, "err %d %s\n", ev.StatusOrDefault(), ev.Text()), nil
	case *protocol.Message:
		return append(append(dst, ev.Data...), '\n'), nil
	case *protocol.Pong:
		return append(append(append(dst, "pong "...), ev.Data...), '\n'), nil
	case *protocol.Close:
		return fmt.Appendf(dst, "close %d %s\n", ev.Code, ev.Reason), nil
	}
	return dst, nil
}

// late returns whether d is not near want: a deadline is never early, and up to two
// ticks late.
func late(d, want time.Duration) bool { return d < want || d > want+100*time.Millisecond }

// half is one end of a connection in memory that can be half-closed: two pipes.
type half struct {
	net.Conn // for reading
	out      net.Conn
}

func pipe() (client, server *half) {
	r1, w1 := net.Pipe()
	r2, w2 := net.Pipe()
	return &half{r1, w2}, &half{r2, w1}
}

func (h *half) Write(p []byte) (int, error)        { return h.out.Write(p) }
func (h *half) CloseWrite() error                  { return h.out.Close() }
func (h *half) SetWriteDeadline(t time.Time) error { return h.out.SetWriteDeadline(t) }

func (h *half) Close() error { return errors.Join(h.out.Close(), h.Conn.Close()) }

func (h *half) SetDeadline(t time.Time) error {
	return errors.Join(h.out.SetDeadline(t), h.Conn.SetDeadline(t))
}

// observed collects observations.
type observed struct {
	mu    sync.Mutex
	kinds []string
	errs  []error
}

func (o *observed) Observe(ob protocol.Observation) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.kinds = append(o.kinds, ob.Kind.String())
	o.errs = append(o.errs, ob.Err)
}

func (o *observed) has(kind string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Contains(o.kinds, kind)
}

// A peer is the client's end of a served connection.
type peer struct {
	*half
	t      *testing.T
	r      *bufio.Reader
	engine *engine.Engine
	seen   *observed
	served chan struct{}
}

// serve serves a connection in memory.
func serve(t *testing.T, app protocol.Application, codec protocol.Codec, edit ...func(*engine.Config)) *peer {
	t.Helper()
	seen := &observed{}
	cfg := engine.Config{Settings: &protocol.Settings{Observer: seen}}
	for _, f := range edit {
		f(&cfg)
	}
	served := make(chan struct{})
	cfg.Over = func(*protocol.Conn) { close(served) }
	client, server := pipe()
	p := &peer{half: client, t: t, r: bufio.NewReader(client), engine: engine.New(cfg), seen: seen, served: served}
	go func() {
		p.engine.Serve(t.Context(), engine.Incoming{
			Conn:    server,
			Request: &protocol.Request{Protocol: "lines", Target: "/"},
			Codec:   codec,
		}, app)
	}()
	t.Cleanup(func() {
		_ = client.Close()
		<-p.served
	})
	return p
}

func (p *peer) send(text string) {
	p.t.Helper()
	if _, err := p.Write([]byte(text)); err != nil {
		p.t.Errorf("cannot send %q: %v", text, err)
	}
}

// want reads lines and compares them.
func (p *peer) want(lines ...string) {
	p.t.Helper()
	for _, want := range lines {
		got, err := p.r.ReadString('\n')
		if err != nil || got != want+"\n" {
			p.t.Fatalf("read %q, %v; want %q", got, err, want)
		}
	}
}

// wantEnd reads the end of the connection.
func (p *peer) wantEnd() {
	p.t.Helper()
	if got, err := p.r.ReadString('\n'); err == nil || got != "" {
		p.t.Fatalf("read %q, %v; want the end", got, err)
	}
}

// A handler notes what it gets and echoes messages; its fields change that.
type handler struct {
	conn       *protocol.Conn
	open       func(context.Context) error
	connect    func(ctx context.Context) error
	message    func(ctx context.Context, text string) error
	disconnect func(*protocol.Disconnect) error

	mu    sync.Mutex
	notes []string
	last  *protocol.Disconnect
}

func (h *handler) Open(ctx context.Context, _ *protocol.Scope, conn *protocol.Conn) (protocol.Handler, error) {
	h.conn = conn
	if h.open != nil {
		if err := h.open(ctx); err != nil {
			return nil, err
		}
	}
	return h, nil
}

func (h *handler) note(text string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.notes = append(h.notes, text)
}

func (h *handler) noted() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return strings.Join(h.notes, ",")
}

func (h *handler) Handle(ctx context.Context, ev protocol.Event) error {
	h.note(ev.EventType())
	switch ev := ev.(type) {
	case *protocol.Connect:
		if h.connect != nil {
			return h.connect(ctx)
		}
		return h.conn.Accept("", nil)
	case *protocol.Message:
		if h.message != nil {
			return h.message(ctx, string(ev.Data))
		}
		return h.conn.Send(ev)
	case *protocol.Timer:
		return h.conn.SendText("timer " + ev.Name)
	case *protocol.Disconnect:
		h.mu.Lock()
		h.last = ev
		h.mu.Unlock()
		if h.disconnect != nil {
			return h.disconnect(ev)
		}
	}
	return nil
}

// wantDisconnect checks that the handler got one Disconnect.
func (h *handler) wantDisconnect(t *testing.T, code protocol.CloseCode, cause error) {
	t.Helper()
	h.mu.Lock()
	defer h.mu.Unlock()
	n := 0
	for _, note := range h.notes {
		if note == "disconnect" {
			n++
		}
	}
	if n != 1 || h.last.Code != code || cause != nil && !errors.Is(h.last.Cause, cause) {
		t.Fatalf("handler got %v with %+v; want one disconnect with code %d and cause %v", h.notes, h.last, code, cause)
	}
}
