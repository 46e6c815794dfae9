package http_test

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/portico-go/portico/protocol"
	"github.com/portico-go/portico/protocol/http"
)

// bubble runs f in virtual time.
func bubble(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		t.Cleanup(func() { time.Sleep(time.Minute) }) // fasthttp's workers look every 10 s whether they may end
		f(t)
	})
}

// A client that stops reading loses its streamed answer after StallTimeout.
func TestStalledReader(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		ends := make(chan error, 1)
		app := streaming(func(_ *protocol.Scope, conn *protocol.Conn) protocol.HandlerFunc {
			return func(_ context.Context, ev protocol.Event) error {
				switch ev := ev.(type) {
				case *http.Request:
					if err := conn.Send(&http.ResponseStart{}); err != nil {
						return err
					}
					return part(conn, "hello", true)
				case *protocol.Disconnect:
					ends <- ev.Cause
				}
				return nil
			}
		})
		conn, err := serve(t, app, http.Config{StallTimeout: time.Minute}).Dial()
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close() }()
		begun := time.Now()
		if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: a\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Read(make([]byte, 4096)); err != nil { // the head only
			t.Fatal(err)
		}
		if cause := <-ends; !errors.Is(cause, protocol.ErrReset) {
			t.Errorf("cause = %v, want ErrReset", cause)
		}
		if d := time.Since(begun); d != time.Minute {
			t.Errorf("it took %v, want a minute", d)
		}
	})
}

// A client that stops within its body is answered with 408 after StallTimeout.
func TestStalledBody(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		ends := make(chan *seen, 1)
		begun := time.Now()
		resp := raw(t, serve(t, capture(ends), http.Config{StallTimeout: 5 * time.Second}), "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n012")
		if resp.StatusCode != 408 || !resp.Close {
			t.Errorf("status = %d, close = %v", resp.StatusCode, resp.Close)
		}
		if d := time.Since(begun); d != 5*time.Second {
			t.Errorf("it took %v, want 5 s", d)
		}
		if s := <-ends; len(s.bodies) != 0 || s.end.Cause == nil {
			t.Errorf("bodies = %q, cause = %v", s.bodies, s.end.Cause)
		}
	})
}

// A long poll: the answer comes with a timer, in order after the request.
func TestLongPoll(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		app := streaming(func(_ *protocol.Scope, conn *protocol.Conn) protocol.HandlerFunc {
			return func(_ context.Context, ev protocol.Event) error {
				switch ev.(type) {
				case *http.Request:
					conn.PostAfter(20*time.Second, nil)
				case *protocol.Timer:
					return conn.Send(&http.Response{Body: []byte("news")})
				}
				return nil
			}
		})
		begun := time.Now()
		ln := serve(t, app, http.Config{})
		conn, err := ln.Dial()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		all, err := io.ReadAll(conn)
		if err != nil || !strings.HasSuffix(string(all), "Content-Length: 4\r\nConnection: close\r\n\r\nnews") {
			t.Errorf("answer = %q, %v", all, err)
		}
		if d := time.Since(begun); d != 20*time.Second {
			t.Errorf("it took %v, want 20 s", d)
		}
	})
}

// tracker counts, and cancels on demand.
type tracker struct {
	mu     sync.Mutex
	living map[*protocol.Lifecycle]net.Conn
	ended  int
}

func (tr *tracker) Begin(conn net.Conn, l *protocol.Lifecycle) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	if tr.living == nil {
		tr.living = map[*protocol.Lifecycle]net.Conn{}
	}
	tr.living[l] = conn
}

func (tr *tracker) End(conn net.Conn, l *protocol.Lifecycle) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	if tr.living[l] == conn {
		delete(tr.living, l)
		tr.ended++
	}
}

func (tr *tracker) each(f func(*protocol.Lifecycle)) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	for l := range tr.living {
		f(l)
	}
}

// A server that drains ends streams properly; one whose client hung up cuts them.
func TestTracker(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		end   func(*protocol.Lifecycle)
		cause error
		whole bool
	}{
		"drain":   {func(l *protocol.Lifecycle) { l.Terminate(protocol.ErrShutdown) }, protocol.ErrShutdown, true},
		"hang-up": {func(l *protocol.Lifecycle) { l.Cancel(protocol.ErrReset) }, protocol.ErrReset, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bubble(t, func(t *testing.T) {
				ends := make(chan error, 1)
				app := streaming(func(_ *protocol.Scope, conn *protocol.Conn) protocol.HandlerFunc {
					return func(_ context.Context, ev protocol.Event) error {
						switch ev := ev.(type) {
						case *http.Request:
							return conn.Send(&http.ResponseStart{})
						case *protocol.Disconnect:
							ends <- ev.Cause
						}
						return nil
					}
				})
				tr := &tracker{}
				conn, err := serve(t, app, http.Config{Tracker: tr}).Dial()
				if err != nil {
					t.Fatal(err)
				}
				if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"); err != nil {
					t.Fatal(err)
				}
				if _, err := conn.Read(make([]byte, 4096)); err != nil { // the head
					t.Fatal(err)
				}
				tr.each(test.end)
				rest, _ := io.ReadAll(conn)
				if whole := string(rest) == "0\r\n\r\n"; whole != test.whole {
					t.Errorf("the rest = %q", rest)
				}
				if cause := <-ends; !errors.Is(cause, test.cause) {
					t.Errorf("cause = %v, want %v", cause, test.cause)
				}
				synctest.Wait()
				if tr.ended != 1 || len(tr.living) != 0 {
					t.Errorf("ended %d, living %d", tr.ended, len(tr.living))
				}
			})
		})
	}
}
