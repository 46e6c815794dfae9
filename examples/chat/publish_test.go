//go:build unix

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// A cron job, or a person in a shell, talks to everybody in a room, whichever process they are in.
func TestPublish(t *testing.T) {
	t.Parallel()
	portico := filepath.Join(t.TempDir(), "portico")
	build := exec.Command("go", "build", "-o", portico, ".")
	build.Dir = filepath.Join("..", "..", "cmd", "portico") // a module of its own
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	for name, launch := range map[string]func(*testing.T) (string, func(), func()){"redis": launchRedis, "nats": launchNATS} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url, kill, _ := launch(t)
			one, two := start(t, "-layer", url), start(t, "-layer", url)
			alice := joinSocket(t, one.addr, "go", logIn(t, one.addr, "alice", "wonderland"))
			bob := joinTerminal(t, two.addr, "bob", "builder", "go")
			publish := func(input string, args ...string) (string, error) {
				cmd := exec.CommandContext(t.Context(), portico, append([]string{"publish"}, args...)...)
				cmd.Env = append(os.Environ(), "PORTICO_LAYER="+url)
				cmd.Stdin = strings.NewReader(input)
				out, err := cmd.CombinedOutput()
				return string(out), err
			}
			for _, arg := range []string{`{"room":"go","from":"cron","via":"shell","text":"the build is green"}`, "-"} {
				if out, err := publish(`{"room":"go","from":"cron","via":"shell","text":"and deployed"}`, "-broadcast", "room.go", "said", arg); err != nil || out != "" {
					t.Fatalf("portico publish ended with %v and said %q", err, out)
				}
			}
			wantJSON(t, alice,
				`{"room":"go","from":"cron","via":"shell","text":"the build is green"}`,
				`{"room":"go","from":"cron","via":"shell","text":"and deployed"}`)
			bob.want("<cron> the build is green")
			bob.want("<cron> and deployed")
			kill()
			if out, err := publish("", "room.go", "said"); err == nil || !strings.Contains(out, "broker down") {
				t.Errorf("without a server portico publish ended with %v and said %q", err, out)
			}
		})
	}
}
