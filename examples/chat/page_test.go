package main

import (
	"net"
	"net/http"
	"net/url"
	"os/exec"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// The tests of the page run one after the other: a Chromium each, at the same time,
// would be too much for a small machine.

// Somebody logs in, talks with a terminal, loses the connection and goes on.
func TestPage(t *testing.T) {
	addr := serve(t)
	line := layWire(t, addr)
	b := openBrowser(t, "http://"+line.addr()+"/")

	b.do(chromedp.WaitVisible(chromedp.CSS("#login")))
	b.write("[name=username]", "alice")
	b.write("[name=password]", "rabbit")
	b.enter()
	b.see(`problem.textContent === "Wrong name or password."`)
	b.logIn("alice", "wonderland")

	bob := joinTerminal(t, addr, "bob", "builder", "go")
	b.write("#text", "hi bob")
	b.enter()
	bob.want("<alice> hi bob")
	b.seeMessage("own", "alice", "websocket", "hi bob")
	bob.say("<b onclick=alert(1)>hi</b> alice")
	b.seeMessage("other", "bob", "chat", "<b onclick=alert(1)>hi</b> alice")
	postForm(t, "http://"+addr+"/rooms/go/messages", url.Values{"text": {"hi both"}}, logIn(t, addr, "carol", "singer"))
	bob.want("<bob> <b onclick=alert(1)>hi</b> alice", "<carol> hi both")
	b.seeMessage("other", "carol", "http", "hi both")

	line.set(addr, true)
	b.seeState("lost")
	b.write("#text", "are you still there?") // is kept until it can be sent
	b.enter()
	b.see(`send.disabled && document.getElementById("text").value === "are you still there?"`)
	line.set(addr, false)
	b.seeState("open") // by itself
	b.enter()
	bob.want("<alice> are you still there?")
	b.seeMessage("own", "alice", "websocket", "are you still there?")
	bob.say("welcome back")
	b.seeMessage("other", "bob", "chat", "welcome back")

	b.click("#logout button")
	b.do(chromedp.WaitVisible(chromedp.CSS("#login")), chromedp.WaitNotVisible(chromedp.CSS("#app")))
	b.do(chromedp.Reload(), chromedp.WaitVisible(chromedp.CSS("#login")))
	b.wantQuiet()
}

// A server that restarts has forgotten the sessions: the page says so, and asks.
func TestPageAndARestart(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	stop := serveOn(t, ln)
	line := layWire(t, ln.Addr().String())
	b := openBrowser(t, "http://"+line.addr()+"/")
	b.logIn("alice", "wonderland")
	b.do(chromedp.Evaluate[chromedp.Void](`
		window.states = [];
		new MutationObserver(() => states.push(state.textContent)).observe(state, {childList: true});`))

	stop()
	b.see(`states.some(text => text.startsWith("The server restarts"))`)
	line.set(serve(t), false)
	b.do(chromedp.WaitVisible(chromedp.CSS("#login")))
	b.see(`problem.textContent === "Your session has ended. Log in again."`)
	b.logIn("alice", "wonderland")
	b.wantQuiet()
}

// Whatever a room is called, the page goes there, and so do the lines that it offers
// to paste.
func TestPageRooms(t *testing.T) {
	need(t, "nc", "netcat-openbsd")
	need(t, "curl", "curl")
	addr := serve(t)
	b := openBrowser(t, "http://"+addr+"/")
	b.logIn("alice", "wonderland")
	for _, room := range []string{"lobby", "it's; echo $(id) `id` 100% %s\\n", "日本/ü?&#"} {
		b.write("#room", room)
		b.enter()
		b.see(`here.textContent === ` + jsString(room))
		b.seeState("open")
		shell := exec.CommandContext(t.Context(), "sh", "-c", b.text("#terminal"))
		shell.Stdin = strings.NewReader("hi from a terminal\n")
		if err := shell.Start(); err != nil {
			t.Fatal(err)
		}
		b.seeMessage("other", "bob", "chat", "hi from a terminal")
		if out, err := exec.CommandContext(t.Context(), "sh", "-c", b.text("#curl")).CombinedOutput(); err != nil {
			t.Fatalf("curl: %v, %s", err, out)
		}
		b.seeMessage("other", "carol", "http", "hi from curl")
		_ = shell.Process.Kill()
		_ = shell.Wait()
	}
	b.do(chromedp.NavigateBack())
	b.see("here.textContent.startsWith(\"it's\")")
	b.seeState("open")
	b.seeMessage("other", "carol", "http", "hi from curl") // is still there
	b.see(`[...document.querySelectorAll("#rooms a")].map(a => a.textContent).includes("lobby")`)
	b.wantQuiet()
}

// The page may load nothing, and run nothing but its own script.
func TestPagePolicy(t *testing.T) {
	t.Parallel()
	answer, body := get(t, "http://"+serve(t)+"/")
	if answer.StatusCode != http.StatusOK || answer.Header.Get("Content-Type") != "text/html; charset=utf-8" || body != string(page) {
		t.Errorf("status %d, %s, %d bytes; want the page", answer.StatusCode, answer.Header.Get("Content-Type"), len(body))
	}
	csp := answer.Header.Get("Content-Security-Policy")
	for _, want := range []string{"default-src 'none'", "frame-ancestors 'none'", "script-src 'sha256-"} {
		if !strings.Contains(csp, want) {
			t.Errorf("the policy %q lacks %s", csp, want)
		}
	}
	if strings.Contains(csp, "unsafe") {
		t.Errorf("the policy %q has something unsafe", csp)
	}
}
