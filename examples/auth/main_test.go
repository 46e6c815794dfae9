package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"
	"go.uber.org/goleak"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/portico-go/portico/server"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.updateServerDate.func1"), // lives as long as the process
	)
}

// start serves the gallery on a loopback port until the test is over, and returns
// its address and what is logged.
func start(t *testing.T) (addr string, logs *observer.ObservedLogs) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	core, logs := observer.New(zap.DebugLevel)
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error)
	go func() {
		done <- server.New(gallery(demoUsers(t)), server.Config{Logger: zap.New(core)}).Serve(ctx, server.Listener{Net: ln})
	}()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Errorf("Serve = %v, want nil", err)
		}
	})
	return ln.Addr().String(), logs
}

// post makes a request as curl would and returns the body and the cookie.
func post(t *testing.T, url, cookie, body string, want int) (answer, set string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Cookie", cookie)
	res, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != want {
		t.Fatalf("POST %s: %d %q, %v; want %d", url, res.StatusCode, text, err, want)
	}
	for _, c := range res.Cookies() {
		set = c.Name + "=" + c.Value
	}
	return strings.TrimSpace(string(text)), set
}

// greeting opens a WebSocket and returns its first message, or the refusal.
func greeting(t *testing.T, url string, headers http.Header) string {
	t.Helper()
	c, br, _, err := ws.Dialer{Header: ws.HandshakeHeaderHTTP(headers)}.Dial(t.Context(), url)
	if err != nil {
		return err.Error()
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	var from io.Reader = c
	if br != nil {
		from = br
	}
	text, err := wsutil.ReadServerText(struct {
		io.Reader
		io.Writer
	}{from, c})
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestGalleryOnOnePort(t *testing.T) {
	t.Parallel()
	addr, logs := start(t)
	site := "http://" + addr
	_, alice := post(t, site+"/login", "", "username=alice&password=wonderland", 204)
	token, _ := post(t, site+"/token", alice, "", 200)
	post(t, site+"/token", "", "", 403)

	cookie := http.Header{"Cookie": {alice}}
	for _, c := range []struct {
		path    string
		headers http.Header
		want    string
	}{
		{"/ws/members", nil, "unexpected HTTP response status: 403"},
		{"/ws/whoami", nil, "hello, stranger"},
		{"/ws/whoami", cookie, "hello, alice"},
		{"/ws/whoami", http.Header{"Cookie": {alice}, "Origin": {"https://evil.example"}}, "unexpected HTTP response status: 403"},
		{"/ws/chat/?token=" + token, nil, "hello, alice"},
		{"/ws/chat/?token=guess", nil, "unexpected HTTP response status: 401"},
		{"/ws/user?user=bob", nil, "hello, bob"},
		{"/ws/basic/whoami", http.Header{"Authorization": {"Basic YWxpY2U6d29uZGVybGFuZA=="}}, "hello, alice"},
		{"/ws/basic/whoami", nil, "unexpected HTTP response status: 401"},
		{"/ws/one/everybody", cookie, "hello, stranger"},
		{"/ws/one/members", cookie, "hello, alice"},
		{"/ws/one/members", nil, "unexpected HTTP response status: 403"},
		{"/frontend/", nil, "captured end"},
		{"/nowhere", nil, "unexpected HTTP response status: 404"},
	} {
		if got := greeting(t, "ws://"+addr+c.path, c.headers); got != c.want {
			t.Errorf("%s with %v: %q, want %q", c.path, c.headers, got, c.want)
		}
	}

	terminal(t, addr, "/nick alice\n/pass wonderland\n/join /lobby\nhi\n", "/ok", "hello, alice", "alice said hi")
	terminal(t, addr, "/nick alice\n/cookie "+alice+"\n/join /lobby\n", "/ok", "hello, alice")
	terminal(t, addr, "/nick alice\n/pass guess\n/join /lobby\n", "/err 401 wrong credentials")

	for _, entry := range logs.All() {
		line := fmt.Sprint(entry.Message, entry.ContextMap())
		for _, secret := range []string{token, strings.TrimPrefix(alice, "sessionid="), "wonderland", "YWxpY2U6"} {
			if strings.Contains(line, secret) {
				t.Errorf("a secret is in the log: %s", line)
			}
		}
	}
	if logs.Len() == 0 {
		t.Error("nothing was logged, so this proves nothing")
	}
}

// terminal plays printf | nc -N, and compares the lines of the answer.
func terminal(t *testing.T, addr, text string, lines ...string) {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(c, text); err != nil {
		t.Fatal(err)
	}
	if err := c.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	answer := bufio.NewScanner(c)
	for _, want := range lines {
		if !answer.Scan() || answer.Text() != want {
			t.Fatalf("the terminal shows %q, %v; want %q", answer.Text(), answer.Err(), want)
		}
	}
}
