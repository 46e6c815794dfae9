package server_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/gobwas/ws"
	"go.uber.org/goleak"

	"github.com/portico-go/portico/auth"
	"github.com/portico-go/portico/channellayer"
	"github.com/portico-go/portico/consumer"
	"github.com/portico-go/portico/middleware"
	"github.com/portico-go/portico/middleware/session"
	"github.com/portico-go/portico/protocol"
	"github.com/portico-go/portico/router"
	"github.com/portico-go/portico/server"
)

// The tests in the attack files throw at a server what attackers throw, over real
// sockets. Each names the whole answer, and holds that the client is told nothing
// of the inside, that the log has no secret, and that nothing is left behind.
//
// They do not run in parallel: they count the process's goroutines and descriptors.

// secret is in every password, cookie and query of the attacks, so that it is found
// wherever it leaks.
const secret = "hunter2"

// member is a connection in a room of the attacked application.
type member struct{ room, name string }

func (m *member) connect(ctx context.Context, c *consumer.Conn) error {
	user := auth.From(c.Scope())
	if !user.IsAuthenticated() {
		return protocol.Rejectf(403, "log in first")
	}
	m.room, m.name = c.Scope().Param("room"), user.Name()
	return c.Join(ctx, m.room)
}

func (m *member) say(ctx context.Context, c *consumer.Conn, text string) error {
	return c.Broadcast(ctx, m.room, "said", consumer.Lines("<"+m.name+"> ", text))
}

// rooms is an application like that of examples/chat: one room for browsers and
// terminals, behind hosts, origins, signed sessions and users.
func rooms(t *testing.T) protocol.Application {
	t.Helper()
	users, err := auth.Users(map[string]string{"alice": secret, "bob": secret})
	hub, hubErr := channellayer.New(channellayer.Config{})
	if err := errors.Join(err, hubErr); err != nil {
		t.Fatal(err)
	}
	chat := &consumer.Messages[member]{
		Layer:      hub,
		Connect:    (*member).connect,
		Receive:    consumer.JSON((*member).say),
		Broadcasts: consumer.Broadcasts{"said": consumer.Render[string]()},
	}
	login := consumer.HTTPFunc(func(ctx context.Context, x *consumer.Exchange) error {
		form, err := x.Form()
		if err != nil {
			return err
		}
		user, err := users.Authenticate(ctx, form.Get("username"), form.Get("password"))
		if err != nil {
			return err
		}
		return errors.Join(auth.Login(ctx, x.Scope(), user), x.Text(200, "welcome "+user.Name()))
	})
	who := consumer.HTTPFunc(func(_ context.Context, x *consumer.Exchange) error {
		return x.Text(200, "you are "+auth.From(x.Scope()).Name())
	})
	sessions := session.NewSigned([][]byte{[]byte("a key of at least thirty-two bytes")}, session.Config{})
	stack := protocol.Chain(middleware.AllowedHosts(), middleware.SameOrigin(middleware.SameOriginConfig{}), auth.Stack(users, sessions))
	return stack(router.ProtocolTypeRouter{
		"http":      router.MustURLRouter(router.Path("POST /login", login), router.Path("GET /whoami", who)),
		"websocket": router.MustURLRouter(router.Path("/ws/{room}", chat)),
		"chat":      auth.ChatUsername(users)(router.MustURLRouter(router.Path("/rooms/{room}", chat))),
	})
}

// besiege runs an attack against an application, and then looks at what it left:
// goroutines, descriptors, and in the log failures and secrets.
func besiege(t *testing.T, app protocol.Application, cfg server.Config, failures int, attack func(addr string), edit ...func(*server.Listener)) (logs string) {
	t.Helper()
	warmUp(t)
	before, strangers := descriptors(t), goleak.IgnoreCurrent()

	logger, written := logged()
	cfg.Logger = logger
	addr, stop := run(t, app, cfg, edit...)
	attack(addr)
	if err := stop(); err != nil {
		t.Errorf("Serve = %v, want nil", err)
	}

	if err := goleak.Find(strangers); err != nil {
		t.Error(err)
	}
	if after := descriptors(t); after > before {
		t.Errorf("%d descriptors are left of %d before", after, before)
	}
	logs = written.String()
	for _, level := range []string{`"level":"error"`, `"level":"warn"`} {
		if level == `"level":"error"` && strings.Count(logs, level) == failures {
			continue
		}
		if strings.Contains(logs, level) {
			t.Errorf("the log has %s; want %d errors and no warning:\n%s", level, failures, logs)
		}
	}
	if failures > 0 && strings.Count(logs, `"level":"error"`) != failures {
		t.Errorf("the log has %d errors, want %d:\n%s", strings.Count(logs, `"level":"error"`), failures, logs)
	}
	if strings.Contains(logs, secret) {
		t.Errorf("a secret is in the log:\n%s", logs)
	}
	return logs
}

// warmUp starts what lives as long as the process.
func warmUp(t *testing.T) {
	t.Helper()
	addr, stop := run(t, all, server.Config{})
	_ = talk(t, addr, request("GET", "/", "Connection: close\r\n"))
	if err := stop(); err != nil {
		t.Fatal(err)
	}
}

// descriptors counts the process's open files.
func descriptors(t *testing.T) int {
	t.Helper()
	open, err := os.ReadDir("/dev/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(open)
}

// shout sends bytes and returns, in short, all that comes until the server hangs up.
func shout(t *testing.T, addr, bytes string) string {
	t.Helper()
	return converse(t, addr, bytes)
}

// halfClose, at the end of what is sent, is the end of all that the client sends.
const halfClose = "half-close"

// converse is shout in steps: each but the first is sent when there was an answer
// to the one before it.
func converse(t *testing.T, addr string, steps ...string) string {
	t.Helper()
	c := dial(t, addr)
	defer c.Close()
	var heard []byte
	for i, step := range steps {
		if i > 0 {
			part := make([]byte, 4096)
			n, _ := c.Read(part) // the end of it all is found below
			heard = append(heard, part[:n]...)
		}
		step, half := strings.CutSuffix(step, halfClose)
		go func() { // the server may hang up before it has read everything
			_, _ = io.WriteString(c, step)
			if half {
				_ = c.(*net.TCPConn).CloseWrite()
			}
		}()
	}
	rest, err := io.ReadAll(c)
	heard = append(heard, rest...)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("the connection goes on after %q", inShort(heard))
	}
	noInsides(t, string(heard))
	return inShort(heard)
}

// noInsides fails the test if a client was told what only the log may have.
func noInsides(t *testing.T, answer string) {
	t.Helper()
	for _, inside := range []string{secret, "goroutine ", ".go:", "panic", "runtime error", "a mine"} {
		if strings.Contains(answer, inside) {
			t.Errorf("the client was told %q: %q", inside, answer)
		}
	}
}

// inShort describes what a server sent: "400 reason" for a whole HTTP response,
// "101" and then the frames of a WebSocket, and lines of the chat as they are. One
// thing is behind the other, with "; " between them.
func inShort(answer []byte) string {
	var short []string
	r := bufio.NewReader(bytes.NewReader(answer))
	for {
		begin, err := r.Peek(5)
		if len(begin) == 0 {
			return strings.Join(short, "; ")
		}
		if err != nil || string(begin) != "HTTP/" {
			line, _ := r.ReadString('\n')
			short = append(short, strings.TrimSuffix(line, "\n"))
			continue
		}
		res, err := http.ReadResponse(r, nil)
		if err != nil {
			return strings.Join(append(short, fmt.Sprintf("broken HTTP: %v", err)), "; ")
		}
		if res.StatusCode == http.StatusSwitchingProtocols {
			return strings.Join(append(append(short, "101"), framesInShort(r)...), "; ")
		}
		body, _ := io.ReadAll(res.Body)
		short = append(short, strings.TrimSpace(fmt.Sprintf("%d %s", res.StatusCode, body)))
	}
}

// framesInShort describes the frames that a server sent.
func framesInShort(r io.Reader) (frames []string) {
	for {
		h, err := ws.ReadHeader(r)
		payload := make([]byte, max(h.Length, 0))
		if _, short := io.ReadFull(r, payload); err != nil || short != nil {
			return frames
		}
		if h.OpCode == ws.OpClose {
			code, reason := ws.ParseCloseFrameData(payload)
			payload = fmt.Appendf(nil, "close %d %s", code, reason)
		}
		frames = append(frames, strings.TrimSpace(string(payload)))
	}
}

// unhurt fails the test unless the server still serves everybody.
func unhurt(t *testing.T, addr string) {
	t.Helper()
	cookie := logIn(t, addr)
	if got := shout(t, addr, request("GET", "/whoami", cookie+"Connection: close\r\n")); got != "200 you are alice" {
		t.Errorf("afterwards a request is answered with %q", got)
	}
	terminal := dial(t, addr)
	_, _ = io.WriteString(terminal, "/nick bob\n/pass "+secret+"\n/join /rooms/unhurt\n") // the reading tells
	lines := bufio.NewReader(terminal)
	wantLines(t, lines, "/ok")
	socket := dial(t, addr)
	_, _ = io.WriteString(socket, upgrade("/ws/unhurt", cookie)+text(`"hi"`))
	wantLines(t, lines, "<alice> hi")
	_, _ = io.WriteString(terminal, "hello\n")
	wantLines(t, lines, "<bob> hello")
	heard := hear(t, socket, "<bob> hello")
	_, _ = io.WriteString(socket, bye)
	rest, err := io.ReadAll(socket)
	heard = append(heard, rest...)
	got := strings.Split(inShort(heard), "; ")
	slices.Sort(got) // two people's messages come in any order
	if want := []string{`"<alice> hi"`, `"<bob> hello"`, "101", "close 0"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("afterwards a WebSocket reads %q, %v", got, err)
	}
	_, _ = socket.Close(), terminal.Close()
}

// hear reads until there was what is waited for, and returns all that it read.
func hear(t *testing.T, r io.Reader, last string) (heard []byte) {
	t.Helper()
	for part := make([]byte, 4096); !bytes.Contains(heard, []byte(last)); {
		n, err := r.Read(part)
		heard = append(heard, part[:n]...)
		if err != nil {
			t.Fatalf("heard %q, %v; want %q", heard, err, last)
		}
	}
	return heard
}

// text is a WebSocket's frame with a text.
func text(s string) string { return frame(ws.NewTextFrame([]byte(s))) }

// bye is a WebSocket's close.
var bye = frame(ws.NewCloseFrame(nil))

// frame is a frame as clients send it.
func frame(f ws.Frame) string { return string(ws.MustCompileFrame(ws.MaskFrame(f))) }

// request is the head of an HTTP request, and what follows.
func request(method, target, rest string) string {
	return method + " " + target + " HTTP/1.1\r\nHost: localhost\r\n" + rest + "\r\n"
}

// upgrade is a WebSocket's handshake that the application lets in.
func upgrade(path string, extra ...string) string {
	return strings.Replace(upgradeRequest(path, extra...), "Host: x\r\n", "Host: localhost\r\n", 1)
}

// logIn returns alice's session as a header line.
func logIn(t *testing.T, addr string) (cookie string) {
	t.Helper()
	c := dial(t, addr)
	defer c.Close()
	form := "username=alice&password=" + secret
	if _, err := io.WriteString(c, request("POST", "/login", fmt.Sprintf("Connection: close\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\n", len(form)))+form); err != nil {
		t.Fatal(err)
	}
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	for _, cookie := range res.Cookies() {
		return "Cookie: " + cookie.Name + "=" + cookie.Value + "\r\n"
	}
	t.Fatalf("the log-in was answered with %s and no cookie", res.Status)
	return ""
}
