package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/coder/websocket/wsjson"

	"github.com/portico-go/portico/server"
)

// patience is how long a test waits for what should come at once.
const patience = 30 * time.Second

// serve runs the chat on a port of its own until the test ends and returns its
// address.
func serve(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	stop := serveOn(t, ln)
	t.Cleanup(stop)
	return ln.Addr().String()
}

// serveOn runs the chat on a listener until stop is called, which waits for the end.
func serveOn(t *testing.T, ln net.Listener) (stop func()) {
	t.Helper()
	hub, err := openLayer("memory")
	if err != nil {
		t.Fatal(err)
	}
	people, err := openPeople(hub)
	if err != nil {
		t.Fatal(err)
	}
	app, err := chat(hub, people)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- server.New(app, server.Config{}).Serve(ctx, server.Listener{Net: ln}) }()
	return func() {
		cancel()
		if err := <-served; err != nil {
			t.Errorf("the server ended with %v", err)
		}
		if err := people.Close(); err != nil {
			t.Error(err)
		}
	}
}

// need returns the path of a program that is not ours.
func need(t *testing.T, program, debian string) string {
	t.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		t.Fatalf("this test needs %s: sudo apt-get install %s, or the like (%v)", program, debian, err)
	}
	return path
}

// A terminal is a client of the chat protocol.
type terminal struct {
	t     *testing.T
	conn  net.Conn
	lines *bufio.Reader
}

// openTerminal connects and says lines, which may be the handshake's.
func openTerminal(t *testing.T, addr string, lines ...string) *terminal {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	x := &terminal{t, conn, bufio.NewReader(conn)}
	x.say(lines...)
	return x
}

// joinTerminal returns a terminal that is in a room.
func joinTerminal(t *testing.T, addr, nick, pass, room string) *terminal {
	t.Helper()
	x := openTerminal(t, addr, "/nick "+nick, "/pass "+pass, "/join /rooms/"+room)
	x.want("/ok")
	return x
}

func (x *terminal) say(lines ...string) {
	x.t.Helper()
	if len(lines) == 0 {
		return
	}
	if _, err := io.WriteString(x.conn, strings.Join(lines, "\n")+"\n"); err != nil {
		x.t.Fatal(err)
	}
}

// want fails the test unless these are the next lines.
func (x *terminal) want(lines ...string) {
	x.t.Helper()
	for _, want := range lines {
		got, err := x.lines.ReadString('\n')
		if got != want+"\n" {
			x.t.Fatalf("the terminal read %q, %v; want %q", got, err, want)
		}
	}
}

// wantEnd fails the test unless the server ends the connection without another
// word.
func (x *terminal) wantEnd() {
	x.t.Helper()
	if rest, err := io.ReadAll(x.lines); err != nil || len(rest) > 0 {
		x.t.Fatalf("the terminal read %q, %v; want the end", rest, err)
	}
}

// request makes an HTTP request with cookies and follows no redirect.
func request(t *testing.T, r *http.Request, cookies ...*http.Cookie) (*http.Response, string) {
	t.Helper()
	for _, c := range cookies {
		r.AddCookie(c)
	}
	client := http.Client{
		Timeout:       patience,
		Transport:     &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	answer, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer, string(body)
}

func newRequest(t *testing.T, method, url, contentType, body string) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	return r
}

func get(t *testing.T, url string, cookies ...*http.Cookie) (*http.Response, string) {
	t.Helper()
	return request(t, newRequest(t, "GET", url, "", ""), cookies...)
}

// postForm posts a form of names and values.
func postForm(t *testing.T, address string, fields url.Values, cookies ...*http.Cookie) (*http.Response, string) {
	t.Helper()
	return request(t, newRequest(t, "POST", address, "application/x-www-form-urlencoded", fields.Encode()), cookies...)
}

// logIn returns the cookie of a new session.
func logIn(t *testing.T, addr, name, password string) *http.Cookie {
	t.Helper()
	answer, body := postForm(t, "http://"+addr+"/login", url.Values{"username": {name}, "password": {password}})
	if answer.StatusCode != http.StatusSeeOther {
		t.Fatalf("log-in of %s: status %d, %q", name, answer.StatusCode, body)
	}
	for _, c := range answer.Cookies() {
		if c.Name == "sessionid" {
			return c
		}
	}
	t.Fatalf("log-in of %s: no cookie sessionid in %q", name, answer.Header.Values("Set-Cookie"))
	return nil
}

// dialSocket opens a WebSocket with another library's client.
func dialSocket(t *testing.T, addr, path string, header http.Header) (*websocket.Conn, *http.Response, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	ws, answer, err := websocket.Dial(ctx, "ws://"+addr+path, &websocket.DialOptions{HTTPHeader: header})
	if err == nil {
		t.Cleanup(func() { _ = ws.CloseNow() })
	}
	return ws, answer, err
}

// joinSocket returns a WebSocket that is in a room.
func joinSocket(t *testing.T, addr, room string, session *http.Cookie) *websocket.Conn {
	t.Helper()
	ws, _, err := dialSocket(t, addr, "/ws/chat/"+room, http.Header{"Cookie": {session.String()}})
	if err != nil {
		t.Fatal(err)
	}
	return ws
}

// tell sends a message as the page does.
func tell(t *testing.T, ws *websocket.Conn, text string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := wsjson.Write(ctx, ws, say{Text: text}); err != nil {
		t.Fatal(err)
	}
}

// wantJSON fails the test unless the next messages are these, byte for byte.
func wantJSON(t *testing.T, ws *websocket.Conn, messages ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for _, want := range messages {
		kind, got, err := ws.Read(ctx)
		if err != nil || kind != websocket.MessageText || !bytes.Equal(got, []byte(want)) {
			t.Fatalf("the WebSocket read %v %s, %v; want %s", kind, got, err, want)
		}
	}
}

// wantClose fails the test unless the server closes the WebSocket with a code.
func wantClose(t *testing.T, ws *websocket.Conn, code websocket.StatusCode) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	_, message, err := ws.Read(ctx)
	if closed, ok := errors.AsType[websocket.CloseError](err); !ok || closed.Code != code {
		t.Fatalf("the WebSocket read %s, %v; want close code %d", message, err, code)
	}
}
