package main

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"os/exec"
	"strings"
	"testing"
)

// A script: printf says all there is to say, and nc ends its side. The answers
// still come.
func TestPrintfAndNetcat(t *testing.T) {
	t.Parallel()
	nc := need(t, "nc", "netcat-openbsd")
	addr := serve(t)
	for script, want := range map[string]string{
		`/nick alice\n/pass wonderland\n/join /rooms/go\nhi\nbye\n`:   "/ok\n<alice> hi\n<alice> bye\n",
		`/nick alice\r\n/pass wonderland\r\n/join /rooms/a\r\nhi\r\n`: "/ok\n<alice> hi\n",
		`/join /rooms/go\nhi\n`:                              "/err 403 log in first\n",
		`/nick alice\n/join /rooms/go\nhi\n`:                 "/err 401 ",
		`/nick alice\n/pass rabbit\n/join /rooms/go\nhi\n`:   "/err 401 ",
		`/nick alice\n/pass wonderland\n/join /nowhere\n`:    "/err 404 Not Found\n",
		`/nick alice\n/pass wonderland\n/join /ws/chat/go\n`: "/err 404 Not Found\n",
		`/nick bob\n/pass builder\nhi\n`:                     "/err 400 ",
	} {
		host, port, _ := net.SplitHostPort(addr)
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		out, err := exec.CommandContext(ctx, "sh", "-c", "printf '"+script+"' | "+nc+" -N "+host+" "+port).Output()
		cancel()
		complete := strings.HasSuffix(want, "\n")
		if got := string(out); err != nil || complete && got != want || !complete && (!strings.HasPrefix(got, want) || strings.Count(got, "\n") != 1) {
			t.Errorf("printf '%s' | nc -N read %q, %v; want %q", script, got, err, want)
		}
	}
}

// A person: nc stays open, and they type and read.
func TestNetcat(t *testing.T) {
	t.Parallel()
	nc := need(t, "nc", "netcat-openbsd")
	addr := serve(t)
	host, port, _ := net.SplitHostPort(addr)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, nc, host, port)
	keys, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	screen, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(screen)
	want := func(want string) {
		t.Helper()
		if got, err := lines.ReadString('\n'); got != want+"\n" {
			t.Fatalf("nc read %q, %v; want %q", got, err, want)
		}
	}
	typed := func(line string) {
		t.Helper()
		if _, err := io.WriteString(keys, line+"\n"); err != nil {
			t.Fatal(err)
		}
	}

	typed("/nick bob\n/pass builder\n/join /rooms/go")
	want("/ok")
	alice := joinSocket(t, addr, "go", logIn(t, addr, "alice", "wonderland"))
	tell(t, alice, "hi bob")
	want("<alice> hi bob")
	typed("hi alice")
	want("<bob> hi alice")
	wantJSON(t, alice,
		`{"room":"go","from":"alice","via":"websocket","text":"hi bob"}`,
		`{"room":"go","from":"bob","via":"chat","text":"hi alice"}`)
	typed("/quit")
	want("/close 1000")
	keys.Close() // nc waits for that
	if err := cmd.Wait(); err != nil {
		t.Errorf("nc ended with %v", err)
	}
}

// The browser's session opens the terminal's door, too.
func TestTerminalWithCookie(t *testing.T) {
	t.Parallel()
	addr := serve(t)
	session := logIn(t, addr, "alice", "wonderland")
	cookie := "/cookie sessionid=" + session.Value

	x := openTerminal(t, addr, cookie, "/join /rooms/go", "hi")
	x.want("/ok", "<alice> hi")
	x = openTerminal(t, addr, "/nick alice", cookie, "/join /rooms/go", "hi")
	x.want("/ok", "<alice> hi")

	for name, lines := range map[string][]string{
		"a forged session":          {"/nick alice", "/cookie sessionid=alice", "/join /rooms/go", "hi"},
		"another's session":         {"/nick bob", cookie, "/join /rooms/go", "hi"},
		"two proofs that disagree":  {"/nick bob", "/pass builder", cookie, "/join /rooms/go", "hi"},
		"a session, wrong password": {"/nick alice", "/pass rabbit", cookie, "/join /rooms/go", "hi"},
	} {
		x := openTerminal(t, addr, lines...)
		if got, err := x.lines.ReadString('\n'); !strings.HasPrefix(got, "/err 401 ") {
			t.Errorf("%s: the terminal read %q, %v; want /err 401", name, got, err)
		}
		x.wantEnd()
	}

	postForm(t, "http://"+addr+"/logout", nil, session)
	x = openTerminal(t, addr, "/nick alice", cookie, "/join /rooms/go", "hi")
	if got, err := x.lines.ReadString('\n'); !strings.HasPrefix(got, "/err 401 ") {
		t.Errorf("after the log-out the terminal read %q, %v; want /err 401", got, err)
	}
}

// A page that posts a chat's lines to this port speaks HTTP here, whatever it says.
func TestBrowserFormCannotTalk(t *testing.T) {
	t.Parallel()
	addr := serve(t)
	bob := joinTerminal(t, addr, "bob", "builder", "go")
	const lines = "/nick alice\n/pass wonderland\n/join /rooms/go\nI am a form\n"

	for _, path := range []string{"/", "/login", "/rooms/go/messages", "/nick"} {
		r := newRequest(t, "POST", "http://"+addr+path, "text/plain", lines)
		r.Header.Set("Origin", "http://evil.example")
		answer, body := request(t, r)
		if answer.StatusCode < 400 || strings.Contains(body, "/ok") || answer.Header.Get("Set-Cookie") != "" {
			t.Errorf("POST %s: status %d, %q, cookie %q; want a refusal", path, answer.StatusCode, body, answer.Header.Get("Set-Cookie"))
		}
	}
	// Nor when the body seems to end early, and the lines seem to be a request of their own.
	x := openTerminal(t, addr, "POST /nowhere HTTP/1.1", "Host: "+addr, "Content-Length: 0", "", lines)
	if got, err := io.ReadAll(x.conn); strings.Contains(string(got), "/ok") {
		t.Errorf("behind a request the server read chat lines: %q, %v", got, err)
	}
	// Nor when a chat begins and goes on with what browsers send.
	x = openTerminal(t, addr, "/nick alice", "Host: "+addr, lines)
	if got, err := io.ReadAll(x.conn); !strings.HasPrefix(string(got), "/err 400 ") {
		t.Errorf("a header in the handshake: read %q, %v; want /err 400", got, err)
	}

	bob.say("the end")
	bob.want("<bob> the end") // and nothing before it
}

// A page cannot log in for its victim, nor use the victim's session.
func TestForeignFormCannotLogIn(t *testing.T) {
	t.Parallel()
	addr := serve(t)
	r := newRequest(t, "POST", "http://"+addr+"/login", "application/x-www-form-urlencoded", "username=bob&password=builder")
	r.Header.Set("Origin", "http://evil.example")
	if answer, _ := request(t, r); answer.StatusCode != http.StatusForbidden || answer.Header.Get("Set-Cookie") != "" {
		t.Errorf("status %d, cookie %q; want 403 and none", answer.StatusCode, answer.Header.Get("Set-Cookie"))
	}
}
