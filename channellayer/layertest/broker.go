package layertest

import (
	"context"
	"fmt"
	"strings"
	"sync"

	"github.com/portico-go/portico/channellayer"
)

// brokerClauses hold for a broker itself, with no hub.
var brokerClauses = []clause{
	{"BrokerSubjects", brokerSubjects},
	{"BrokerRepeats", brokerRepeats},
	{"BrokerContexts", brokerContexts},
}

// A recorder is a Receiver that keeps what comes.
type recorder struct {
	mu   sync.Mutex
	got  []string // subject and envelope
	up   bool
	more chan struct{}
}

func (r *recorder) Message(subject string, envelope []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.got = append(r.got, subject+" "+string(envelope))
	select {
	case r.more <- struct{}{}:
	default:
	}
}

// Entry is for a broker that is a Log: what an outsider published under such a subject.
func (r *recorder) Entry(string, channellayer.Entry) {}

func (r *recorder) Up()        { r.set(true) }
func (r *recorder) Down(error) { r.set(false) }

func (r *recorder) set(up bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.up = up
}

// until waits until this has come, and returns everything that came before it.
func (r *recorder) until(s *suite, last string) []string {
	s.Helper()
	ctx, cancel := context.WithTimeout(s.ctx, s.Patience)
	defer cancel()
	for {
		r.mu.Lock()
		for i, m := range r.got {
			if m == last {
				before := r.got[:i]
				r.got = r.got[i+1:]
				r.mu.Unlock()
				return before
			}
		}
		r.mu.Unlock()
		select {
		case <-r.more:
		case <-ctx.Done():
			s.Fatalf("%q did not come", last)
		}
	}
}

// start starts a broker, which must have connected when Start returns.
func (s *suite) start() (channellayer.Broker, *recorder) {
	s.Helper()
	b, r := s.Broker(s.t), &recorder{more: make(chan struct{}, 1)}
	if err := b.Start(s.ctx, r); err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() {
		if err := b.Close(); err != nil {
			s.Errorf("close: %v", err)
		}
	})
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.up {
		s.Fatal("Start has returned, and has not reported Up")
	}
	return b, r
}

func (s *suite) must(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

// brokerSubjects: what is subscribed to comes, whole and in order, and nothing else does.
func brokerSubjects(s *suite) {
	a, _ := s.start()
	b, got := s.start()
	long := "g." + strings.Repeat("_ff", channellayer.MaxName)
	s.must(b.Subscribe(s.ctx, "g.a", "g.b", "n.A-1_2e", long))
	for _, subject := range []string{"g", "g.", "g.A", "g.a.b", "g.c", "n.a", "n.A-1"} {
		s.must(a.Publish(s.ctx, subject, []byte("astray")))
	}
	s.must(a.Publish(s.ctx, long, []byte("\x00\xff\r\n")))
	s.must(a.Publish(s.ctx, "n.A-1_2e", nil))
	for i := range 20 {
		s.must(a.Publish(s.ctx, "g.a", fmt.Append(nil, i)))
	}
	s.must(a.Publish(s.ctx, "g.b", []byte("end")))
	want := map[string]bool{long + " \x00\xff\r\n": true, "n.A-1_2e ": true, "g.b end": true}
	next := 0
	for len(want) > 0 || next < 20 {
		m := got.one(s)
		switch {
		case m == fmt.Sprint("g.a ", next):
			next++
		case want[m]:
			delete(want, m)
		default:
			s.Fatalf("got %q, expected g.a %d or one of %v", m, next, want)
		}
	}
}

// one returns the next message.
func (r *recorder) one(s *suite) string {
	s.Helper()
	ctx, cancel := context.WithTimeout(s.ctx, s.Patience)
	defer cancel()
	for {
		r.mu.Lock()
		if len(r.got) > 0 {
			m := r.got[0]
			r.got = r.got[1:]
			r.mu.Unlock()
			return m
		}
		r.mu.Unlock()
		select {
		case <-r.more:
		case <-ctx.Done():
			s.Fatal("no message came")
		}
	}
}

// brokerRepeats: subscribing twice is as once, and unsubscribing ends it whatever was before.
func brokerRepeats(s *suite) {
	a, _ := s.start()
	b, got := s.start()
	s.must(b.Unsubscribe(s.ctx, "g.x", "g.never"))
	s.must(b.Subscribe(s.ctx, "g.x", "g.mark"))
	s.must(b.Subscribe(s.ctx, "g.x", "g.mark"))
	s.must(a.Publish(s.ctx, "g.x", []byte("1")))
	s.must(a.Publish(s.ctx, "g.mark", []byte("1")))
	s.must(b.Subscribe(s.ctx, "g.x"))
	s.must(a.Publish(s.ctx, "g.x", []byte("2")))
	if before := got.until(s, "g.x 2"); strings.Count(strings.Join(before, "\n"), "g.x 1") != 1 {
		s.Errorf("before the second message came %q, expected the first one once", before)
	}
	s.must(b.Unsubscribe(s.ctx, "g.x"))
	s.must(a.Publish(s.ctx, "g.x", []byte("3")))
	s.must(a.Publish(s.ctx, "g.mark", []byte("2")))
	if before := got.until(s, "g.mark 2"); strings.Contains(strings.Join(before, "\n"), "g.x 3") {
		s.Error("a message came after Unsubscribe had returned")
	}
}

func brokerContexts(s *suite) {
	b, _ := s.start()
	ctx, cancel := context.WithCancel(s.ctx)
	cancel()
	for what, err := range map[string]error{
		"Publish":   b.Publish(ctx, "g.x", []byte("x")),
		"Subscribe": b.Subscribe(ctx, "g.x"),
	} {
		if err == nil {
			s.Errorf("%s with a context that is over is no error", what)
		}
	}
	s.must(b.Subscribe(s.ctx, "g.x"))
}
