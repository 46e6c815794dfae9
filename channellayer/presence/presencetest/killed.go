package presencetest

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/portico-go/portico/channellayer"
	"github.com/portico-go/portico/channellayer/layertest"
	"github.com/portico-go/portico/channellayer/presence"
)

const (
	victims = 100 // presences of the node that is killed
	ready   = "the victim is ready"
)

// Killed holds a layer to what becomes of the presences of a process that is killed without a word: the others have them until the end of its lease, and not
// longer. Victim runs the process, with a group as its last argument, in which it calls [Victim]; usually that is the test itself, run once more.
func Killed(t *testing.T, b layertest.Backend, victim *exec.Cmd) {
	t.Helper()
	if b.Patience == 0 {
		b.Patience = 15 * time.Second
	}
	s := &suite{TB: t, t: t, Backend: b, ctx: t.Context(), group: fmt.Sprintf("killed %d", time.Now().UnixNano())}
	a, other := s.two(Config())
	s.track(a, "alice", nil)
	watchers := []*watcher{s.watch(a), s.watch(other)}

	victim.Args = append(victim.Args, s.group)
	victim.Stderr = os.Stderr
	out, err := victim.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := victim.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := victim.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = victim.Process.Kill() }()
	for lines := bufio.NewScanner(out); lines.Scan() && lines.Text() != ready; {
	}
	all := []string{"alice"}
	for i := range victims {
		all = append(all, fmt.Sprintf("v%03d", i))
	}
	for _, w := range watchers {
		w.until(all...)
	}
	s.wait(Config().Lease + Config().Beat) // it lives, so nobody is gone
	killed := time.Now()
	if err := victim.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = victim.Wait() // that it was killed is no news
	for _, w := range watchers {
		for _, d := range w.seen {
			if d[0] == '-' {
				t.Fatalf("%s before it was killed", d)
			}
		}
		w.until("alice")
	}
	took := time.Since(killed)
	t.Logf("%d presences were gone %v after the process was killed, with a lease of %v", victims, took.Round(time.Millisecond), Config().Lease)
	if took > 2*Config().Lease {
		t.Errorf("they were gone %v after the end of the lease", took-Config().Lease)
	}
}

// Victim is what the process does that [Killed] kills. It returns when its standard input ends, and then has not been killed.
func Victim(b channellayer.Broker) error {
	hub, err := channellayer.New(channellayer.Config{Broker: b})
	if err != nil {
		return err
	}
	tracker, err := presence.New(hub, Config())
	if err != nil {
		return err
	}
	group := os.Args[len(os.Args)-1]
	for i := range victims {
		sub, err := hub.Subscribe(hub.NewChannel("victim"), nil)
		if err != nil {
			return err
		}
		if err := tracker.Track(context.Background(), sub.Name(), group, fmt.Sprintf("v%03d", i), nil); err != nil {
			return err
		}
	}
	fmt.Println(ready)
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}
