//go:build unix

package main

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/portico-go/portico/channellayer/redis"
	"github.com/portico-go/portico/channellayer/workqueue"
)

const patience = 30 * time.Second

// TestMain lets the tests' own binary be the program.
func TestMain(m *testing.M) {
	if os.Getenv("RUN_AS_WORKER") != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// start runs the program, and returns its address if it is a site.
func start(t *testing.T, args ...string) (p *exec.Cmd, addr string) {
	t.Helper()
	p = exec.Command(os.Args[0], append([]string{"-addr", "127.0.0.1:0"}, args...)...)
	p.Env = append(os.Environ(), "RUN_AS_WORKER=yes")
	p.Stderr = t.Output()
	out, err := p.StdoutPipe()
	if err == nil {
		err = p.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = p.Process.Kill()
		_ = p.Wait()
	})
	if strings.Contains(strings.Join(args, " "), "-role worker") {
		return p, ""
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if _, url, ok := strings.Cut(lines.Text(), "http://"); ok {
			addr, _, _ = strings.Cut(url, "/")
			return p, addr
		}
	}
	t.Fatalf("the program did not print its address (%v)", lines.Err())
	return nil, ""
}

// listen connects a WebSocket, and returns a function that waits for its next message.
func listen(t *testing.T, addr string) (next func() string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	t.Cleanup(cancel)
	ws, _, err := websocket.Dial(ctx, "ws://"+addr+"/ws/photos", nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ws.CloseNow() })
	return func() string {
		t.Helper()
		_, data, err := ws.Read(ctx)
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
}

// post uploads a photo, and returns the status and the answer.
func post(t *testing.T, addr, body string) (int, string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+addr+"/photos", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(answer)
}

func TestBothInOneProcess(t *testing.T) {
	t.Parallel()
	p, addr := start(t)
	next := listen(t, addr)
	if status, answer := post(t, addr, `{"id":"cat","width":4000,"height":3000}`); status != 202 || !strings.Contains(answer, `"Duplicate":false`) {
		t.Errorf("%d %s", status, answer)
	}
	if got, want := next(), `{"id":"cat","width":160,"height":120,"attempt":1}`; got != want {
		t.Errorf("got %s, expected %s", got, want)
	}
	if status, answer := post(t, addr, `{"id":"cat","width":4000,"height":3000}`); status != 202 || !strings.Contains(answer, `"Duplicate":true`) {
		t.Errorf("the same photo again: %d %s", status, answer)
	}
	for _, bad := range []string{"", "{}", `{"id":"a\nb"}`} {
		if status, answer := post(t, addr, bad); status != 400 {
			t.Errorf("%q: %d %s", bad, status, answer)
		}
	}
	if err := p.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := p.Wait(); err != nil {
		t.Errorf("the program ended with %v", err)
	}
}

// A site and workers in processes of their own: one that is killed is no loss.
func TestProcessesShareTheJobs(t *testing.T) {
	t.Parallel()
	url := launchRedis(t).url
	_, addr := start(t, "-role", "site", "-redis", url)
	next := listen(t, addr)
	_, _ = post(t, addr, `{"id":"early","width":10,"height":10}`)
	worker, _ := start(t, "-role", "worker", "-redis", url)
	if got := next(); !strings.Contains(got, "early") {
		t.Errorf("got %s, expected what was enqueued before there was a worker", got)
	}
	if err := worker.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = worker.Wait()
	_, _ = post(t, addr, `{"id":"late","width":10,"height":10}`)
	_, _ = post(t, addr, `{"id":"flat","width":10,"height":0}`)
	start(t, "-role", "worker", "-redis", url)
	if got := next(); !strings.Contains(got, "late") {
		t.Errorf("got %s, expected what was enqueued while there was no worker", got)
	}
	store, err := redis.OpenJobStore(url, workqueue.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); ; <-tick.C {
		dead, err := store.Dead(t.Context(), "thumbnails", 0, 10)
		if err == nil && len(dead) == 1 && strings.Contains(dead[0].Error, "no photo has this size") {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("dead jobs: %v, %v; expected the flat one", dead, err)
		}
	}
}

func TestUnknownRole(t *testing.T) {
	t.Parallel()
	if err := run(t.Context(), "", "boss", ""); err == nil || !strings.Contains(err.Error(), "boss") {
		t.Errorf("%v", err)
	}
}
