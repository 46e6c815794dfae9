package server_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/portico-go/portico/protocol"
	httpproto "github.com/portico-go/portico/protocol/http"
	"github.com/portico-go/portico/server"
)

// An answer that goes on by events would never end by itself, so a shutdown ends it at
// once; one whose handler reads or writes is finished.
func TestShutdownEndsStreams(t *testing.T) {
	t.Parallel()
	part := func(text string, more bool) *httpproto.ResponseBody {
		return &httpproto.ResponseBody{Body: []byte(text), More: more}
	}
	for name, test := range map[string]struct {
		request string // and what comes behind it when the server drains
		rest    string
		handle  func(conn *protocol.Conn, req *httpproto.Request, draining <-chan struct{}) error
		status  int
		body    string
		cause   error
	}{
		"events": {
			request: "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
			handle: func(conn *protocol.Conn, _ *httpproto.Request, _ <-chan struct{}) error {
				return errors.Join(conn.Send(&httpproto.ResponseStart{}), conn.Send(part("data: 1\n\n", true)))
			},
			status: 200, body: "data: 1\n\n", cause: protocol.ErrShutdown,
		},
		"a long poll": {
			request: "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
			handle:  func(*protocol.Conn, *httpproto.Request, <-chan struct{}) error { return nil },
			status:  503, body: "Service Unavailable\n", cause: protocol.ErrShutdown,
		},
		"an upload": {
			request: "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 6\r\n\r\nabc",
			rest:    "def",
			handle: func(conn *protocol.Conn, req *httpproto.Request, _ <-chan struct{}) error {
				if req.More {
					return nil
				}
				return conn.Send(&httpproto.Response{Body: []byte("thanks")})
			},
			status: 200, body: "thanks",
		},
		"a download": {
			request: "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
			handle: func(conn *protocol.Conn, _ *httpproto.Request, draining <-chan struct{}) error {
				err := errors.Join(conn.Send(&httpproto.ResponseStart{}), conn.Send(part("one ", true)))
				<-draining
				return errors.Join(err, conn.Send(part("two", false)))
			},
			status: 200, body: "one two",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			draining := make(chan struct{})
			app := newRecorder()
			app.open = func(_ context.Context, scope *protocol.Scope) error {
				httpproto.Stream(scope)
				return nil
			}
			app.handle = func(_ context.Context, conn *protocol.Conn, ev protocol.Event) error {
				if req, ok := ev.(*httpproto.Request); ok {
					return test.handle(conn, req, draining)
				}
				return nil
			}
			addr, stop := run(t, httpproto.StreamBody()(app), server.Config{Timeouts: server.Timeouts{Shutdown: time.Hour}})
			idle, c := dial(t, addr), dial(t, addr)
			if _, err := io.WriteString(c, test.request); err != nil {
				t.Fatal(err)
			}
			app.want(t, "http.request")
			stopped := make(chan error, 1)
			go func() { stopped <- stop() }()
			_, _ = io.ReadAll(idle) // it is closed when the server drains
			close(draining)
			if _, err := io.WriteString(c, test.rest); err != nil {
				t.Fatal(err)
			}
			res, err := http.ReadResponse(bufio.NewReader(c), nil)
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			body, err := io.ReadAll(res.Body)
			if res.StatusCode != test.status || string(body) != test.body || err != nil {
				t.Errorf("read %d, %q, %v; want %d, %q", res.StatusCode, body, err, test.status, test.body)
			}
			select {
			case err := <-stopped:
				if err != nil {
					t.Error(err)
				}
			case <-time.After(patience):
				t.Fatal("Serve did not return")
			}
			if cause := <-app.causes; !errors.Is(cause, test.cause) {
				t.Errorf("the Disconnect's cause is %v, want %v", cause, test.cause)
			}
		})
	}
}
