package http_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	nethttp "net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"github.com/valyala/fasthttp"

	"github.com/portico-go/portico/protocol"
	"github.com/portico-go/portico/protocol/http"
)

func itoa(n int) string { return strconv.Itoa(n) }

// cookie is a middleware whose response hook sets a cookie.
func cookie(inner protocol.Application) protocol.Application {
	return protocol.ApplicationFunc(func(ctx context.Context, scope *protocol.Scope, conn *protocol.Conn) (protocol.Handler, error) {
		if err := scope.OnResponse(func(_ context.Context, head *protocol.Head) error {
			head.Header.Add("Set-Cookie", "a=b")
			head.Header.Add("X-Status", itoa(head.Status))
			return nil
		}); err != nil {
			return nil, err
		}
		return inner.Open(ctx, scope, conn)
	})
}

func TestFastHTTPBridge(t *testing.T) {
	t.Parallel()
	app := http.FastHTTP(func(ctx *fasthttp.RequestCtx) {
		if string(ctx.Path()) == "/panic" {
			ctx.SetBodyString("half")
			panic("broken")
		}
		ctx.SetStatusCode(201)
		ctx.Response.Header.Set("X-Own", "yes")
		ctx.Response.Header.Add("Set-Cookie", "own=1")
		body := string(ctx.PostBody())
		if string(ctx.Path()) == "/stream" {
			ctx.SetBodyStreamWriter(func(w *bufio.Writer) { _, _ = w.WriteString("streamed " + body) })
			return
		}
		ctx.SetBodyString("got " + body)
	})
	front := map[string]*nethttp.Client{
		"fasthttp": client(t, serve(t, cookie(app), http.Config{})),
		"net/http": netServer(t, http.Handler(cookie(app), http.Config{})),
	}
	for name, c := range front {
		for path, want := range map[string]string{"/": "got hello", "/stream": "streamed hello"} {
			resp, err := c.Post("http://test"+path, "text/x", strings.NewReader("hello"))
			if err != nil {
				t.Fatal(err)
			}
			if body := read(t, resp); resp.StatusCode != 201 || body != want || resp.Header.Get("X-Own") != "yes" ||
				resp.Header.Get("X-Status") != "201" || fmt.Sprint(resp.Header["Set-Cookie"]) != "[own=1 a=b]" {
				t.Errorf("%s%s: %d %v %q", name, path, resp.StatusCode, resp.Header, body)
			}
		}
		resp, err := c.Get("http://test/panic")
		if err != nil {
			t.Fatal(err)
		}
		if body := read(t, resp); resp.StatusCode != 500 || body != "Internal Server Error\n" || resp.Header.Get("Set-Cookie") != "a=b" {
			t.Errorf("%s: a panic is %d %v %q", name, resp.StatusCode, resp.Header, body)
		}
	}
}

// netServer serves h with net/http on loopback; the client takes any host for it.
func netServer(t *testing.T, h nethttp.Handler) *nethttp.Client {
	t.Helper()
	s := httptest.NewUnstartedServer(h)
	s.Config.ErrorLog = quiet
	s.Start()
	t.Cleanup(s.Close)
	c := s.Client()
	c.Transport.(*nethttp.Transport).Proxy = nethttp.ProxyURL(nil)
	dial := c.Transport.(*nethttp.Transport).DialContext
	if dial == nil {
		dial = dialer.DialContext
	}
	addr := s.Listener.Addr().String()
	c.Transport.(*nethttp.Transport).DialContext = dialTo(dial, addr)
	return c
}

// netHandler is a handler of net/http that does many things.
func netHandler() nethttp.Handler {
	mux := nethttp.NewServeMux()
	mux.HandleFunc("POST /echo/{id}", func(w nethttp.ResponseWriter, r *nethttp.Request) {
		b, err := io.ReadAll(r.Body)
		if err != nil {
			panic(err)
		}
		w.Header().Set("X-Id", r.PathValue("id")+" "+r.Host+" "+r.Header.Get("X-A"))
		w.WriteHeader(202)
		_, _ = w.Write(b)
	})
	mux.HandleFunc("POST /duplex", func(w nethttp.ResponseWriter, r *nethttp.Request) {
		lines := bufio.NewReader(r.Body)
		for {
			line, err := lines.ReadString('\n')
			if err != nil {
				return
			}
			_, _ = io.WriteString(w, line)
			if err := nethttp.NewResponseController(w).Flush(); err != nil {
				panic(err)
			}
		}
	})
	mux.HandleFunc("/large", func(w nethttp.ResponseWriter, _ *nethttp.Request) {
		_, _ = w.Write(make([]byte, 5<<20))
	})
	mux.HandleFunc("/html", func(w nethttp.ResponseWriter, _ *nethttp.Request) { _, _ = io.WriteString(w, "<html>") })
	mux.HandleFunc("/panic", func(nethttp.ResponseWriter, *nethttp.Request) { panic("broken") })
	mux.HandleFunc("/abort", func(w nethttp.ResponseWriter, _ *nethttp.Request) {
		_, _ = io.WriteString(w, "half")
		w.(nethttp.Flusher).Flush()
		panic(nethttp.ErrAbortHandler)
	})
	return mux
}

func TestNetHTTPBridge(t *testing.T) {
	t.Parallel()
	seen := &log{}
	cfg := http.Config{Settings: &protocol.Settings{Observer: seen}, MaxQueue: 100_000}
	app := cookie(http.NetHTTP(netHandler()))
	for name, c := range map[string]*nethttp.Client{
		"fasthttp": client(t, serve(t, app, cfg)),
		"net/http": netServer(t, http.Handler(app, cfg)),
	} {
		t.Run(name, func(t *testing.T) {
			for _, size := range []int{0, 5, 300_000} {
				body := strings.Repeat("x", size)
				req, _ := nethttp.NewRequest("POST", "http://test/echo/7", struct{ io.Reader }{strings.NewReader(body)})
				req.Header.Set("X-A", "b")
				resp, err := c.Do(req)
				if err != nil {
					t.Fatal(err)
				}
				if got := read(t, resp); resp.StatusCode != 202 || got != body || resp.Header.Get("X-Id") != "7 test b" || resp.Header.Get("Set-Cookie") != "a=b" {
					t.Errorf("echo of %d = %d %v, %d bytes", size, resp.StatusCode, resp.Header, len(got))
				}
			}
			get := func(path string) (*nethttp.Response, string, error) {
				resp, err := c.Get("http://test" + path)
				if err != nil {
					t.Fatal(err)
				}
				b, err := io.ReadAll(resp.Body)
				return resp, string(b), err
			}
			if _, body, err := get("/large"); err != nil || len(body) != 5<<20 {
				t.Errorf("large = %d bytes, %v", len(body), err)
			}
			if resp, body, _ := get("/html"); body != "<html>" || resp.ContentLength != 6 || !strings.HasPrefix(resp.Header.Get("Content-Type"), "text/html") {
				t.Errorf("html = %v %q", resp.Header, body)
			}
			if resp, _, _ := get("/panic"); resp.StatusCode != 500 || !strings.Contains(seen.failures(), "broken") {
				t.Errorf("panic = %d, log %q", resp.StatusCode, seen.failures())
			}
			if _, body, err := get("/abort"); err == nil || strings.Contains(seen.failures(), "abort") {
				t.Errorf("abort = %q, %v, log %q", body, err, seen.failures())
			}
			if resp, _, _ := get("/unknown"); resp.StatusCode != 404 {
				t.Errorf("unknown = %d", resp.StatusCode)
			}
			testDuplex(t, c)
		})
	}
}

// testDuplex reads each line of the answer before it sends the next of the request.
func testDuplex(t *testing.T, c *nethttp.Client) {
	t.Helper()
	pr, pw := io.Pipe()
	first := make(chan error, 1)
	go func() { _, err := io.WriteString(pw, "one\n"); first <- err }()
	resp, err := c.Post("http://test/duplex", "text/x", pr)
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(resp.Body)
	for i, line := range []string{"one\n", "two\n", "three\n"} {
		if i > 0 {
			if _, err := io.WriteString(pw, line); err != nil {
				t.Fatal(err)
			}
		}
		if got, err := lines.ReadString('\n'); err != nil || got != line {
			t.Fatalf("line = %q, %v, want %q", got, err, line)
		}
	}
	_ = pw.Close()
	if rest, err := io.ReadAll(lines); err != nil || len(rest) > 0 {
		t.Fatalf("the rest = %q, %v", rest, err)
	}
	if err := <-first; err != nil {
		t.Fatal(err)
	}
}

// The way back: streaming over net/http, and the client's hang-up.
func TestHandlerStreams(t *testing.T) {
	t.Parallel()
	gone := make(chan error, 1)
	app := streaming(func(_ *protocol.Scope, conn *protocol.Conn) protocol.HandlerFunc {
		return func(_ context.Context, ev protocol.Event) error {
			switch ev := ev.(type) {
			case *http.Request:
				_ = conn.Send(&http.ResponseStart{})
				return part(conn, "tick\n", true)
			case *protocol.Disconnect:
				gone <- ev.Cause
			}
			return nil
		}
	})
	c := netServer(t, http.Handler(app, http.Config{}))
	resp, err := c.Get("http://test/")
	if err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(resp.Body).ReadString('\n'); err != nil || line != "tick\n" {
		t.Fatalf("line = %q, %v", line, err)
	}
	_ = resp.Body.Close()
	if cause := <-gone; cause != protocol.ErrReset {
		t.Fatalf("cause = %v, want ErrReset", cause)
	}
}

func TestHandlerBuffered(t *testing.T) {
	t.Parallel()
	c := netServer(t, http.Handler(echo, http.Config{MaxBody: 10}))
	for body, status := range map[string]int{"hello": 200, "": 200, "01234567890": 413} {
		resp, err := c.Post("http://test/a%2Fb?x", "text/x", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		got := read(t, resp)
		if resp.StatusCode != status || status == 200 && (got != body || resp.Header.Get("X-Path") != "/a/b") {
			t.Errorf("%q: %d %v %q", body, resp.StatusCode, resp.Header, got)
		}
	}
	resp, err := c.Get("http://test/%2e%2e/x")
	if err != nil {
		t.Fatal(err)
	}
	if _ = read(t, resp); resp.StatusCode != 400 {
		t.Errorf("dots: %d", resp.StatusCode)
	}
}
