package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"net"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/portico-go/portico/channellayer"
	"github.com/portico-go/portico/channellayer/brokers"
)

const patience = 30 * time.Second

// run runs the command line tool with an input and one variable.
func run(t *testing.T, input, layer string, args ...string) (status int, out, err string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	p := program{in: strings.NewReader(input), out: &stdout, err: &stderr, env: func(name string) string {
		if name != layerVariable {
			t.Errorf("the variable %s is looked at", name)
		}
		return layer
	}}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	status = p.run(ctx, args)
	return status, stdout.String(), stderr.String()
}

// redis starts a Redis server, and returns its URL.
func redis(t *testing.T) string {
	t.Helper()
	path, err := exec.LookPath("redis-server")
	if err != nil {
		t.Fatalf("this test needs redis-server: sudo apt-get install redis-server, or the like (%v)", err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := ln.Addr().(*net.TCPAddr).Port
	ln.Close()
	cmd := exec.Command(path, "--bind", "127.0.0.1", "--port", fmt.Sprint(port), "--dir", t.TempDir(), "--save", "", "--requirepass", "secret")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if strings.Contains(lines.Text(), "Ready to accept connections") {
			go func() {
				for lines.Scan() { // until it ends
				}
			}()
			return fmt.Sprintf("redis://:secret@127.0.0.1:%d", port)
		}
	}
	t.Fatal("redis-server ended at once")
	return ""
}

// join returns a member of the group g on a node of its own, that has this role. The group "kept" has a history.
func join(t *testing.T, url, role string, groups ...string) *channellayer.Subscription {
	t.Helper()
	broker, err := brokers.Open(url)
	if err != nil {
		t.Fatal(err)
	}
	hub, err := channellayer.New(channellayer.Config{Broker: broker, History: []channellayer.History{{Pattern: "kept", Size: 10, Age: time.Hour}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = hub.Close() })
	sub, err := hub.Subscribe(hub.NewChannel("test"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := sub.SetMetadata(map[string]string{"role": role}); err != nil {
		t.Fatal(err)
	}
	for _, g := range groups {
		if err := sub.Join(t.Context(), g); err != nil {
			t.Fatal(err)
		}
	}
	return sub
}

func expect(t *testing.T, sub *channellayer.Subscription, want string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	m, err := sub.Receive(ctx)
	if err != nil {
		t.Fatalf("no %s: %v", want, err)
	}
	if got := fmt.Sprintf("%v %s %s", m.Kind, m.Type, m.Payload); got != want {
		t.Fatalf("got %s, want %s", got, want)
	}
}

func TestPublish(t *testing.T) {
	t.Parallel()
	url := redis(t)
	admin, guest := join(t, url, "admin", "g", "kept"), join(t, url, "guest", "g")
	publish := func(input string, args ...string) string {
		t.Helper()
		status, out, errs := run(t, input, url, append([]string{"publish"}, args...)...)
		if status != exitDone || errs != "" {
			t.Fatalf("%q: status %d, %s", args, status, errs)
		}
		return strings.TrimSpace(out)
	}
	publish("", "g", "poke")
	publish(` {"n": 1}`, "g", "said", "-")
	publish("", "-broadcast", "g", "said", `"hi"`)
	publish("", "-where", "role=admin", "g", "said", "1")
	publish("", "-channel", guest.Name(), "said", "2")
	publish("", "g", "end")
	for _, want := range []string{"event poke ", `event said {"n":1}`, `broadcast said "hi"`, "event said 1", "event end "} {
		expect(t, admin, want)
	}
	for _, want := range []string{"event poke ", `event said {"n":1}`, `broadcast said "hi"`, "event said 2", "event end "} {
		expect(t, guest, want)
	}

	first := publish("", "-history", "10,1h", "-key", "k", "kept", "said", "3")
	again := publish("", "-history", "10,1h", "-key", "k", "kept", "said", "3")
	last := publish("", "-history", "10,1h", "kept", "end")
	if _, err := channellayer.ParsePosition(first); err != nil || again != first || last == first {
		t.Errorf("the positions are %q, the same again %q, and %q (%v)", first, again, last, err)
	}
	expect(t, admin, "event said 3")
	expect(t, admin, "event end ")
}

// What could not be sent is told with status 1, and without the password.
func TestFailures(t *testing.T) {
	t.Parallel()
	url := redis(t)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := ln.Addr().String()
	ln.Close()
	for name, tt := range map[string]struct {
		layer string
		want  string
		args  []string
	}{
		"redis is away":      {"redis://:secret@" + nobody, "broker down", []string{"g", "t"}},
		"NATS is away":       {"nats://user:secret@" + nobody, "broker down", []string{"g", "t"}},
		"wrong password":     {strings.Replace(url, "secret", "secretive", 1), "WRONGPASS", []string{"g", "t"}},
		"no time":            {url, "deadline exceeded", []string{"-timeout", "1ns", "g", "t"}},
		"name":               {url, "invalid name", []string{"a\nb", "t"}},
		"type":               {url, "invalid name", []string{"g", ""}},
		"channel of nobody":  {url, "no subscriber", []string{"-channel", "a!b", "t"}},
		"history of nothing": {url, "size 0", []string{"-history", "0,1h", "g", "t"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			status, out, errs := run(t, "", tt.layer, append([]string{"publish"}, tt.args...)...)
			if status != exitFailed || out != "" || !strings.Contains(errs, tt.want) || strings.Contains(errs, "secret") {
				t.Errorf("status %d, said %q and %q; want status 1 and %q", status, out, errs, tt.want)
			}
		})
	}
}

func TestUsage(t *testing.T) {
	t.Parallel()
	const url = "redis://:secret@127.0.0.1:1"
	for _, tt := range []struct{ args, layer, want string }{
		{"", url, "Usage: portico COMMAND"},
		{"frobnicate", url, `the command "frobnicate" is unknown`},
		{"publish g t", "", "no layer to send to"},
		{"publish -layer memory g t", "", "no layer to send to"},
		{"publish -layer kafka://u:secret@h g t", url, `the layer "kafka" is unknown`},
		{"publish g", url, "got 1 arguments, expected GROUP TYPE [JSON | -]"},
		{"publish g t 1 2", url, "got 4 arguments"},
		{"publish g t hi", url, "the value is no JSON"},
		{"publish g t -", url, "the value is no JSON"},
		{"publish -what g t", url, "-what"},
		{"publish -timeout x g t", url, "-timeout"},
		{"publish -channel g t", url, `"g" is no channel of a connection`},
		{"publish -channel -broadcast a!b t", url, "-channel sends to one"},
		{"publish -key k g t", url, "-key needs -history"},
		{"publish -history x g t", url, "-history is \"x\", expected SIZE,AGE"},
		{"publish -where role g t", url, "expected KEY=VALUE"},
	} {
		status, out, errs := run(t, "", tt.layer, strings.Fields(tt.args)...)
		if status != exitUsage || out != "" || !strings.Contains(errs, tt.want) || strings.Contains(errs, "secret") {
			t.Errorf("%q: status %d, said %q and %q; want status 2 and %q", tt.args, status, out, errs, tt.want)
		}
	}
	for _, args := range []string{"help", "publish -h"} {
		if status, out, errs := run(t, "", url, strings.Fields(args)...); status != exitDone || !strings.HasPrefix(out, "Usage: portico") || errs != "" {
			t.Errorf("%q: status %d, said %q and %q", args, status, out, errs)
		}
	}
}
