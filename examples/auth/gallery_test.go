package main

import (
	"encoding/base64"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/portico-go/portico/auth"
	"github.com/portico-go/portico/communicator"
	"github.com/portico-go/portico/middleware/session"
	"github.com/portico-go/portico/protocol"
)

// demoUsers returns the demo users, with passwords that are hashed in one iteration.
func demoUsers(t *testing.T) *auth.MemoryBackend {
	t.Helper()
	users := auth.NewMemoryBackend()
	for name, encoded := range map[string]string{
		"alice": "pbkdf2_sha256$1$salt-of-wonderland$BfimvGlIgj9p67wZ3iUf4tGcdvW2spFmwUAbdH2xIXA=", // wonderland
		"bob":   "pbkdf2_sha256$1$salt-of-builder$9HPYlo7Jq/oO7ZWfD4HrwTHt7zJIWkAhA5tmjnj2/v8=",    // builder
	} {
		if err := users.Set(name, encoded); err != nil {
			t.Fatal(err)
		}
	}
	return users
}

// A fixture is what the applications of the gallery share.
type fixture struct {
	users    *auth.MemoryBackend
	sessions *session.Sessions
	tokens   *tokenStore
}

// try runs a test in virtual time.
func try(t *testing.T, test func(t *testing.T, f fixture)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		users := demoUsers(t)
		test(t, fixture{
			users:    users,
			sessions: session.New(session.NewMemoryStore(), session.Config{}),
			tokens:   newTokenStore(users, time.Minute),
		})
	})
}

// post makes a request to login.go.
func (f fixture) post(t *testing.T, path, body string, options ...communicator.Option) *communicator.Response {
	t.Helper()
	options = append(options, communicator.Header("Content-Type", "application/x-www-form-urlencoded"))
	r, err := communicator.HTTP(t, login(f.users, f.sessions, f.tokens), "POST", path, options...).WithBody(body).Do()
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// login logs alice in and returns her cookie as an option.
func (f fixture) login(t *testing.T) communicator.Option {
	t.Helper()
	r := f.post(t, "/login", "username=alice&password=wonderland")
	if r.Status != 204 || r.Cookies() == "" {
		t.Fatalf("login: %d %q", r.Status, r.Body)
	}
	return communicator.Header("Cookie", r.Cookies())
}

// wantTexts opens a WebSocket and compares what comes first.
func wantTexts(t *testing.T, app protocol.Application, target string, options []communicator.Option, texts ...string) *communicator.Messages {
	t.Helper()
	c := communicator.WebSocket(t, app, target, options...)
	connected(t, c, texts...)
	return c
}

func connected(t *testing.T, c *communicator.Messages, texts ...string) {
	t.Helper()
	if _, err := c.Connect(); err != nil {
		t.Fatal(err)
	}
	for _, want := range texts {
		if got, err := c.ReceiveText(); err != nil || got != want {
			t.Fatalf("received %q, %v; want %q", got, err, want)
		}
	}
}

// wantRefusal connects and compares the refusal.
func wantRefusal(t *testing.T, c *communicator.Messages, status int, reason string) {
	t.Helper()
	_, err := c.Connect()
	r, ok := errors.AsType[*protocol.Reject](err)
	if !ok || r.StatusOrDefault() != status || r.Text() != reason {
		t.Fatalf("Connect: %v; want %d %s", err, status, reason)
	}
}

func with(options ...communicator.Option) []communicator.Option { return options }

func basicHeader(credentials string) communicator.Option {
	return communicator.Header("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(credentials)))
}

func TestRefuseAnonymous(t *testing.T) {
	try(t, func(t *testing.T, f fixture) {
		app := refuse(f.users, f.sessions)
		wantRefusal(t, communicator.WebSocket(t, app, "/"), 403, "log in first")
		wantRefusal(t, communicator.WebSocket(t, app, "/", communicator.Header("Cookie", "sessionid=forged")), 403, "log in first")

		alice := f.login(t)
		c := wantTexts(t, app, "/", with(alice))
		if err := c.SendText("echo"); err != nil {
			t.Fatal(err)
		}
		if got, err := c.ReceiveText(); err != nil || got != "echo" {
			t.Fatalf("received %q, %v", got, err)
		}
		f.post(t, "/logout", "", alice)
		wantRefusal(t, communicator.WebSocket(t, app, "/", alice), 403, "log in first")
	})
}

func TestUserInConnect(t *testing.T) {
	try(t, func(t *testing.T, f fixture) {
		app := connect(f.users, f.sessions)
		wantTexts(t, app, "/", nil, "hello, stranger")
		c := wantTexts(t, app, "/", with(f.login(t)), "hello, alice")
		if err := c.SendText("one\nbob said two"); err != nil {
			t.Fatal(err)
		}
		if got, err := c.ReceiveText(); err != nil || got != "alice said one\nalice said bob said two" {
			t.Fatalf("received %q, %v", got, err)
		}
	})
}

func TestTokenInQuery(t *testing.T) {
	try(t, func(t *testing.T, f fixture) {
		app := queryToken(f.tokens)
		if r := f.post(t, "/token", ""); r.Status != 403 {
			t.Fatalf("a stranger asked for a token: %d %q", r.Status, r.Body)
		}
		r := f.post(t, "/token", "", f.login(t))
		token := strings.TrimSpace(string(r.Body))
		if r.Status != 200 || len(token) < 26 || r.Header.Get("Cache-Control") != "no-store" {
			t.Fatalf("token: %d %q %v", r.Status, r.Body, r.Header)
		}
		wantTexts(t, app, "/?token="+token, nil, "hello, alice")
		wantTexts(t, app, "/", nil, "hello, stranger")
		wantRefusal(t, communicator.WebSocket(t, app, "/?token="+token[:25]), 401, "wrong credentials")
		wantRefusal(t, communicator.WebSocket(t, app, "/?token="), 401, "wrong credentials")

		time.Sleep(time.Minute)
		wantRefusal(t, communicator.WebSocket(t, app, "/?token="+token), 401, "wrong credentials")
		f.post(t, "/token", "", f.login(t))
		if n := len(f.tokens.grants); n != 1 {
			t.Errorf("the store has %d tokens, want the new one only", n)
		}
	})
}

func TestTokenOfSomebodyGone(t *testing.T) {
	try(t, func(t *testing.T, f fixture) {
		f.tokens.users = auth.NewMemoryBackend()
		bob, err := f.users.Get(t.Context(), "bob")
		if err != nil {
			t.Fatal(err)
		}
		token := f.tokens.issue(bob)
		wantRefusal(t, communicator.WebSocket(t, queryToken(f.tokens), "/?token="+token), 401, "wrong credentials")
	})
}

func TestUserInQuery(t *testing.T) {
	try(t, func(t *testing.T, f fixture) {
		app := queryUser(f.users)
		wantTexts(t, app, "/?user=bob", nil, "hello, bob")
		wantTexts(t, app, "/?user=nobody", nil, "hello, stranger")
		wantTexts(t, app, "/", nil, "hello, stranger")
	})
}

func TestHandwrittenAroundARouter(t *testing.T) {
	try(t, func(t *testing.T, f fixture) {
		app := handwritten(f.users)
		wantTexts(t, app, "/whoami", with(basicHeader("alice:wonderland")), "hello, alice")
		wantTexts(t, app, "/rooms/go", with(basicHeader("bob:builder")), "hello, bob")
		wantRefusal(t, communicator.WebSocket(t, app, "/whoami", basicHeader("alice:builder")), 401, "wrong name or password")
		wantRefusal(t, communicator.WebSocket(t, app, "/whoami"), 401, "this needs a name and a password")
		wantRefusal(t, communicator.WebSocket(t, app, "/elsewhere", basicHeader("alice:wonderland")), 404, "Not Found")
		if err := protocol.Check(app); err != nil {
			t.Errorf("Check: %v", err)
		}
		if err := protocol.Check(basicAuth(f.users)(membersOnly()(whoami()))); err != nil {
			t.Errorf("Check: %v, want basicAuth to provide what membersOnly requires", err)
		}
	})
}

func TestRegexpRoute(t *testing.T) {
	try(t, func(t *testing.T, f fixture) {
		app := regexpRoute(f.users, f.sessions)
		wantTexts(t, app, "/frontend/", nil, "captured end")
		for _, path := range []string{"/frontend", "/frontend/x", "/my/frontend/", "/front/"} {
			wantRefusal(t, communicator.WebSocket(t, app, path), 404, "Not Found")
		}
	})
}

func TestAroundOneConsumer(t *testing.T) {
	try(t, func(t *testing.T, f fixture) {
		app := oneConsumer(f.users, f.sessions)
		alice := f.login(t)
		wantTexts(t, app, "/members", with(alice), "hello, alice")
		wantTexts(t, app, "/everybody", with(alice), "hello, stranger")
		wantRefusal(t, communicator.WebSocket(t, app, "/members"), 403, "members only")
		if err := protocol.Check(membersOnly()(whoami())); err == nil || !strings.Contains(err.Error(), "membersOnly needs") {
			t.Errorf("Check of membersOnly without a stack: %v", err)
		}
	})
}

func TestChatName(t *testing.T) {
	try(t, func(t *testing.T, f fixture) {
		app := chatName(f.users, f.sessions, f.tokens)
		chat := func(lines ...string) *communicator.Messages {
			return communicator.Chat(t, app, append(lines, "/join /lobby")...)
		}
		bob, err := f.users.Get(t.Context(), "bob")
		if err != nil {
			t.Fatal(err)
		}
		cookie := f.post(t, "/login", "username=alice&password=wonderland").Cookies()
		connected(t, chat("/nick alice", "/pass wonderland"), "hello, alice")
		connected(t, chat("/nick alice", "/cookie "+cookie), "hello, alice")
		connected(t, chat("/nick bob", "/token "+f.tokens.issue(bob)), "hello, bob")
		connected(t, chat(), "hello, stranger")
		wantRefusal(t, chat("/nick alice", "/pass builder"), 401, "wrong credentials")
		wantRefusal(t, chat("/nick alice", "/token "+f.tokens.issue(bob)), 401, "the name is another user's than the proof")
		wantRefusal(t, chat("/nick alice"), 401, "the name needs a proof: a password, a token or a session")
	})
}

func TestLogin(t *testing.T) {
	try(t, func(t *testing.T, f fixture) {
		if r := f.post(t, "/login", "username=alice&password=builder"); r.Status != 401 || r.Cookies() != "" {
			t.Errorf("a wrong password: %d, cookies %q", r.Status, r.Cookies())
		}
		if r := f.post(t, "/login", "%"); r.Status != 400 {
			t.Errorf("a malformed form: %d", r.Status)
		}
	})
}
