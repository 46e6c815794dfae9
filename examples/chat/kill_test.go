//go:build unix

package main

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/coder/websocket/wsjson"
)

// A browser is on one process and a terminal on another, while a thousand messages a second go through another room of both. The server between
// them is killed. Everybody is told, those on one process go on talking and miss nothing, and within 3 s of its return they are one chat again.
//
// It is not parallel, for the reason given at the tests of the page.
func TestKillUnderLoad(t *testing.T) {
	for name, launch := range map[string]func(*testing.T) (string, func(), func()){"redis": launchRedis, "nats": launchNATS} {
		t.Run(name, func(t *testing.T) {
			url, kill, restart := launch(t)
			one, two := start(t, "-layer", url), start(t, "-layer", url)
			page := openBrowser(t, "http://"+one.addr+"/")
			page.logIn("alice", "wonderland")
			far := joinTerminal(t, two.addr, "bob", "builder", "go")
			load := startLoad(t, one.addr, two.addr)

			far.say("hi")
			far.want("<bob> hi")
			page.seeMessage("other", "bob", "chat", "hi")
			page.write("#text", "hi bob")
			page.enter()
			far.want("<alice> hi bob")

			load.wait(200)
			kill()
			far.wantPrefix("* the other servers are out of reach")
			page.see(`document.body.innerText.includes("out of reach")`)
			page.write("#text", "anybody?")
			page.enter()
			page.seeMessage("own", "alice", "websocket", "anybody?")
			far.say("quite alone")
			far.want("<bob> quite alone")

			restart()
			begin := time.Now()
			far.wantPrefix("* the other servers are back")
			page.see(`document.body.innerText.includes("may be missing")`)
			far.say("again")
			far.want("<bob> again")
			page.seeMessage("other", "bob", "chat", "again")
			took := time.Since(begin)
			if took > 3*time.Second {
				t.Errorf("messages crossed %v after the server was back", took)
			}
			page.write("#text", "there you are")
			page.enter()
			far.want("<alice> there you are")
			load.check(t)
			t.Logf("messages crossed %v after the server was back; %d messages of load, %.0f a second, of which %d crossed",
				took.Round(time.Millisecond), load.sent, float64(load.sent)/load.lasted.Seconds(), load.far.count)
			page.wantQuiet()
		})
	}
}

// A load is a thousand messages a second in a room of its own, from a socket on the first process to a terminal on each.
type load struct {
	near, far *listener
	from      *websocket.Conn
	stop      func()
	sent      int
	lasted    time.Duration
}

func startLoad(t *testing.T, one, two string) *load {
	t.Helper()
	l := &load{near: listen(t, one), far: listen(t, two)}
	from := joinSocket(t, one, "load", logIn(t, one, "carol", "singer"))
	l.from = from
	go func() {
		for { // it hears itself, too
			if _, _, err := from.Read(t.Context()); err != nil {
				return
			}
		}
	}()
	ended, over := make(chan struct{}), make(chan struct{})
	l.stop = sync.OnceFunc(func() {
		close(ended)
		<-over
	})
	go func() {
		defer close(over)
		l.send(t, from, ended)
	}()
	t.Cleanup(l.stop)
	return l
}

func (l *load) send(t *testing.T, from *websocket.Conn, ended chan struct{}) {
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	begin := time.Now()
	defer func() { l.lasted = time.Since(begin) }()
	for {
		select {
		case <-ended:
			return
		case <-tick.C:
		}
		due := int(time.Since(begin) / time.Millisecond)
		for range min(due-l.sent, 10) { // a ticker leaves out what is late
			if err := wsjson.Write(t.Context(), from, say{Text: fmt.Sprint(l.sent)}); err != nil {
				t.Errorf("message %d: %v", l.sent, err)
				return
			}
			l.sent++
		}
	}
}

// wait returns when both have heard so much.
func (l *load) wait(number int) {
	for _, x := range []*listener{l.near, l.far} {
		for n := range x.heard {
			if n >= number {
				break
			}
		}
	}
}

// check ends the load. The one here has heard all of it, the one elsewhere what crossed; both once, in order, and with the news.
func (l *load) check(t *testing.T) {
	t.Helper()
	for _, x := range []*listener{l.near, l.far} { // and messages cross again
		for up := range x.up {
			if up {
				break
			}
		}
	}
	l.stop()
	if err := wsjson.Write(t.Context(), l.from, say{Text: "that is all"}); err != nil { // behind all others
		t.Fatal(err)
	}
	for _, x := range []*listener{l.near, l.far} {
		<-x.ended
		for _, problem := range x.problems {
			t.Errorf("on %s: %s", x.addr, problem)
		}
		if x.downs != 1 || x.ups != 1 {
			t.Errorf("on %s: told %d times that the server had gone and %d times that it was back, want once each", x.addr, x.downs, x.ups)
		}
	}
	if l.near.count != l.sent {
		t.Errorf("the terminal on the sender's process heard %d of %d messages", l.near.count, l.sent)
	}
	if l.far.count == l.sent {
		t.Error("all messages crossed: there was no gap")
	}
}

// A listener is a terminal that notes what it hears. Its fields may be read when it has ended.
type listener struct {
	addr       string
	heard      chan int  // numbers, as long as somebody wants them
	up         chan bool // what it is told of the server
	ended      chan struct{}
	count      int
	downs, ups int
	problems   []string
}

func listen(t *testing.T, addr string) *listener {
	t.Helper()
	x := joinTerminal(t, addr, "bob", "builder", "load")
	l := &listener{addr: addr, heard: make(chan int, 1), up: make(chan bool, 10), ended: make(chan struct{})}
	go func() {
		defer close(l.ended)
		last := -1
		for {
			line, err := x.lines.ReadString('\n')
			if err != nil {
				l.problems = append(l.problems, fmt.Sprintf("behind message %d: %v", last, err))
				return
			}
			if line == "<carol> that is all\n" {
				return
			}
			last = l.note(line, last)
		}
	}()
	return l
}

// note notes a line behind a message, and returns which message is the last now.
func (l *listener) note(line string, last int) int {
	switch {
	case strings.HasPrefix(line, "* the other servers are out of reach"):
		l.downs++
		l.up <- false
		return last
	case strings.HasPrefix(line, "* the other servers are back"):
		l.ups++
		l.up <- true
		return last
	}
	var number int
	if _, err := fmt.Sscanf(line, "<carol> %d\n", &number); err != nil || number <= last {
		l.problems = append(l.problems, fmt.Sprintf("got %q behind message %d", line, last))
	}
	l.count++
	select {
	case l.heard <- number:
	default:
	}
	return number
}
