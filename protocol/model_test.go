package protocol_test

import (
	"context"
	"math/rand/v2"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/portico-go/portico/protocol"
)

// legal is what may ever go out on one connection.
var legal = regexp.MustCompile(`^(reject \d+ ?[^,]*|accept 101(, message x)*(, close \d+ ?[^,]*)?)?$`)

// Whatever several goroutines do to a connection at once, what goes out is legal,
// and every promise of the end is kept.
func TestModel(t *testing.T) {
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	for round := range uint64(300) {
		model{rnd: rand.New(rand.NewPCG(seed, round))}.run(t)
		if t.Failed() {
			return
		}
	}
}

type model struct{ rnd *rand.Rand }

func (m model) run(t *testing.T) {
	l, w := begin(t)
	var cleanups, hooks, sent atomic.Int32
	registered := int32(0)
	a := &app{
		open: func(_ context.Context, s *protocol.Scope, c *protocol.Conn) error {
			_ = s.OnResponse(func(context.Context, *protocol.Head) error { // too late if it was ended already
				hooks.Add(1)
				return nil
			})
			c.OnClose(func(context.Context, error) { cleanups.Add(1) })
			return nil
		},
		connect: func(context.Context, *protocol.Conn) error { return nil },
	}
	registered++

	var wg sync.WaitGroup
	for range 4 {
		steps := make([]int, 6)
		for i := range steps {
			steps[i] = m.rnd.IntN(10)
		}
		wg.Go(func() {
			for _, step := range steps {
				if m.step(l, step) {
					sent.Add(1)
				}
			}
		})
	}
	wg.Go(func() { // the mailbox
		if l.Open(a) != nil {
			t.Error("Open failed")
		}
		_ = l.Deliver(&protocol.Connect{}) // ErrClosed, if one of the others was faster
		for range 3 {
			_ = l.Deliver(&protocol.Message{}) // as above
		}
		l.End(errLast)
	})
	wg.Wait()
	m.judge(t, l, w, a, int(sent.Load()))
	if cleanups.Load() != registered || hooks.Load() > 1 {
		t.Errorf("%d of %d cleanups and %d hooks ran", cleanups.Load(), registered, hooks.Load())
	}
}

// step does one thing and reports whether a message was taken.
func (model) step(l *protocol.Lifecycle, step int) bool {
	c := l.Conn()
	switch step {
	case 0, 1, 2:
		_ = c.Accept("", nil) // errors are the model's to judge, by what went out
	case 3, 4, 5:
		return c.SendText("x") == nil
	case 6:
		_ = c.Close(4001, "enough")
	case 7:
		l.Terminate(errTest)
	case 8:
		_ = c.Send(&protocol.Reject{})
	case 9:
		if l.Conn().State() == protocol.StateAccepted {
			l.PeerClosed(&protocol.Close{Code: 4002})
		} else {
			l.Cancel(protocol.ErrReset)
		}
	}
	return false
}

func (model) judge(t *testing.T, l *protocol.Lifecycle, w *line, a *app, messages int) {
	out := w.out()
	if !legal.MatchString(out) {
		t.Errorf("sent %s", out)
	}
	if n := strings.Count(out, "message"); n != messages {
		t.Errorf("%d messages went out, %d Sends returned nil", n, messages)
	}
	accepted, refused := strings.HasPrefix(out, "accept"), strings.HasPrefix(out, "reject")
	if a.disconnects() != 1 || a.ended.Accepted != accepted || !strings.HasPrefix(a.notes[len(a.notes)-1], "disconnect") {
		t.Errorf("told %s, sent %s", a.told(), out)
	}
	if cause := context.Cause(l.Context()); cause != a.ended.Cause {
		t.Errorf("the context's cause is %v, the Disconnect's %v", cause, a.ended.Cause)
	}
	count := map[string]int{}
	for _, o := range w.observed {
		kind, _, _ := strings.Cut(o, ":")
		count[kind]++
	}
	for kind, n := range map[string]int{"opened": 1, "accepted": number(accepted), "refused": number(refused), "closed": 1, "error": 0} {
		if count[kind] != n {
			t.Errorf("%q observed %d times, want %d: %s", kind, count[kind], n, w.seen())
		}
	}
}

func number(b bool) int {
	if b {
		return 1
	}
	return 0
}
