package mailbox_test

import (
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/portico-go/portico/internal/mailbox"
	"github.com/portico-go/portico/protocol"
)

// owner notes what a box does; the box's own order keeps it free of races.
type owner struct {
	runs
	notes []string
	slow  time.Duration
}

// runs are the runners of one owner.
type runs struct{ runners mailbox.Runners }

func (r *runs) Runners() *mailbox.Runners { return &r.runners }

func (o *owner) HandleEvent(ev protocol.Event) {
	time.Sleep(o.slow) // virtual time: the tests run in a bubble
	o.notes = append(o.notes, ev.(*protocol.Timer).Name)
}

func (o *owner) TurnOver() { o.notes = append(o.notes, "|") }

func timer(name string) *protocol.Timer { return &protocol.Timer{Name: name} }

func TestOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := &owner{slow: time.Second}
		b := mailbox.New(o)
		post(t, b, "a")
		post(t, b, "b")
		synctest.Wait()
		if len(o.notes) != 0 {
			t.Fatalf("the box handled %v before Release", o.notes)
		}
		go b.Release()
		synctest.Wait() // a is being handled now
		post(t, b, "c")
		if err := b.Do(func() { o.notes = append(o.notes, "do") }); err != nil {
			t.Fatal(err)
		}
		post(t, b, "d")
		b.Close(func() { o.notes = append(o.notes, "last") })
		if err := b.Post(timer("late")); !errors.Is(err, protocol.ErrClosed) {
			t.Fatalf("Post after Close = %v, want ErrClosed", err)
		}
		if err := b.Do(func() { t.Error("a late Do ran") }); !errors.Is(err, protocol.ErrClosed) {
			t.Fatalf("Do after Close = %v, want ErrClosed", err)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		got := slices.DeleteFunc(slices.Clone(o.notes), func(s string) bool { return s == "|" })
		if want := []string{"a", "b", "c", "do", "d", "last"}; !slices.Equal(got, want) {
			t.Fatalf("order = %v, want %v", got, want)
		}
		if o.notes[len(o.notes)-1] != "|" {
			t.Fatalf("notes = %v: the last turn was not over", o.notes)
		}
	})
}

func TestIdleBoxRunsOnTheCaller(t *testing.T) {
	o := &owner{}
	b := mailbox.New(o)
	b.Release()
	ran := false
	if err := b.Do(func() { ran = true }); err != nil || !ran {
		t.Fatalf("Do = %v, ran = %v", err, ran)
	}
	if want := []string{"|", "|"}; !slices.Equal(o.notes, want) {
		t.Fatalf("notes = %v, want %v", o.notes, want)
	}
}

func post(t *testing.T, b *mailbox.Box, name string) {
	t.Helper()
	if err := b.Post(timer(name)); err != nil {
		t.Fatal(err)
	}
}

// counter checks that turns never overlap and keep each sender's order.
type counter struct {
	runs
	t     *testing.T
	last  map[string]int // no lock: the box's order keeps it free of races
	total int
	over  int
}

type numbered struct {
	from string
	n    int
}

func (numbered) EventType() string { return "numbered" }

func (c *counter) HandleEvent(ev protocol.Event) {
	e := ev.(numbered)
	if e.n != c.last[e.from]+1 {
		c.t.Errorf("%s: %d came behind %d", e.from, e.n, c.last[e.from])
	}
	c.last[e.from] = e.n
	c.total++
}

func (c *counter) TurnOver() { c.over++ }

func TestManySenders(t *testing.T) {
	t.Parallel()
	const each = 200
	c := &counter{t: t, last: make(map[string]int)}
	b := mailbox.New(c)
	done := 0
	var wg sync.WaitGroup
	for _, name := range []string{"a", "b", "c"} {
		wg.Go(func() {
			for n := range each {
				if err := b.Post(numbered{name, n + 1}); err != nil {
					t.Error(err)
				}
				if n%10 == 0 {
					if err := b.Do(func() { done++ }); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	b.Release()
	wg.Wait()
	last := make(chan struct{})
	b.Close(func() {
		if c.total != 3*each || done != 3*each/10 {
			t.Errorf("%d events and %d functions were handled, want %d and %d", c.total, done, 3*each, 3*each/10)
		}
		close(last)
	})
	b.Close(func() { t.Error("a second Close ran") })
	<-last
}

// A handler may post to its own box and close it.
func TestFromWithin(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := &reentrant{}
		b := mailbox.New(o)
		o.box = b
		post(t, b, "first")
		b.Release()
		synctest.Wait()
		if want := []string{"first", "posted", "closed"}; !slices.Equal(o.notes, want) {
			t.Fatalf("notes = %v, want %v", o.notes, want)
		}
	})
}

type reentrant struct {
	runs
	box   *mailbox.Box
	notes []string
}

func (r *reentrant) HandleEvent(ev protocol.Event) {
	name := ev.(*protocol.Timer).Name
	r.notes = append(r.notes, name)
	if name == "first" {
		_ = r.box.Post(timer("posted"))
		r.box.Close(func() { r.notes = append(r.notes, "closed") })
	}
}

func (r *reentrant) TurnOver() {}
