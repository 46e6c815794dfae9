package main

import (
	"bufio"
	"context"
	"io"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// dump starts wsdump, a WebSocket for the terminal that is not ours, in a room.
func dump(t *testing.T, addr, room, headers string) (keys io.WriteCloser, screen *bufio.Reader, wait func() error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, need(t, "wsdump", "python3-websocket"), "--raw", "--headers", headers, "ws://"+addr+"/ws/chat/"+room)
	cmd.WaitDelay = time.Second
	keys, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return keys, bufio.NewReader(out), cmd.Wait
}

// Somebody talks from a command line over WebSocket, with the session cookie of a login.
func TestWsdump(t *testing.T) {
	t.Parallel()
	addr := serve(t)
	session := logIn(t, addr, "bob", "builder")
	keys, screen, wait := dump(t, addr, "go", "Cookie: "+session.Name+"="+session.Value) // it takes a comma for the next header
	typed := func(line string) {
		t.Helper()
		if _, err := io.WriteString(keys, line+"\n"); err != nil {
			t.Fatal(err)
		}
	}
	want := func(want string) {
		t.Helper()
		got, err := screen.ReadString('\n')
		for err == nil && strings.HasPrefix(got, "Press Ctrl+C") {
			got, err = screen.ReadString('\n')
		}
		if got != want+"\n" {
			t.Fatalf("wsdump read %q, %v; want %q", got, err, want)
		}
	}

	typed(`{"text":"hi"}`)
	want(`{"room":"go","from":"bob","via":"websocket","text":"hi"}`)
	alice := joinSocket(t, addr, "go", logIn(t, addr, "alice", "wonderland"))
	tell(t, alice, "hi bob, grüß dich")
	want(`{"room":"go","from":"alice","via":"websocket","text":"hi bob, grüß dich"}`)
	wantJSON(t, alice, `{"room":"go","from":"alice","via":"websocket","text":"hi bob, grüß dich"}`)
	typed(`{"text":"` + strings.Repeat("long", 200) + `"}`)
	want(`{"room":"go","from":"bob","via":"websocket","text":"` + strings.Repeat("long", 200) + `"}`)
	if err := keys.Close(); err != nil {
		t.Fatal(err)
	}
	if rest, err := io.ReadAll(screen); err != nil || len(rest) != 0 {
		t.Errorf("then wsdump read %q, %v", rest, err)
	}
	if err := wait(); err != nil {
		t.Errorf("wsdump: %v", err)
	}
}

// Who has not logged in is told so.
func TestWsdumpIsRefused(t *testing.T) {
	t.Parallel()
	addr := serve(t)
	_, screen, wait := dump(t, addr, "go", "X-Nobody: yes")
	if _, err := io.ReadAll(screen); err != nil {
		t.Fatal(err)
	}
	if err := wait(); err == nil {
		t.Error("wsdump was let in")
	}
}
