package middleware_test

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/portico-go/portico/protocol"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A recorder is a transport that keeps what is sent.
type recorder struct {
	mu   sync.Mutex
	sent []protocol.Event
}

func (r *recorder) Send(ev protocol.Event) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sent = append(r.sent, ev)
	return nil
}

func (r *recorder) Flush() error              { return nil }
func (r *recorder) Post(protocol.Event) error { return protocol.ErrClosed }

func (r *recorder) events() []protocol.Event {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.sent)
}

// An observations is an observer that keeps what it is told.
type observations struct {
	mu   sync.Mutex
	seen []protocol.Observation
}

func (o *observations) Observe(ob protocol.Observation) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.seen = append(o.seen, ob)
}

func (o *observations) of(kind protocol.ObservationKind) (errs []error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, ob := range o.seen {
		if ob.Kind == kind {
			errs = append(errs, ob.Err)
		}
	}
	return errs
}

// A drive is one connection that a test drives.
type drive struct {
	*protocol.Lifecycle
	recorder
	observations
}

// newDrive begins a connection.
func newDrive(tb testing.TB, req *protocol.Request) *drive {
	tb.Helper()
	d := &drive{}
	l, err := protocol.NewLifecycle(context.Background(), req, &d.recorder, &protocol.Settings{Observer: &d.observations})
	if err != nil {
		tb.Fatal(err)
	}
	d.Lifecycle = l
	return d
}

// status returns the status of the answer: 0 if there was none.
func (d *drive) status() int {
	for _, ev := range d.events() {
		switch ev := ev.(type) {
		case *protocol.Reject:
			return ev.StatusOrDefault()
		case protocol.Answer:
			return ev.Answer().Status
		}
	}
	return 0
}

// header returns the fields of the answer.
func (d *drive) header() protocol.Fields {
	for _, ev := range d.events() {
		switch ev := ev.(type) {
		case *protocol.Reject:
			return ev.Header
		case protocol.Answer:
			return ev.Answer().Header
		}
	}
	return nil
}

// run opens app for req, handles Connect and ends the connection.
func run(tb testing.TB, app protocol.Application, req *protocol.Request) *drive {
	tb.Helper()
	d := newDrive(tb, req)
	if d.Open(app) == nil {
		_ = d.Deliver(&protocol.Connect{}) // what came of it is in what was sent
	}
	d.End(nil)
	return d
}

// An okResponse answers an HTTP request whole.
type okResponse struct{ head protocol.Head }

func (*okResponse) EventType() string        { return "test.response" }
func (*okResponse) Step() protocol.Step      { return protocol.StepAnswer }
func (r *okResponse) Answer() *protocol.Head { return &r.head }

// yes is an application that says yes to everybody, in each protocol's way.
var yes = answering(nil)

// answering is an application that says yes and hands each scope to see.
func answering(see func(*protocol.Scope)) protocol.Application {
	return protocol.ApplicationFunc(func(_ context.Context, scope *protocol.Scope, conn *protocol.Conn) (protocol.Handler, error) {
		if see != nil {
			see(scope)
		}
		return protocol.HandlerFunc(func(_ context.Context, ev protocol.Event) error {
			if _, ok := ev.(*protocol.Connect); !ok {
				return nil
			}
			if scope.Protocol() == "http" {
				return conn.Send(&okResponse{head: protocol.Head{Status: 200}})
			}
			return conn.Accept("", nil)
		}), nil
	})
}

// request returns a request over a protocol with headers of the form "Name: value",
// whose method may stand before the protocol: "POST http".
func request(tb testing.TB, proto string, headers ...string) *protocol.Request {
	tb.Helper()
	h, err := protocol.ParseHeaders(strings.Join(headers, "\r\n"))
	if err != nil {
		tb.Fatal(err)
	}
	req := &protocol.Request{
		Protocol: proto, Method: "GET", Target: "/room?token=secret", Headers: h,
		Client: netip.MustParseAddrPort("192.0.2.7:4711"), Server: netip.MustParseAddrPort("127.0.0.1:8000"),
	}
	if method, name, ok := strings.Cut(proto, " "); ok {
		req.Method, req.Protocol = method, name
	}
	switch req.Protocol {
	case "http":
		req.Scheme = "http"
	case "websocket":
		req.Scheme, req.Framing = "ws", protocol.FramingMessage
	default:
		req.Scheme, req.Framing, req.Method = req.Protocol, protocol.FramingLine, ""
	}
	return req
}

// scopeBehind returns the scope that an application behind mw gets for req.
func scopeBehind(tb testing.TB, mw protocol.Middleware, req *protocol.Request) *protocol.Scope {
	tb.Helper()
	var got *protocol.Scope
	d := run(tb, mw(answering(func(s *protocol.Scope) { got = s })), req)
	if got == nil {
		tb.Fatalf("refused with %d: %v", d.status(), d.of(protocol.Refused))
	}
	return got
}

// wantFault fails unless protocol.Check reports a fault of mw with all of parts.
func wantFault(tb testing.TB, mw protocol.Middleware, parts ...string) {
	tb.Helper()
	err := protocol.Check(mw(yes))
	if err == nil {
		tb.Error("protocol.Check found no fault")
		return
	}
	for _, part := range parts {
		if !strings.Contains(err.Error(), part) {
			tb.Errorf("the fault %q does not have %q", err, part)
		}
	}
}

// wantNoFault fails if protocol.Check reports a fault of mw.
func wantNoFault(tb testing.TB, mw protocol.Middleware) {
	tb.Helper()
	if err := protocol.Check(mw(yes)); err != nil {
		tb.Error(err)
	}
}

// wantRefusal fails unless d was refused with status, and the observer was told
// why with an error that has part.
func wantRefusal(tb testing.TB, d *drive, status int, part string) {
	tb.Helper()
	if d.status() != status {
		tb.Errorf("status %d, want %d", d.status(), status)
	}
	refused := d.of(protocol.Refused)
	if len(refused) != 1 || !strings.Contains(refused[0].Error(), part) {
		tb.Errorf("the observer was told %v, want one refusal with %q", refused, part)
	}
	if len(d.of(protocol.Failed)) != 0 {
		tb.Errorf("a refusal was reported as a failure: %v", d.of(protocol.Failed))
	}
}

var errTest = errors.New("the test's error")
