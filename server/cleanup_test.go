package server_test

import (
	"context"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/portico-go/portico/middleware"
	"github.com/portico-go/portico/protocol"
	httpproto "github.com/portico-go/portico/protocol/http"
	"github.com/portico-go/portico/server"
)

// untidy notes the cleanups of a connection, and its Disconnect, and panics in a phase.
func untidy(phase string, ends chan<- string) protocol.Application {
	panicIn := func(now string) {
		if now == phase {
			panic("in " + phase)
		}
	}
	cleaning := func(name string) protocol.Middleware {
		return middleware.Transform{Name: name, Scope: func(_ context.Context, scope *protocol.Scope) (*protocol.Scope, error) {
			scope.OnClose(func(context.Context, error) { ends <- name })
			panicIn(name)
			return scope, nil
		}}.Middleware()
	}
	app := newRecorder()
	app.open = func(_ context.Context, scope *protocol.Scope) error {
		scope.OnClose(func(context.Context, error) { ends <- "open" })
		panicIn("open")
		return nil
	}
	app.handle = func(_ context.Context, conn *protocol.Conn, ev protocol.Event) error {
		switch ev.(type) {
		case *protocol.Disconnect:
			ends <- "disconnect"
			return nil
		case *protocol.Connect, *httpproto.Request:
			conn.OnClose(func(context.Context, error) { ends <- "connect" })
			panicIn("connect")
			return protocol.Rejectf(418, "no")
		}
		return nil
	}
	return protocol.Chain(cleaning("outer"), cleaning("inner"))(app)
}

// Behind a panic in any middleware, in Open or in Connect all cleanups that were
// registered run, once each, the last first, with the Disconnect of a handler among
// them: over each protocol, on real sockets.
func TestCleanupsRunBehindAPanic(t *testing.T) {
	t.Parallel()
	for phase, want := range map[string][]string{
		"outer":   {"outer"},
		"inner":   {"inner", "outer"},
		"open":    {"open", "inner", "outer"},
		"connect": {"connect", "disconnect", "open", "inner", "outer"},
		"never":   {"connect", "disconnect", "open", "inner", "outer"},
	} {
		for name, p := range opening {
			t.Run(phase+" "+name, func(t *testing.T) {
				t.Parallel()
				ends := make(chan string, 10)
				addr, stop := run(t, untidy(phase, ends), server.Config{})
				status := "500"
				if phase == "never" {
					status = "418"
				}
				if got := talk(t, addr, p.open); !strings.Contains(strings.SplitAfter(got, "\n")[0], " "+status+" ") {
					t.Errorf("got %q, want %s", got, status)
				}
				if err := stop(); err != nil { // when all is over
					t.Fatal(err)
				}
				close(ends)
				var got []string
				for end := range ends {
					got = append(got, end)
				}
				if !slices.Equal(got, want) {
					t.Errorf("at the end came %q, want %q", got, want)
				}
			})
		}
	}
}

// A script that says all there is to say and ends its side still gets its answers, from
// whichever path serves it: printf and nc know nothing of portico.
func TestPrintfAndNetcat(t *testing.T) {
	t.Parallel()
	nc, err := exec.LookPath("nc")
	if err != nil {
		t.Fatalf("this test needs nc: sudo apt-get install netcat-openbsd, or the like (%v)", err)
	}
	host, port, _ := strings.Cut(start(t, all, server.Config{}), ":")
	for range 20 { // the end of the input comes with it, or a moment later
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		script := fmt.Sprintf(`printf '/nick alice\n/join /rooms/go\none\ntwo\nthree\n' | %s -N %s %s`, nc, host, port)
		began := time.Now()
		out, err := exec.CommandContext(ctx, "sh", "-c", script).Output()
		cancel()
		if want := "/ok\none\ntwo\nthree\n"; err != nil || string(out) != want {
			t.Fatalf("nc read %q, %v after %v; want %q", out, err, time.Since(began), want)
		}
	}
}
