package main

import (
	"cmp"
	"context"
	"encoding/json"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
)

// A browser is a page in a real Chromium.
type browser struct {
	t       *testing.T
	ctx     context.Context
	console func() []string
}

// openBrowser starts Chromium with a profile of its own, on a page.
func openBrowser(t *testing.T, url string) *browser {
	t.Helper()
	path, err := exec.LookPath(cmp.Or(os.Getenv("CHROMIUM"), "/usr/bin/chromium"))
	if err != nil {
		t.Fatalf("this test needs Chromium: sudo apt-get install chromium, or set CHROMIUM to the path of Chromium or Chrome (%v)", err)
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path),
		chromedp.NoSandbox, // which does not work for root and in containers; the page is our own
		chromedp.DisableGPU,
		chromedp.Flag("disable-quic", true),
		chromedp.Flag("disable-component-update", true),
	)
	ctx, cancel := chromedp.NewExecAllocator(t.Context(), options...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	if err := chromedp.Do(ctx); err != nil { // starts it
		t.Fatal(err)
	}
	b := &browser{t: t, ctx: ctx, console: collectConsole(ctx)}
	b.do(chromedp.EmulateViewport(1280, 800), chromedp.Navigate(url))
	return b
}

// collectConsole returns a function that returns what the page wrote to the console.
func collectConsole(ctx context.Context) func() []string {
	var mu sync.Mutex
	var lines []string
	messages := chromedp.Console(ctx)
	go func() {
		for m, err := range messages {
			if err != nil {
				return
			}
			mu.Lock()
			lines = append(lines, m.String())
			mu.Unlock()
		}
	}()
	return func() []string {
		mu.Lock()
		defer mu.Unlock()
		return lines
	}
}

func (b *browser) do(steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		b.t.Fatalf("%v; the page shows %q and wrote %q", err, b.text("body"), b.console())
	}
}

// see waits until a JavaScript expression is true.
func (b *browser) see(expression string) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	if _, err := chromedp.Run(ctx, chromedp.Poll[bool](expression)); err != nil {
		b.t.Fatalf("waiting for %s: %v; the page shows %q and wrote %q", expression, err, b.text("body"), b.console())
	}
}

// text returns the visible text of an element.
func (b *browser) text(selector string) string {
	b.t.Helper()
	text, err := chromedp.Run(b.ctx, chromedp.Evaluate[string]("document.querySelector("+jsString(selector)+").innerText"))
	if err != nil {
		b.t.Fatal(err)
	}
	return text
}

// write types text into a field, over what is there.
func (b *browser) write(selector, text string) {
	b.t.Helper()
	b.do(chromedp.Focus(chromedp.CSS(selector)),
		chromedp.Evaluate[chromedp.Void]("document.activeElement.select()"),
		chromedp.KeyEvent(text))
}

// enter presses the Enter key.
func (b *browser) enter() {
	b.t.Helper()
	b.do(chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		key := input.DispatchKeyEventParams{
			Key: "Enter", Code: "Enter", Text: "\r",
			WindowsVirtualKeyCode: 13, NativeVirtualKeyCode: 13,
		}
		for _, key.Type = range []input.DispatchKeyEventType{input.DispatchKeyEventTypeKeyDown, input.DispatchKeyEventTypeKeyUp} {
			if _, err := cdp.Call(ctx, t, input.DispatchKeyEvent, key); err != nil {
				return err
			}
		}
		return nil
	}))
}

func (b *browser) click(selector string) {
	b.t.Helper()
	b.do(chromedp.Click(chromedp.CSS(selector)))
}

// logIn fills the form in and waits until the page is connected.
func (b *browser) logIn(name, password string) {
	b.t.Helper()
	b.do(chromedp.WaitVisible(chromedp.CSS("#login")))
	b.write("[name=username]", name)
	b.write("[name=password]", password)
	b.enter()
	b.seeState("open")
}

// seeState waits for a state of the connection, as everybody can see it.
func (b *browser) seeState(is string) {
	b.t.Helper()
	b.see(`state.dataset.is === "` + is + `" && state.checkVisibility()`)
}

// seeMessage waits until the newest message is this one. kind is "own" or "other".
func (b *browser) seeMessage(kind, from, via, text string) {
	b.t.Helper()
	b.see(`(() => {
		const last = messages.lastElementChild;
		return last?.matches(".message") && last.checkVisibility()
			&& last.classList.contains("own") === ` + strconv.FormatBool(kind == "own") + `
			&& last.querySelector("bdi").textContent === ` + jsString(from) + `
			&& last.querySelector(".via").textContent === ` + jsString(via) + `
			&& last.querySelector(".text").textContent === ` + jsString(text) + `
			&& last.querySelector(".text").children.length === 0;
	})()`)
}

// wantQuiet fails the test if the page did something that a browser complains
// about, apart from failed requests.
func (b *browser) wantQuiet() {
	b.t.Helper()
	for _, line := range b.console() {
		if !strings.Contains(line, "net::ERR_") && !strings.Contains(line, "the server responded with a status of 401") {
			b.t.Errorf("the page wrote to the console: %s", line)
		}
	}
}

// jsString returns a string as JavaScript writes it.
func jsString(s string) string {
	quoted, _ := json.Marshal(s) // cannot fail
	return string(quoted)
}

// A wire leads connections to a server, and can be cut.
type wire struct {
	ln   net.Listener
	mu   sync.Mutex
	to   string
	cut  bool
	open map[net.Conn]bool
}

// layWire returns a wire to a server.
func layWire(t *testing.T, to string) *wire {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &wire{ln: ln, to: to, open: map[net.Conn]bool{}}
	go func() {
		for {
			client, err := ln.Accept()
			if err != nil {
				return
			}
			go w.lead(client)
		}
	}()
	t.Cleanup(func() {
		ln.Close()
		w.set("", true)
	})
	return w
}

func (w *wire) addr() string { return w.ln.Addr().String() }

// set leads new connections to another server, or to none; then those that exist
// are cut.
func (w *wire) set(to string, cut bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.to, w.cut = to, cut
	if cut {
		for conn := range w.open {
			conn.Close()
		}
	}
}

// lead copies both ways until one of them ends.
func (w *wire) lead(client net.Conn) {
	defer client.Close()
	w.mu.Lock()
	to, cut := w.to, w.cut
	w.open[client] = true
	w.mu.Unlock()
	defer func() {
		w.mu.Lock()
		delete(w.open, client)
		w.mu.Unlock()
	}()
	if cut {
		return
	}
	server, err := net.Dial("tcp", to)
	if err != nil {
		return
	}
	defer server.Close()
	go func() {
		defer server.Close()
		_, _ = io.Copy(server, client)
	}()
	_, _ = io.Copy(client, server)
}
