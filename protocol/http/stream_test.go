package http_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/portico-go/portico/protocol"
	"github.com/portico-go/portico/protocol/http"
)

// streaming is an Application whose handlers stream.
func streaming(f func(scope *protocol.Scope, conn *protocol.Conn) protocol.HandlerFunc) open {
	return func(scope *protocol.Scope, conn *protocol.Conn) protocol.HandlerFunc {
		http.Stream(scope)
		return f(scope, conn)
	}
}

func part(conn *protocol.Conn, text string, more bool) error {
	return conn.Send(&http.ResponseBody{Body: []byte(text), More: more})
}

// Parts leave one by one, driven by timers that come through the mailbox.
func TestStreamedPartsLeaveAsTheyCome(t *testing.T) {
	t.Parallel()
	next := make(chan struct{})
	gone := make(chan *protocol.Disconnect, 1)
	app := streaming(func(_ *protocol.Scope, conn *protocol.Conn) protocol.HandlerFunc {
		n := 0
		return func(_ context.Context, ev protocol.Event) error {
			switch ev := ev.(type) {
			case *http.Request:
				go func() {
					for range next {
						_ = conn.Post(&protocol.Timer{})
					}
				}()
				return conn.Send(&http.ResponseStart{Head: protocol.Head{Header: protocol.Fields{{Name: "Content-Type", Value: "text/event-stream"}}}})
			case *protocol.Timer:
				n++
				return part(conn, strings.Repeat("x", n)+"\n", n < 3)
			case *protocol.Disconnect:
				gone <- ev
			}
			return nil
		}
	})
	c := client(t, serve(t, app, http.Config{}))
	resp, err := c.Get("http://test/")
	if err != nil {
		t.Fatal(err)
	}
	if ct := resp.Header.Get("Content-Type"); ct != "text/event-stream" {
		t.Fatalf("Content-Type = %q", ct)
	}
	lines := bufio.NewReader(resp.Body)
	for n := 1; n <= 3; n++ { // each part is read before the next is made
		next <- struct{}{}
		if line, err := lines.ReadString('\n'); err != nil || line != strings.Repeat("x", n)+"\n" {
			t.Fatalf("part %d = %q, %v", n, line, err)
		}
	}
	close(next)
	if rest, err := io.ReadAll(lines); err != nil || len(rest) != 0 {
		t.Fatalf("the rest = %q, %v", rest, err)
	}
	if d := <-gone; d.Cause != nil || !d.Accepted {
		t.Fatalf("Disconnect = %+v", d)
	}
}

// A client that goes away cancels the context with ErrReset, and Disconnect follows.
func TestStreamClientGone(t *testing.T) {
	t.Parallel()
	gone := make(chan error, 1)
	app := streaming(func(_ *protocol.Scope, conn *protocol.Conn) protocol.HandlerFunc {
		return func(ctx context.Context, ev protocol.Event) error {
			switch ev := ev.(type) {
			case *http.Request:
				if err := conn.Send(&http.ResponseStart{}); err != nil {
					return err
				}
				for part(conn, "tick\n", true) == nil {
					if err := http.Drain(ctx, conn); err != nil {
						break
					}
				}
				if !errors.Is(context.Cause(ctx), protocol.ErrReset) {
					t.Errorf("cause of the context = %v", context.Cause(ctx))
				}
			case *protocol.Disconnect:
				gone <- ev.Cause
			}
			return nil
		}
	})
	c := client(t, serve(t, app, http.Config{MaxQueue: 64}))
	resp, err := c.Get("http://test/")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := bufio.NewReader(resp.Body).ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	select {
	case cause := <-gone:
		if !errors.Is(cause, protocol.ErrReset) {
			t.Fatalf("cause = %v, want ErrReset", cause)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("no Disconnect")
	}
}

func TestStreamSlowClient(t *testing.T) {
	t.Parallel()
	gone := make(chan error, 1)
	sent := make(chan error, 1)
	app := streaming(func(_ *protocol.Scope, conn *protocol.Conn) protocol.HandlerFunc {
		return func(_ context.Context, ev protocol.Event) error {
			switch ev := ev.(type) {
			case *http.Request:
				if err := conn.Send(&http.ResponseStart{}); err != nil {
					return err
				}
				for {
					if err := part(conn, strings.Repeat("x", 1000), true); err != nil {
						sent <- err
						return nil
					}
				}
			case *protocol.Disconnect:
				gone <- ev.Cause
			}
			return nil
		}
	})
	c := client(t, serve(t, app, http.Config{MaxQueue: 10_000}))
	resp, err := c.Get("http://test/")
	if err != nil {
		t.Fatal(err)
	}
	if err := <-sent; !errors.Is(err, protocol.ErrSlow) {
		t.Fatalf("Send = %v, want ErrSlow", err)
	}
	if _, err := io.ReadAll(resp.Body); err == nil {
		t.Fatal("the answer that was cut looks whole")
	}
	if cause := <-gone; !errors.Is(cause, protocol.ErrSlow) {
		t.Fatalf("cause = %v, want ErrSlow", cause)
	}
}

func TestStreamFailure(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		begin  bool
		status int
	}{{"before the head", false, 500}, {"after the head", true, 200}} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			app := streaming(func(_ *protocol.Scope, conn *protocol.Conn) protocol.HandlerFunc {
				return func(_ context.Context, ev protocol.Event) error {
					if _, ok := ev.(*http.Request); !ok {
						return nil
					}
					if test.begin {
						_ = conn.Send(&http.ResponseStart{})
						_ = part(conn, "half", true)
					}
					return errors.New("broken")
				}
			})
			seen := &log{}
			c := client(t, serve(t, app, http.Config{Settings: &protocol.Settings{Observer: seen}}))
			resp, err := c.Get("http://test/")
			if err != nil {
				t.Fatal(err)
			}
			_, err = io.ReadAll(resp.Body)
			if resp.StatusCode != test.status || (err != nil) != test.begin {
				t.Fatalf("status = %d, read = %v", resp.StatusCode, err)
			}
			if got := seen.failures(); !strings.Contains(got, "broken") {
				t.Fatalf("failures = %q", got)
			}
		})
	}
}
