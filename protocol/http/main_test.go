package http_test

import (
	"bufio"
	"context"
	"io"
	"net"
	nethttp "net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/valyala/fasthttp"
	"go.uber.org/goleak"

	"github.com/portico-go/portico/protocol"
	"github.com/portico-go/portico/protocol/http"
)

func TestMain(m *testing.M) {
	_ = new(fasthttp.ResponseHeader).Header() // starts fasthttp's clock outside of any bubble
	goleak.VerifyTestMain(m,
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.updateServerDate.func1"),    // runs for ever
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.(*workerPool).Start.func2"), // ends within 10 s
	)
}

// log is an Observer that keeps what it is told.
type log struct {
	mu   sync.Mutex
	list []protocol.Observation
}

func (l *log) Observe(o protocol.Observation) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.list = append(l.list, o)
}

// failures returns the texts of all failures.
func (l *log) failures() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var texts []string
	for _, o := range l.list {
		if o.Kind == protocol.Failed {
			texts = append(texts, o.Err.Error())
		}
	}
	return strings.Join(texts, "\n")
}

// open is an Application that is a function of a scope.
type open func(scope *protocol.Scope, conn *protocol.Conn) protocol.HandlerFunc

func (o open) Open(_ context.Context, scope *protocol.Scope, conn *protocol.Conn) (protocol.Handler, error) {
	return o(scope, conn), nil
}

// serve serves app in memory.
func serve(t *testing.T, app protocol.Application, cfg http.Config) *pipeListener {
	t.Helper()
	ln := newPipeListener()
	serveOn(t, ln, app, cfg)
	return ln
}

// serveOn serves app until the test is over.
func serveOn(t *testing.T, ln net.Listener, app protocol.Application, cfg http.Config) {
	t.Helper()
	front := http.NewFront(app, cfg)
	s := &fasthttp.Server{Handler: front.ServeFastHTTP, NoDefaultServerHeader: true, Logger: quiet}
	front.Configure(s)
	done := make(chan error, 1)
	go func() { done <- s.Serve(ln) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := s.ShutdownWithContext(ctx); err != nil {
			t.Errorf("a connection did not end: %v", err)
		}
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// client is an HTTP client that is not ours.
func client(t *testing.T, ln *pipeListener) *nethttp.Client {
	t.Helper()
	tr := &nethttp.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return ln.dial(ctx) }}
	t.Cleanup(tr.CloseIdleConnections)
	return &nethttp.Client{Transport: tr, Timeout: 10 * time.Second}
}

// raw sends bytes and returns everything that the server answers before it closes
// or is quiet after one answer.
func raw(t *testing.T, ln *pipeListener, request string) *nethttp.Response {
	t.Helper()
	conn, err := ln.Dial()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	go func() { _, _ = io.WriteString(conn, request) }()
	method, _, _ := strings.Cut(request, " ")
	resp, err := nethttp.ReadResponse(bufio.NewReader(conn), &nethttp.Request{Method: method})
	if err != nil {
		t.Fatalf("no answer to %q: %v", request, err)
	}
	return resp
}

func read(t *testing.T, resp *nethttp.Response) string {
	t.Helper()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	return string(b)
}
