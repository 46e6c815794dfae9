package http_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	nethttp "net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/portico-go/portico/protocol"
	"github.com/portico-go/portico/protocol/http"
)

// seen is what an application saw of one request.
type seen struct {
	scope  *protocol.Scope
	bodies []string
	more   []bool
	end    *protocol.Disconnect
}

// capture answers 200 and hands over what it saw, after the Disconnect.
func capture(out chan<- *seen) open {
	return func(scope *protocol.Scope, conn *protocol.Conn) protocol.HandlerFunc {
		s := &seen{scope: scope}
		return func(_ context.Context, ev protocol.Event) error {
			switch ev := ev.(type) {
			case *http.Request:
				s.bodies, s.more = append(s.bodies, string(ev.Body)), append(s.more, ev.More)
				if !ev.More {
					return conn.Send(&http.Response{})
				}
			case *protocol.Disconnect:
				s.end = ev
				out <- s
			}
			return nil
		}
	}
}

// ask sends a request to app and returns the answer and what the application saw,
// nil if it was not asked.
func ask(t *testing.T, cfg http.Config, request string) (*nethttp.Response, *seen) {
	t.Helper()
	out := make(chan *seen, 1)
	resp := raw(t, serve(t, capture(out), cfg), request)
	if resp.StatusCode != 200 {
		return resp, nil
	}
	return resp, <-out
}

func TestD1_MinimalGet(t *testing.T) {
	t.Parallel()
	_, s := ask(t, http.Config{}, "GET / HTTP/1.1\r\nHost: test\r\n\r\n")
	sc := s.scope
	if sc.Protocol() != "http" || sc.Version() != "1.1" || sc.Method() != "GET" || sc.Scheme() != "http" ||
		sc.Path() != "/" || sc.RawPath() != "/" || sc.RawQuery() != "" || sc.RootPath() != "" || sc.Host() != "test" {
		t.Errorf("scope = %q %q %q %q %q %q", sc.Protocol(), sc.Version(), sc.Method(), sc.Scheme(), sc.Path(), sc.Host())
	}
	if len(s.bodies) != 1 || s.bodies[0] != "" || s.more[0] {
		t.Errorf("bodies = %q, more = %v", s.bodies, s.more)
	}
	if s.end.Cause != nil {
		t.Errorf("cause = %v", s.end.Cause)
	}
}

func TestD2_QueryStaysEncoded(t *testing.T) {
	t.Parallel()
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 20 {
		path, value := randomText(rnd), randomText(rnd)
		target := "/" + url.PathEscape(path) + "?" + url.Values{"k": {value}}.Encode()
		_, s := ask(t, http.Config{}, "GET "+target+" HTTP/1.1\r\nHost: test\r\n\r\n")
		if _, query, _ := strings.Cut(target, "?"); s.scope.Path() != "/"+path || s.scope.RawQuery() != query || s.scope.Query("k") != value {
			t.Fatalf("%q: path = %q, query = %q, k = %q", target, s.scope.Path(), s.scope.RawQuery(), s.scope.Query("k"))
		}
	}
}

func randomText(rnd *rand.Rand) string {
	letters := []rune("abc xyz%?&=+é世")
	var b strings.Builder
	for range 1 + rnd.IntN(10) {
		b.WriteRune(letters[rnd.IntN(len(letters))])
	}
	return b.String()
}

func TestD3_RequestInParts(t *testing.T) {
	t.Parallel()
	out := make(chan *seen, 1)
	c := client(t, serve(t, http.StreamBody()(capture(out)), http.Config{}))
	body := strings.Repeat("0123456789", 20_000)
	for _, reader := range []io.Reader{strings.NewReader(body), struct{ io.Reader }{strings.NewReader(body)}} { // by length, chunked
		resp, err := c.Post("http://test/", "text/plain", reader)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		s := <-out
		if got := strings.Join(s.bodies, ""); got != body || len(s.bodies) < 4 {
			t.Fatalf("%d bytes in %d parts, want %d in several", len(got), len(s.bodies), len(body))
		}
		for i, more := range s.more {
			if last := i == len(s.more)-1; more == last || len(s.bodies[i]) > 64<<10 {
				t.Fatalf("part %d of %d: %d bytes, More = %v", i, len(s.more), len(s.bodies[i]), more)
			}
		}
	}
}

func TestD4_PostBody(t *testing.T) {
	t.Parallel()
	for _, request := range []string{
		"POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 11\r\n\r\nhello=world",
		"POST / HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n6\r\nhello=\r\n5\r\nworld\r\n0\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: test\r\nContent-Length: 11\r\n\r\nhello=world",
	} {
		if _, s := ask(t, http.Config{}, request); len(s.bodies) != 1 || s.bodies[0] != "hello=world" {
			t.Errorf("%q: bodies = %q", request, s.bodies)
		}
	}
}

func TestD5_RawPath(t *testing.T) {
	t.Parallel()
	_, s := ask(t, http.Config{}, "GET /foo%2Fbar HTTP/1.1\r\nHost: test\r\n\r\n")
	if s.scope.Path() != "/foo/bar" || s.scope.RawPath() != "/foo%2Fbar" {
		t.Errorf("path = %q, raw path = %q", s.scope.Path(), s.scope.RawPath())
	}
}

func TestD6_HeadersKeepOrderAndDuplicates(t *testing.T) {
	t.Parallel()
	_, s := ask(t, http.Config{}, "GET / HTTP/1.1\r\nHost: test\r\nX-B:  two words \r\nx-a: 1\r\nX-b: \t2\r\nX-Utf: caf\xc3\xa9 \xe4\xbd\x85\r\n\r\n")
	var got []string
	for name, value := range s.scope.Headers().All() {
		got = append(got, strings.ToLower(name)+"="+value)
	}
	want := "[host=test x-b=two words x-a=1 x-b=2 x-utf=café 佅]"
	if fmt.Sprint(got) != want {
		t.Errorf("headers = %v, want %v", got, want)
	}
}

func TestD7_RootPath(t *testing.T) {
	t.Parallel()
	_, s := ask(t, http.Config{RootPath: "/app"}, "GET /app/x HTTP/1.1\r\nHost: test\r\nDaphne-Root-Path: /evil\r\n\r\n")
	if s.scope.RootPath() != "/app" || s.scope.Rest() != "/x" {
		t.Errorf("root path = %q, rest = %q", s.scope.RootPath(), s.scope.Rest())
	}
	if resp, _ := ask(t, http.Config{RootPath: "/app"}, "GET /other HTTP/1.1\r\nHost: test\r\n\r\n"); resp.StatusCode != 404 {
		t.Errorf("outside of the root path: %d, want 404", resp.StatusCode)
	}
}

func TestD8_ForwardedIsIgnored(t *testing.T) {
	t.Parallel()
	_, s := ask(t, http.Config{}, "GET / HTTP/1.1\r\nHost: test\r\nX-Forwarded-For: 10.1.2.3\r\nX-Forwarded-Proto: https\r\n\r\n")
	if s.scope.Client().IsValid() || s.scope.Scheme() != "http" {
		t.Errorf("client = %v, scheme = %q", s.scope.Client(), s.scope.Scheme())
	}
}

func TestD9_NonASCIITarget(t *testing.T) {
	t.Parallel()
	for _, target := range []string{"/caf\xc3\xa9", "/\xff", "/?q=\xc3\xa9", "/a\x01b", "/a\x7fb", "/%zz", "/%ff", "/%00", "/../x", "/%2e%2e/x", "/a#b"} {
		refused(t, "GET "+target+" HTTP/1.1\r\nHost: test\r\n\r\n", 400)
	}
}

func refused(t *testing.T, request string, status int) {
	t.Helper()
	if resp, _ := ask(t, http.Config{}, request); resp.StatusCode != status {
		t.Errorf("%q: %d, want %d", request, resp.StatusCode, status)
	}
}

func TestD10_BadHeaderNames(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"foo bar", "foo\x00", "foo\xff", "foo\x01", "foo ", " foo", "", "foo(bar)", "f\xc3\xb6o"} {
		refused(t, "GET / HTTP/1.1\r\nHost: test\r\n"+name+": x\r\n\r\n", 400)
	}
}

func TestD11_ControlCharactersInValues(t *testing.T) {
	t.Parallel()
	for _, c := range []string{"\x0b", "\x0c", "\x1c", "\x1d", "\x1e", "\x85", "\x00", "\x7f", "\r", "\xc2\x85", "\n", "\r\n "} {
		refused(t, "GET / HTTP/1.1\r\nHost: test\r\nX-A: one"+c+"Smuggled: two\r\n\r\n", 400)
	}
}

func TestFraming(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, head string
		status     int
	}{
		{"no host", "GET / HTTP/1.1\r\n", 400},
		{"no host in 1.0", "GET / HTTP/1.0\r\nA: b\r\n", 200},
		{"no headers in 1.0", "GET / HTTP/1.0\r\n", 200},
		{"empty host", "GET / HTTP/1.1\r\nHost:\r\n", 400},
		{"two hosts", "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n", 400},
		{"bad host", "GET / HTTP/1.1\r\nHost: a b\r\n", 400},
		{"host with a path", "GET / HTTP/1.1\r\nHost: a/b\r\n", 400},
		{"two lengths", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n", 400},
		{"negative length", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n", 400},
		{"length with sign", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n", 400},
		{"length of 2^70", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1180591620717411303424\r\n", 400},
		{"length of 2^62", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4611686018427387904\r\n\r\nx", 413},
		{"length and chunked", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", 400},
		{"chunked and length", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n", 400},
		{"gzip encoding", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n", 400},
		{"identity encoding", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: identity\r\n", 501},
		{"chunked in 1.0", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", 400},
		{"CONNECT", "CONNECT a:80 HTTP/1.1\r\nHost: a\r\n", 501},
		{"OPTIONS *", "OPTIONS * HTTP/1.1\r\nHost: a\r\n", 204},
		{"GET *", "GET * HTTP/1.1\r\nHost: a\r\n", 400},
		{"HTTP/2", "GET / HTTP/2.0\r\nHost: a\r\n", 505},
		{"HTTP/1.2", "GET / HTTP/1.2\r\nHost: a\r\n", 200},
		{"own method", "PURGE / HTTP/1.1\r\nHost: a\r\n", 200},
		{"bad method", "G(T / HTTP/1.1\r\nHost: a\r\n", 400},
		{"no version", "GET /\r\nHost: a\r\n", 400},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			refused(t, test.head+"\r\n", test.status)
		})
	}
}

func TestAbsoluteForm(t *testing.T) {
	t.Parallel()
	_, s := ask(t, http.Config{}, "GET http://other:81?q HTTP/1.1\r\nX-A: b\r\nHost: test\r\n\r\n")
	if s.scope.Path() != "/" || s.scope.RawQuery() != "q" || s.scope.Host() != "other:81" || s.scope.Header("X-A") != "b" || s.scope.Headers().Len() != 2 {
		t.Errorf("path = %q, query = %q, host = %q", s.scope.Path(), s.scope.RawQuery(), s.scope.Host())
	}
	for _, target := range []string{"http:///x", "http://user@host/", "ftp://host/", "http://a b/", "x"} {
		refused(t, "GET "+target+" HTTP/1.1\r\nHost: test\r\n\r\n", 400)
	}
}

// answering sends events one by one.
func answering(errs chan<- error, evs ...protocol.Event) open {
	return func(_ *protocol.Scope, conn *protocol.Conn) protocol.HandlerFunc {
		return func(_ context.Context, ev protocol.Event) error {
			if _, ok := ev.(*http.Request); ok {
				for _, ev := range evs {
					switch e := ev.(type) { // cases run side by side
					case *http.Response:
						own := *e
						ev = &own
					case *http.ResponseStart:
						own := *e
						ev = &own
					}
					if err := conn.Send(ev); err != nil && errs != nil {
						errs <- err
					}
				}
			}
			return nil
		}
	}
}

func TestD12_Responses(t *testing.T) {
	t.Parallel()
	head := func(status int, fields ...protocol.Field) protocol.Head {
		return protocol.Head{Status: status, Header: fields}
	}
	start := &http.ResponseStart{Head: head(201, protocol.Field{Name: "X-A", Value: "b"})}
	for _, test := range []struct {
		name   string
		evs    []protocol.Event
		status int
		body   string
		failed string // in the log
	}{
		{"whole", []protocol.Event{&http.Response{Head: head(200), Body: []byte("hi")}}, 200, "hi", ""},
		{"201", []protocol.Event{&http.Response{Head: head(201)}}, 201, "", ""},
		{"no status is 200", []protocol.Event{&http.Response{Body: []byte("hi")}}, 200, "hi", ""},
		{"any bytes", []protocol.Event{&http.Response{Body: []byte("\x00\xff\r\n")}}, 200, "\x00\xff\r\n", ""},
		{"parts", []protocol.Event{start, &http.ResponseBody{Body: []byte("ab"), More: true}, &http.ResponseBody{Body: []byte("cd")}}, 201, "abcd", ""},
		{"empty last part", []protocol.Event{start, &http.ResponseBody{Body: []byte("ab"), More: true}, &http.ResponseBody{}}, 201, "ab", ""},
		{"framing is ours", []protocol.Event{&http.Response{Head: head(200, protocol.Field{Name: "Content-Length", Value: "99"}, protocol.Field{Name: "Transfer-Encoding", Value: "chunked"}), Body: []byte("hi")}}, 200, "hi", ""},
		{"nothing", nil, 500, "Internal Server Error\n", "http.Stream"},
		{"half", []protocol.Event{start, &http.ResponseBody{Body: []byte("ab"), More: true}}, 500, "Internal Server Error\n", "http.Stream"},
		{"bad status", []protocol.Event{&http.Response{Head: head(99)}}, 500, "Internal Server Error\n", ""},
		{"bad name", []protocol.Event{&http.Response{Head: head(200, protocol.Field{Name: "a b", Value: "c"})}}, 500, "Internal Server Error\n", ""},
		{"bad value", []protocol.Event{&http.Response{Head: head(200, protocol.Field{Name: "a", Value: "c\r\nd: e"})}}, 500, "Internal Server Error\n", ""},
		{"body first", []protocol.Event{&http.ResponseBody{}}, 500, "Internal Server Error\n", ""},
		{"204", []protocol.Event{&http.Response{Head: head(204), Body: []byte("x")}}, 204, "", ""},
		{"304", []protocol.Event{&http.Response{Head: head(304), Body: []byte("x")}}, 304, "", ""},
		{"refusal", []protocol.Event{&protocol.Reject{Status: 405, Reason: "no", Header: protocol.Fields{{Name: "Allow", Value: "GET"}}}}, 405, "no\n", ""},
		{"wrong event", []protocol.Event{start, &protocol.Message{Data: []byte("x")}, &http.ResponseBody{Body: []byte("y")}}, 201, "y", ""},
	} {
		for _, streams := range []bool{false, true} {
			if streams && (test.name == "nothing" || test.name == "half" || test.name == "body first") {
				continue // a streaming handler may go on later
			}
			t.Run(fmt.Sprintf("%s, streaming %v", test.name, streams), func(t *testing.T) {
				t.Parallel()
				seen := &log{}
				app := answering(nil, test.evs...)
				if streams {
					app = streaming(app)
				}
				c := client(t, serve(t, app, http.Config{Settings: &protocol.Settings{Observer: seen}}))
				resp, err := c.Get("http://test/")
				if err != nil {
					t.Fatal(err)
				}
				if body := read(t, resp); resp.StatusCode != test.status || body != test.body {
					t.Errorf("answer = %d %q, want %d %q", resp.StatusCode, body, test.status, test.body)
				}
				if !strings.Contains(seen.failures(), test.failed) {
					t.Errorf("log = %q, want %q", seen.failures(), test.failed)
				}
				if resp.StatusCode == 405 && (resp.Header.Get("Allow") != "GET" || resp.Header.Get("X-Content-Type-Options") != "nosniff") {
					t.Errorf("headers of the refusal = %v", resp.Header)
				}
			})
		}
	}
}

func TestD12_ErrorsNameWhatIsWrong(t *testing.T) {
	t.Parallel()
	for want, ev := range map[string]protocol.Event{
		"99 is not the status":   &http.Response{Head: protocol.Head{Status: 99}},
		`"a b" is not a token`:   &http.Response{Head: protocol.Head{Header: protocol.Fields{{Name: "a b"}}}},
		"http.response.body was": &http.ResponseBody{},
	} {
		errs := make(chan error, 1)
		raw(t, serve(t, answering(errs, ev), http.Config{}), "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
		if err := <-errs; !strings.Contains(err.Error(), want) {
			t.Errorf("error = %v, want %q", err, want)
		}
	}
}

func TestHead(t *testing.T) {
	t.Parallel()
	for _, app := range []open{
		answering(nil, &http.Response{Body: []byte("hello")}),
		streaming(answering(nil, &http.ResponseStart{}, &http.ResponseBody{Body: []byte("hello"), More: true})),
	} {
		ln := serve(t, app, http.Config{})
		c := client(t, ln)
		for range 2 { // the connection goes on
			resp, err := c.Head("http://test/")
			if err != nil || resp.StatusCode != 200 {
				t.Fatalf("HEAD = %v, %v", resp, err)
			}
			if body := read(t, resp); body != "" {
				t.Fatalf("HEAD has the body %q", body)
			}
		}
	}
}

// A Send after the request is over is ErrClosed, also when fasthttp serves other
// requests with the same RequestCtx.
func TestLateSend(t *testing.T) {
	t.Parallel()
	conns := make(chan *protocol.Conn, 10)
	app := open(func(_ *protocol.Scope, conn *protocol.Conn) protocol.HandlerFunc {
		return func(_ context.Context, ev protocol.Event) error {
			if _, ok := ev.(*http.Request); ok {
				conns <- conn
				return conn.Send(&http.Response{})
			}
			return nil
		}
	})
	c := client(t, serve(t, app, http.Config{}))
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range 50 {
			conn := <-conns
			for !errors.Is(conn.Flush(), protocol.ErrClosed) { // until the request is over
			}
			for _, err := range []error{conn.Send(&http.Response{}), conn.Post(&protocol.Timer{}), conn.Flush(), http.Drain(t.Context(), conn)} {
				if !errors.Is(err, protocol.ErrClosed) {
					t.Errorf("late: %v, want ErrClosed", err)
				}
			}
		}
	}()
	for range 50 {
		resp, err := c.Get("http://test/")
		if err != nil || read(t, resp) != "" || resp.StatusCode != 200 {
			t.Fatal(err)
		}
	}
	<-done
}

func TestBufferedHandlerCannotStream(t *testing.T) {
	t.Parallel()
	errs := make(chan error, 3)
	app := open(func(_ *protocol.Scope, conn *protocol.Conn) protocol.HandlerFunc {
		return func(ctx context.Context, ev protocol.Event) error {
			if _, ok := ev.(*http.Request); ok {
				errs <- conn.Flush()
				errs <- conn.Post(&protocol.Timer{})
				errs <- http.Drain(ctx, conn)
				return conn.Send(&http.Response{})
			}
			return nil
		}
	})
	raw(t, serve(t, app, http.Config{}), "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	for range 3 {
		if err := <-errs; !errors.Is(err, http.ErrBuffered) || !strings.Contains(err.Error(), "http.Stream(scope)") {
			t.Errorf("error = %v, want ErrBuffered with the option's name", err)
		}
	}
}
