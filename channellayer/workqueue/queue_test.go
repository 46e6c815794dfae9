package workqueue_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"github.com/portico-go/portico/channellayer"
	"github.com/portico-go/portico/channellayer/workqueue"
)

// newQueue returns a queue in memory.
func newQueue(tb testing.TB, l workqueue.Limits) *workqueue.Queue {
	tb.Helper()
	m, err := workqueue.NewMemory(l)
	if err != nil {
		tb.Fatal(err)
	}
	q, err := workqueue.New(workqueue.Config{Store: m})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { q.Close() })
	return q
}

func TestBadJobsAreErrorsOfEnqueue(t *testing.T) {
	t.Parallel()
	q := newQueue(t, workqueue.Limits{})
	field := channellayer.Field{Key: "k"}
	for name, c := range map[string]struct {
		ev      channellayer.Event
		options []workqueue.Option
		want    error
		text    string
	}{
		"no type":             {want: channellayer.ErrInvalidName},
		"value":               {ev: channellayer.Event{Type: "t", Value: func() {}}, text: `encode "t"`},
		"payload":             {ev: channellayer.Event{Type: "t", Value: strings.Repeat("x", channellayer.MaxPayload)}, want: channellayer.ErrTooLarge},
		"header key":          {ev: channellayer.Event{Type: "t", Header: channellayer.Header{{Key: "a\nb"}}}, want: channellayer.ErrInvalidName},
		"header value":        {ev: channellayer.Event{Type: "t", Header: channellayer.Header{{Key: "a", Value: strings.Repeat("x", channellayer.MaxHeaderValue+1)}}}, want: channellayer.ErrTooLarge},
		"header fields":       {ev: channellayer.Event{Type: "t", Header: slicesRepeat(field, channellayer.MaxHeaders)}, options: []workqueue.Option{workqueue.Key("k")}, want: channellayer.ErrTooLarge},
		"no key":              {ev: channellayer.Event{Type: "t"}, options: []workqueue.Option{workqueue.Key("")}, want: channellayer.ErrInvalidName},
		"two keys":            {ev: channellayer.Event{Type: "t", Header: channellayer.Header{{Key: channellayer.HeaderIdempotencyKey, Value: "a"}}}, options: []workqueue.Option{workqueue.Key("b")}, text: "differ"},
		"expired already":     {ev: channellayer.Event{Type: "t"}, options: []workqueue.Option{workqueue.Expiry(-1)}, text: "Expiry"},
		"key with line break": {ev: channellayer.Event{Type: "t"}, options: []workqueue.Option{workqueue.Key("a\nb")}, want: channellayer.ErrInvalidName},
	} {
		_, err := q.Enqueue(t.Context(), "c", c.ev, c.options...)
		if err == nil || c.want != nil && !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.text) {
			t.Errorf("%s: %v, expected %v %q", name, err, c.want, c.text)
		}
	}
	if st, err := q.Stats(t.Context(), "c"); err != nil || st != (workqueue.Stats{}) {
		t.Errorf("%+v, %v: a bad job was kept", st, err)
	}
}

func slicesRepeat(f channellayer.Field, n int) (h channellayer.Header) {
	for range n {
		h = append(h, f)
	}
	return h
}

func TestIDs(t *testing.T) {
	t.Parallel()
	q := newQueue(t, workqueue.Limits{})
	seen := map[string]bool{}
	enqueue := func(channel string, options ...workqueue.Option) string {
		r, err := q.Enqueue(t.Context(), channel, channellayer.Event{Type: "t"}, options...)
		if err != nil {
			t.Fatal(err)
		}
		return r.ID
	}
	for _, id := range []string{
		enqueue("a"), enqueue("a"), enqueue("a", workqueue.Key("k")), enqueue("a", workqueue.Key("l")), enqueue("b", workqueue.Key("k")),
	} {
		if seen[id] || len(id) != 26 {
			t.Errorf("the ID %q has %d characters or is not the first of its kind", id, len(id))
		}
		seen[id] = true
	}
	if !seen[enqueue("a", workqueue.Key("k"))] {
		t.Error("one key has two IDs")
	}
}

func TestErrorsAreBounded(t *testing.T) {
	t.Parallel()
	q := newQueue(t, workqueue.Limits{})
	for _, text := range []string{strings.Repeat("ü", workqueue.MaxError), "x" + strings.Repeat("ü", workqueue.MaxError), "\xff"} {
		if _, err := q.Enqueue(t.Context(), "c", channellayer.Event{Type: "t"}); err != nil {
			t.Fatal(err)
		}
		leases, err := q.Take(t.Context(), "c", 1)
		if err != nil {
			t.Fatal(err)
		}
		if err := q.Settle(t.Context(), leases[0], workqueue.Outcome{Verdict: workqueue.Bury, Error: text}); err != nil {
			t.Fatal(err)
		}
	}
	dead, err := q.Dead(t.Context(), "c", 0, 10)
	if err != nil || len(dead) != 3 {
		t.Fatal(len(dead), err)
	}
	for _, d := range dead {
		if len(d.Error) > workqueue.MaxError || !utf8.ValidString(d.Error) {
			t.Errorf("an error of %d bytes was kept, valid UTF-8: %v", len(d.Error), utf8.ValidString(d.Error))
		}
	}
	if len(dead[0].Error) != workqueue.MaxError || len(dead[1].Error) != workqueue.MaxError-1 {
		t.Errorf("kept %d and %d bytes", len(dead[0].Error), len(dead[1].Error))
	}
}

func TestLimitsAreChecked(t *testing.T) {
	t.Parallel()
	for _, l := range []workqueue.Limits{{Capacity: -1}, {Dead: -1}, {Lease: -1}, {Window: -1}} {
		if _, err := workqueue.NewMemory(l); err == nil || !strings.Contains(err.Error(), "negative") {
			t.Errorf("%+v: %v, expected an error that says so", l, err)
		}
	}
}

// A codec of one's own is used both ways.
type reversed struct{ channellayer.JSON }

func (reversed) Encode(v any) ([]byte, error) { return []byte("r" + fmt.Sprint(v)), nil }

func (reversed) Decode(data []byte, v any) error {
	*v.(*string) = string(data[1:])
	return nil
}

func TestCodec(t *testing.T) {
	t.Parallel()
	q, err := workqueue.New(workqueue.Config{Codec: reversed{}})
	if err != nil {
		t.Fatal(err)
	}
	defer q.Close()
	if _, err := q.Enqueue(t.Context(), "c", channellayer.Event{Type: "t", Value: "v"}); err != nil {
		t.Fatal(err)
	}
	leases, err := q.Take(t.Context(), "c", 1)
	if err != nil {
		t.Fatal(err)
	}
	if v, err := workqueue.Value[string](leases[0].Job); v != "v" || err != nil || string(leases[0].Job.Payload) != "rv" {
		t.Errorf("%q, %v", v, err)
	}
}

func TestVerdictsOfErrors(t *testing.T) {
	t.Parallel()
	cause := errors.New("cause")
	for _, c := range []struct {
		err       error
		permanent bool
		delay     time.Duration
		delayed   bool
	}{
		{cause, false, 0, false},
		{workqueue.Permanent(cause), true, 0, false},
		{fmt.Errorf("more: %w", workqueue.Permanent(cause)), true, 0, false},
		{workqueue.RetryAfter(cause, time.Minute), false, time.Minute, true},
		{workqueue.RetryAfter(cause, -time.Minute), false, 0, true},
	} {
		d, ok := workqueue.RetryDelay(c.err)
		if workqueue.IsPermanent(c.err) != c.permanent || d != c.delay || ok != c.delayed || !errors.Is(c.err, cause) {
			t.Errorf("%v: permanent %v, delay %v %v", c.err, workqueue.IsPermanent(c.err), d, ok)
		}
	}
	if workqueue.Permanent(nil) != nil || workqueue.RetryAfter(nil, 1) != nil {
		t.Error("no error became one")
	}
}

// Somebody who waits always knows what becomes due first, also when the one who knew has gone.
func TestWaitersAreTold(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := newQueue(t, workqueue.Limits{Lease: time.Minute})
		took := make(chan time.Duration, 4)
		began := time.Now()
		take := func(ctx context.Context) {
			if leases, err := q.Take(ctx, "c", 1); err == nil && len(leases) == 1 {
				took <- time.Since(began)
			}
		}
		brief, cancel := context.WithCancel(t.Context())
		go take(brief)
		synctest.Wait()
		for range 3 {
			go take(t.Context())
		}
		synctest.Wait()
		for _, d := range []time.Duration{10 * time.Second, 20 * time.Second} {
			if _, err := q.Enqueue(t.Context(), "c", channellayer.Event{Type: "t"}, workqueue.Delay(d)); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		cancel()
		// two jobs, and the first one again when its lease runs out
		for _, want := range []time.Duration{10 * time.Second, 20 * time.Second, 70 * time.Second} {
			if got := <-took; got != want {
				t.Errorf("a job was taken after %v, expected %v", got, want)
			}
		}
	})
}

// Nothing is kept of a channel whose jobs are done, and for which nobody waits.
func TestNothingIsLeftBehind(t *testing.T) {
	t.Parallel()
	m, err := workqueue.NewMemory(workqueue.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	q, err := workqueue.New(workqueue.Config{Store: m})
	if err != nil {
		t.Fatal(err)
	}
	defer q.Close()
	for n := range 1000 {
		channel := fmt.Sprint(n)
		enqueue(t, q, channel, n)
		took(t, q, channel, n)
		ctx, cancel := context.WithTimeout(t.Context(), time.Microsecond)
		if _, err := q.Take(ctx, channel, 1); err == nil {
			t.Error("a job came twice")
		}
		cancel()
	}
	if n := m.Channels(); n != 0 {
		t.Errorf("%d channels are left", n)
	}
}
