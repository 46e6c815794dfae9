package http_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	nethttp "net/http"
	"strings"
	"testing"

	"github.com/portico-go/portico/protocol"
	"github.com/portico-go/portico/protocol/http"
)

func TestBodyLimit(t *testing.T) {
	t.Parallel()
	const length, chunked = "Content-Length: 11\r\n\r\n0123456789X", "Transfer-Encoding: chunked\r\n\r\nb\r\n0123456789X\r\n0\r\n\r\n"
	for _, test := range []struct {
		name   string
		app    func(protocol.Application) protocol.Application
		cfg    http.Config
		status int
	}{
		{"server's limit", protocol.Chain(), http.Config{MaxBody: 10}, 413},
		{"just enough", protocol.Chain(), http.Config{MaxBody: 11}, 200},
		{"route has more", http.BodyLimit(11), http.Config{MaxBody: 10}, 200},
		{"route has less", http.BodyLimit(10), http.Config{}, 413},
		{"the innermost counts", protocol.Chain(http.BodyLimit(10), http.BodyLimit(11)), http.Config{}, 200},
		{"streamed", protocol.Chain(http.StreamBody(), http.BodyLimit(10)), http.Config{}, 413},
		{"streamed without limit", http.StreamBody(), http.Config{MaxBody: 10}, 200},
	} {
		for _, framing := range []string{length, chunked} {
			t.Run(test.name, func(t *testing.T) {
				t.Parallel()
				ends := make(chan *seen, 1)
				resp := raw(t, serve(t, test.app(capture(ends)), test.cfg), "POST / HTTP/1.1\r\nHost: a\r\n"+framing)
				if resp.StatusCode != test.status {
					t.Errorf("status = %d, want %d", resp.StatusCode, test.status)
				}
				if resp.Close != (test.status == 413) {
					t.Errorf("Connection: close is %v", resp.Close)
				}
				if end := (<-ends).end; (end.Cause == nil) != (test.status == 200) {
					t.Errorf("cause = %v", end.Cause)
				}
			})
		}
	}
}

// A client that stops within its body is ErrReset to the handler.
func TestAbortedBody(t *testing.T) {
	t.Parallel()
	for name, mw := range map[string]protocol.Middleware{"whole": protocol.Chain(), "streamed": http.StreamBody()} {
		for _, framing := range []string{"Content-Length: 10\r\n\r\n012", "Transfer-Encoding: chunked\r\n\r\n9\r\n012"} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				ends := make(chan *seen, 1)
				conn, err := serve(t, mw(capture(ends)), http.Config{}).Dial()
				if err != nil {
					t.Fatal(err)
				}
				if _, err := io.WriteString(conn, "POST / HTTP/1.1\r\nHost: a\r\n"+framing); err != nil {
					t.Fatal(err)
				}
				_ = conn.Close()
				if end := (<-ends).end; !errors.Is(end.Cause, protocol.ErrReset) {
					t.Fatalf("cause = %v, want ErrReset", end.Cause)
				}
			})
		}
	}
}

// A body that is no chunks is the client's fault, and told so.
func TestBrokenChunks(t *testing.T) {
	t.Parallel()
	for name, mw := range map[string]protocol.Middleware{"whole": protocol.Chain(), "streamed": http.StreamBody()} {
		for _, chunks := range []string{"zz\r\n", "4000000000000000\r\nx", "10000000000000000\r\nx", "-1\r\nx", "1\nx", "1\r\nxy\r\n", "\r\n"} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				ends := make(chan *seen, 1)
				resp := raw(t, serve(t, mw(capture(ends)), http.Config{}), "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"+chunks)
				if resp.StatusCode != 400 || !resp.Close {
					t.Errorf("%q: status %d, Connection: close is %v; want 400 and the end", chunks, resp.StatusCode, resp.Close)
				}
				if end := (<-ends).end; end.Cause == nil || errors.Is(end.Cause, protocol.ErrReset) {
					t.Errorf("%q: cause = %v", chunks, end.Cause)
				}
			})
		}
	}
}

// What is left of a body that nobody read is never taken for a request.
func TestUnreadBodyIsNoRequest(t *testing.T) {
	t.Parallel()
	refuse := protocol.ApplicationFunc(func(context.Context, *protocol.Scope, *protocol.Conn) (protocol.Handler, error) {
		return nil, protocol.Rejectf(401, "who are you?")
	})
	smuggled := "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"
	for _, body := range []string{smuggled, strings.Repeat(smuggled, 1000)} {
		conn, err := serve(t, refuse, http.Config{}).Dial()
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			_, _ = io.WriteString(conn, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: "+itoa(len(body))+"\r\n\r\n"+body)
			_, _ = io.WriteString(conn, "GET /next HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
		}()
		all, _ := io.ReadAll(conn)
		_ = conn.Close()
		answers := strings.Count(string(all), "HTTP/1.1 401")
		if want := map[bool]int{true: 2, false: 1}[len(body) < 8<<10]; answers != want {
			t.Errorf("%d answers after a body of %d bytes, want %d", answers, len(body), want)
		}
	}
}

func TestExpectContinue(t *testing.T) {
	t.Parallel()
	ends := make(chan *seen, 1)
	guarded := protocol.ApplicationFunc(func(ctx context.Context, scope *protocol.Scope, conn *protocol.Conn) (protocol.Handler, error) {
		if scope.Path() == "/no" {
			return nil, protocol.Rejectf(401, "who are you?")
		}
		return capture(ends).Open(ctx, scope, conn)
	})
	dial := func(path string, length int) (net.Conn, *bufio.Reader) {
		conn, err := serve(t, guarded, http.Config{MaxBody: 10}).Dial()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		if _, err := io.WriteString(conn, "POST "+path+" HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: "+itoa(length)+"\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		return conn, bufio.NewReader(conn)
	}
	status := func(r *bufio.Reader) int {
		resp, err := nethttp.ReadResponse(r, nil)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode
	}
	if _, r := dial("/no", 5); status(r) != 401 {
		t.Error("a refused request got no 401 at once")
	}
	if _, r := dial("/", 11); status(r) != 413 {
		t.Error("a long body got no 413 at once")
	} else if s := <-ends; s.end == nil || len(s.bodies) != 0 {
		t.Errorf("the handler saw %q", s.bodies)
	}
	conn, r := dial("/", 5)
	if got := status(r); got != 100 {
		t.Fatalf("status = %d, want 100", got)
	}
	if _, err := io.WriteString(conn, "hello"); err != nil {
		t.Fatal(err)
	}
	if got := status(r); got != 200 {
		t.Fatalf("status = %d, want 200", got)
	}
	if s := <-ends; s.bodies[0] != "hello" {
		t.Fatalf("body = %q", s.bodies)
	}
	conn, r = dial("/", 5)
	if got := status(r); got != 100 {
		t.Fatalf("status = %d, want 100", got)
	}
	_ = conn.Close()
	if s := <-ends; !errors.Is(s.end.Cause, protocol.ErrReset) {
		t.Fatalf("cause after the client left = %v", s.end.Cause)
	}
}

// HTTP/1.0 has no chunks: a streamed answer ends with the connection.
func TestStreamToHTTP10(t *testing.T) {
	t.Parallel()
	app := streaming(func(_ *protocol.Scope, conn *protocol.Conn) protocol.HandlerFunc {
		return func(_ context.Context, ev protocol.Event) error {
			switch ev.(type) {
			case *http.Request:
				if err := conn.Send(&http.ResponseStart{}); err != nil {
					return err
				}
				return conn.Post(&protocol.Timer{})
			case *protocol.Timer:
				return part(conn, "hello", false)
			}
			return nil
		}
	})
	resp := raw(t, serve(t, app, http.Config{}), "GET / HTTP/1.0\r\n\r\n")
	if body := read(t, resp); body != "hello" || len(resp.TransferEncoding) != 0 {
		t.Errorf("answer = %v %q", resp.TransferEncoding, body)
	}
}

// A client that sends all of a body that nobody wants still sees the answer.
func TestRefusedUploadSeesItsAnswer(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	serveOn(t, ln, echo, http.Config{MaxBody: 10})
	for range 20 {
		conn, err := net.Dial("tcp", ln.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(conn, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 500000\r\n\r\n"+strings.Repeat("x", 500_000)); err != nil {
			t.Fatal(err)
		}
		all, err := io.ReadAll(conn)
		_ = conn.Close()
		if err != nil || !strings.HasPrefix(string(all), "HTTP/1.1 413 ") || !strings.Contains(string(all), "Connection: close") {
			t.Fatalf("answer = %q, %v", all, err)
		}
	}
}
