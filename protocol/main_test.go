package protocol_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/portico-go/portico/protocol"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// errTest is an error that an application did not return on purpose.
var errTest = errors.New("the test's error")

// A line is a transport, and an observer, that note what happens, in words.
type line struct {
	mu       sync.Mutex
	sent     []string
	observed []string
	mail     []protocol.Event
	fail     func(protocol.Event) error // of Send, or nil
	closed   bool
}

func (l *line) Send(ev protocol.Event) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.fail != nil {
		if err := l.fail(ev); err != nil {
			return err
		}
	}
	l.sent = append(l.sent, words(ev))
	return nil
}

func (l *line) Flush() error { return nil }

func (l *line) Post(ev protocol.Event) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return protocol.ErrClosed
	}
	l.mail = append(l.mail, ev)
	return nil
}

// Observe implements protocol.Observer. It uses the Conn, as loggers do: an
// observer that is called with a lock held would not return.
func (l *line) Observe(o protocol.Observation) {
	_, _, _ = o.Conn.State(), o.Conn.Route(), o.Conn.ID()
	l.mu.Lock()
	defer l.mu.Unlock()
	text := o.Kind.String()
	if o.Err != nil {
		text += ": " + strings.TrimPrefix(o.Err.Error(), "protocol: ")
	}
	l.observed = append(l.observed, text)
}

func (l *line) out() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(l.sent, ", ")
}

func (l *line) seen() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(l.observed, "; ")
}

// words says what an event is.
func words(ev protocol.Event) string {
	switch ev := ev.(type) {
	case *protocol.Accept:
		return strings.TrimSpace(fmt.Sprintf("accept %d %s%s", ev.Head.Status, ev.Subprotocol, fields(ev.Head.Header)))
	case *protocol.Reject:
		return strings.TrimSpace(fmt.Sprintf("reject %d %s%s", ev.Status, ev.Reason, fields(ev.Header)))
	case *protocol.Close:
		return strings.TrimSpace(fmt.Sprintf("close %d %s", ev.Code, ev.Reason))
	case *protocol.Message:
		return "message " + string(ev.Data)
	case *protocol.Disconnect:
		return strings.TrimSpace(fmt.Sprintf("disconnect %v %d %s", ev.Accepted, ev.Code, ev.Reason))
	}
	return ev.EventType()
}

func fields(f protocol.Fields) string {
	var b strings.Builder
	for _, field := range f {
		fmt.Fprintf(&b, " %s=%s", field.Name, field.Value)
	}
	return b.String()
}

// A response is a whole answer, as HTTP has one.
type response struct{ head protocol.Head }

func (*response) EventType() string        { return "test.response" }
func (*response) Step() protocol.Step      { return protocol.StepAnswer }
func (r *response) Answer() *protocol.Head { return &r.head }

// A part is the last part of a body.
type part struct{}

func (*part) EventType() string   { return "test.part" }
func (*part) Step() protocol.Step { return protocol.StepEnd }

// An app is an application made of functions, any of which may be nil.
type app struct {
	open    func(ctx context.Context, s *protocol.Scope, c *protocol.Conn) error
	connect func(ctx context.Context, c *protocol.Conn) error
	handle  func(ctx context.Context, c *protocol.Conn, ev protocol.Event) error

	conn  *protocol.Conn
	mu    sync.Mutex
	notes []string // events, and what note was given
	ended *protocol.Disconnect
}

func (a *app) Open(ctx context.Context, s *protocol.Scope, c *protocol.Conn) (protocol.Handler, error) {
	a.conn = c
	if a.open != nil {
		if err := a.open(ctx, s, c); err != nil {
			return nil, err
		}
	}
	return protocol.HandlerFunc(a.event), nil
}

func (a *app) event(ctx context.Context, ev protocol.Event) error {
	a.note(words(ev))
	switch ev := ev.(type) {
	case *protocol.Disconnect:
		a.ended = ev
	case *protocol.Connect:
		if a.connect != nil {
			return a.connect(ctx, a.conn)
		}
		return a.conn.Accept("", nil)
	}
	if a.handle != nil {
		return a.handle(ctx, a.conn, ev)
	}
	return nil
}

func (a *app) note(text string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.notes = append(a.notes, text)
}

func (a *app) told() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return strings.Join(a.notes, ", ")
}

func (a *app) disconnects() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(slices.DeleteFunc(slices.Clone(a.notes), func(s string) bool { return !strings.HasPrefix(s, "disconnect") }))
}

// begin makes a lifecycle of a WebSocket at /room.
func begin(t *testing.T) (*protocol.Lifecycle, *line) {
	t.Helper()
	return beginWith(t, t.Context(), &protocol.Request{Protocol: "websocket", Framing: protocol.FramingMessage, Target: "/room"})
}

func beginWith(t *testing.T, ctx context.Context, req *protocol.Request) (*protocol.Lifecycle, *line) {
	t.Helper()
	w := &line{}
	l, err := protocol.NewLifecycle(ctx, req, w, &protocol.Settings{Observer: w})
	if err != nil {
		t.Fatal(err)
	}
	return l, w
}

// connected opens a and delivers Connect, after which it is accepted.
func connected(t *testing.T, a *app) (*protocol.Lifecycle, *line) {
	t.Helper()
	l, w := begin(t)
	if err := l.Open(a); err != nil {
		t.Fatal(err)
	}
	if err := l.Deliver(&protocol.Connect{}); err != nil {
		t.Fatal(err)
	}
	return l, w
}

// want compares two texts.
func want(t *testing.T, what, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("%s:\n got %s\nwant %s", what, got, want)
	}
}

// wantErr checks that err has text, and matches target unless that is nil.
func wantErr(t *testing.T, err error, text string, target error) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), text) {
		t.Errorf("error = %v, want one with %q", err, text)
	}
	if target != nil && !errors.Is(err, target) {
		t.Errorf("error %v does not match %v", err, target)
	}
}
