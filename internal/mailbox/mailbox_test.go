package mailbox_test

import (
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/portico-go/portico/internal/mailbox"
	"github.com/portico-go/portico/protocol"
)

// owner notes what a box does; the box's own order keeps it free of races.
type owner struct {
	notes []string
	slow  time.Duration
}

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
