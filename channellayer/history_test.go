package channellayer_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/portico-go/portico/channellayer"
	"github.com/portico-go/portico/channellayer/layertest"
)

func keeping(size int, age time.Duration) channellayer.Config {
	return channellayer.Config{History: []channellayer.History{{Pattern: "kept*", Size: size, Age: age}}}
}

// plainBroker is a broker that keeps no history.
type plainBroker struct{ channellayer.Broker }

func TestHistoryConfig(t *testing.T) {
	t.Parallel()
	for want, c := range map[string]channellayer.Config{
		"History[0]: pattern \"[\" is malformed": {History: []channellayer.History{{Pattern: "[", Size: 1, Age: time.Hour}}},
		"History[1]: pattern \"\" is malformed":  {History: []channellayer.History{{Pattern: "a", Size: 1, Age: time.Hour}, {Size: 1, Age: time.Hour}}},
		"has size 0":                             keeping(0, time.Hour),
		"age 1ms":                                keeping(1, time.Millisecond),
		"keeps none":                             {History: keeping(1, time.Hour).History, Broker: plainBroker{new(layertest.Loopback).Broker()}},
	} {
		h, err := channellayer.New(c)
		if err == nil {
			h.Close()
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, expected %q", err, want)
		}
	}
}

// The first pattern that matches counts; groups that none matches, and those of one process, have no history.
func TestHistoryByName(t *testing.T) {
	t.Parallel()
	h := newHub(t, channellayer.Config{History: []channellayer.History{
		{Pattern: "kept/few*", Size: 1, Age: time.Hour},
		{Pattern: "kept*", Size: 10, Age: time.Hour},
	}})
	for group, want := range map[string]int{"kept/few/1": 1, "kept/many": 5, "kept": 5, "other": -1, h.NewGroup("kept"): -1} {
		s := subscribe(t, h, "c "+group, group)
		for i := range 5 {
			d, err := h.GroupSend(t.Context(), group, event(i))
			if err != nil || d.Position.IsZero() != (want < 0) || (d.Delivered == 1) != (want < 0) {
				t.Errorf("%s: %+v, %v", group, d, err)
			}
		}
		for i := range 5 {
			m, ok := s.Next()
			if !ok || number(t, m) != i || m.Position().IsZero() != (want < 0) || m.Group != group {
				t.Errorf("%s: got %v, %v", group, m, ok)
			}
		}
		r, err := h.Recover(t.Context(), group, channellayer.Position{})
		if want < 0 {
			if !errors.Is(err, channellayer.ErrNoHistory) {
				t.Errorf("%s: %v, expected ErrNoHistory", group, err)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if page, err := r.Next(t.Context()); err != nil || len(page) != want {
			t.Errorf("%s: %d messages, %v; expected %d", group, len(page), err, want)
		}
	}
}

// What nobody uses is dropped by age, and forgotten after a while: no group and no key is left.
func TestHistoryInMemoryIsForgotten(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHub(t, keeping(100, time.Minute))
		ev := event(1)
		ev.Header = channellayer.Header{{Key: channellayer.HeaderIdempotencyKey, Value: "k"}}
		var last channellayer.Position
		for i := range 1000 {
			d, err := h.GroupSend(t.Context(), fmt.Sprint("kept ", i), ev)
			if err != nil {
				t.Fatal(err)
			}
			last = d.Position
		}
		if n := h.Stats().Logs; n != 1000 {
			t.Errorf("%d logs, expected 1000", n)
		}
		time.Sleep(5 * time.Minute)
		r, err := h.Recover(t.Context(), "kept 999", last)
		if err != nil || !r.Recovered {
			t.Errorf("a quiet group: %+v, %v; expected that nothing came", r, err)
		}
		time.Sleep(20 * time.Minute)
		if n := h.Stats().Logs; n != 0 {
			t.Errorf("%d logs are left", n)
		}
		r, err = h.Recover(t.Context(), "kept 999", last)
		if err != nil || r.Recovered || r.Gap != channellayer.GapEpoch {
			t.Errorf("a forgotten group: %+v, %v", r, err)
		}
	})
}

// The log of a group that has members is not forgotten, however quiet they are: nobody is told of a gap when somebody speaks again.
func TestHistoryOfAQuietRoom(t *testing.T) {
	t.Parallel()
	for name, broker := range map[string]channellayer.Broker{"memory": nil, "broker": new(layertest.Loopback).Broker()} {
		synctest.Test(t, func(t *testing.T) {
			c := keeping(100, time.Minute)
			c.Broker = broker
			h := newHub(t, c)
			s := subscribe(t, h, "c", "kept")
			groupSend(t, h, "kept", 1)
			synctest.Wait()
			expect(t, s, 1)
			time.Sleep(24 * time.Hour)
			groupSend(t, h, "kept", 2)
			synctest.Wait()
			if m, ok := s.Next(); !ok || m.Kind == channellayer.KindLayer {
				t.Errorf("%s: got %+v, expected the message", name, m)
			}
		})
	}
}

// A lossy broker loses entries on their way to the hub, and fails if it is told to.
type lossy struct {
	channellayer.Log
	losing atomic.Bool
	fail   atomic.Pointer[error]
}

func (b *lossy) Append(ctx context.Context, subject string, keep channellayer.Retention, r channellayer.Record) (channellayer.Position, error) {
	if err := b.fail.Load(); err != nil {
		return channellayer.Position{}, *err
	}
	return b.Log.Append(ctx, subject, keep, r)
}

func (b *lossy) Read(ctx context.Context, subject string, keep channellayer.Retention, from uint64, limit int) (channellayer.Page, error) {
	if err := b.fail.Load(); err != nil {
		return channellayer.Page{}, *err
	}
	return b.Log.Read(ctx, subject, keep, from, limit)
}

// lossyHub returns a hub with such a broker, to be used in a bubble.
func lossyHub(t *testing.T) (*channellayer.Hub, *lossy) {
	t.Helper()
	b := &lossy{Log: new(layertest.Loopback).Broker().(channellayer.Log)}
	c := keeping(100, time.Hour)
	c.Broker, c.Capacity = b, 1000
	return newHub(t, c), b
}

type lossyReceiver struct {
	channellayer.Receiver
	broker *lossy
}

func (b *lossy) Start(ctx context.Context, r channellayer.Receiver) error {
	return b.Log.Start(ctx, &lossyReceiver{r, b})
}

func (r *lossyReceiver) Entry(subject string, e channellayer.Entry) {
	if !r.broker.losing.Load() {
		r.Receiver.Entry(subject, e)
	}
}

// A message that was lost on its way, and is the last one for now, is found within a minute; one that is not the last, at once.
func TestHistoryFindsWhatWasLost(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h, b := lossyHub(t)
		s := subscribe(t, h, "c", "kept")
		b.losing.Store(true)
		groupSend(t, h, "kept", 1)
		b.losing.Store(false)
		groupSend(t, h, "kept", 2)
		synctest.Wait()
		expect(t, s, 1, 2)
		b.losing.Store(true)
		groupSend(t, h, "kept", 3)
		synctest.Wait()
		expect(t, s)
		time.Sleep(time.Minute)
		synctest.Wait()
		expect(t, s, 3)
	})
}

// A log that does not answer, of a broker that is there, is asked again and again; joins say that it does not, and hold when it does.
func TestHistoryThatCannotBeRead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h, b := lossyHub(t)
		errNo := errors.New("no")
		b.fail.Store(&errNo)
		s, late := subscribe(t, h, "c"), subscribe(t, h, "late")
		if err := s.Join(t.Context(), "kept"); !errors.Is(err, channellayer.ErrBrokerDown) {
			t.Errorf("a join got %v, expected ErrBrokerDown", err)
		}
		if _, err := late.JoinFrom(t.Context(), "kept", channellayer.Position{}); !errors.Is(err, channellayer.ErrBrokerDown) {
			t.Errorf("a recovery got %v, expected ErrBrokerDown", err)
		}
		if _, err := h.GroupSend(t.Context(), "kept", event(1)); !errors.Is(err, channellayer.ErrUnconfirmed) || !errors.Is(err, errNo) {
			t.Errorf("a send got %v, expected ErrUnconfirmed and the log's reason", err)
		}
		big := fmt.Errorf("%w: for this log", channellayer.ErrTooLarge)
		b.fail.Store(&big)
		if _, err := h.GroupSend(t.Context(), "kept", event(1)); !errors.Is(err, channellayer.ErrTooLarge) || errors.Is(err, channellayer.ErrBrokerDown) {
			t.Errorf("a send that is too large got %v", err)
		}
		if n := h.Stats().Unpublished; n != 2 {
			t.Errorf("%d unpublished, expected 2", n)
		}
		b.fail.Store(nil)
		time.Sleep(2 * time.Second)
		groupSend(t, h, "kept", 2)
		synctest.Wait()
		expect(t, s, 2)
		expect(t, late) // silent until it recovers
		r, err := late.JoinFrom(t.Context(), "kept", channellayer.Position{})
		if err != nil {
			t.Fatal(err)
		}
		if page, err := r.Next(t.Context()); err != nil || len(page) != 1 {
			t.Errorf("recovered %v, %v", page, err)
		}
		groupSend(t, h, "kept", 3)
		synctest.Wait()
		expect(t, s, 3)
		expect(t, late, 3)
	})
}

// A member is told of a gap, and counted, when the log has dropped what the node lacks.
func TestHistoryWithAGap(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h, b := lossyHub(t)
		s := subscribe(t, h, "c", "kept")
		b.losing.Store(true)
		for i := range 150 {
			groupSend(t, h, "kept", i)
		}
		b.losing.Store(false)
		groupSend(t, h, "kept", 150)
		synctest.Wait()
		m, _ := s.Next()
		if ev, ok := m.Layer(); !ok || ev.Gap != channellayer.GapTrimmed || ev.Group != "kept" || !ev.Up || m.Type != "layer.gap" {
			t.Fatalf("got %v %q %+v, expected the news of a gap", m.Kind, m.Type, ev)
		}
		for i := 51; i <= 150; i++ { // the log has 100
			if m, ok := s.Next(); !ok || number(t, m) != i {
				t.Fatalf("got %v, %v, expected %d", m, ok, i)
			}
		}
		expect(t, s)
		if n := h.Stats().Gaps; n != 1 {
			t.Errorf("%d gaps are counted, expected 1", n)
		}
	})
}

// Messages with a position do not expire: who is slow is told so instead.
func TestHistoryDoesNotExpireInTheQueue(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHub(t, keeping(100, time.Hour))
		s := subscribe(t, h, "c", "kept")
		groupSend(t, h, "kept", 1)
		time.Sleep(10 * time.Minute)
		expect(t, s, 1)
	})
}

// What is sent to some members only is recovered by those alone.
func TestHistoryForSome(t *testing.T) {
	t.Parallel()
	h := newHub(t, keeping(100, time.Hour))
	admin, other := subscribe(t, h, "admin", "kept"), subscribe(t, h, "other", "kept")
	if err := admin.SetMetadata(map[string]string{"role": "admin"}); err != nil {
		t.Fatal(err)
	}
	groupSend(t, h, "kept", 1, channellayer.Where("role", "admin"))
	groupSend(t, h, "kept", 2, channellayer.Except("admin"))
	groupSend(t, h, "kept", 3)
	expect(t, admin, 1, 3)
	expect(t, other, 2, 3)
	for s, want := range map[*channellayer.Subscription][]int{admin: {1, 3}, other: {2, 3}} {
		r, err := s.JoinFrom(t.Context(), "kept", channellayer.Position{})
		if err != nil {
			t.Fatal(err)
		}
		page, err := r.Next(t.Context())
		if err != nil || len(page) != 2 || number(t, page[0]) != want[0] || number(t, page[1]) != want[1] {
			t.Errorf("%s: %v, %v; expected %v", s.Name(), page, err, want)
		}
	}
}

// A history that is trimmed while it is being read says so.
func TestHistoryTrimmedWhileItIsRead(t *testing.T) {
	t.Parallel()
	h := newHub(t, keeping(150, time.Hour))
	first := groupSend(t, h, "kept", 0).Position
	for i := range 140 {
		groupSend(t, h, "kept", i)
	}
	r, err := h.Recover(t.Context(), "kept", first)
	if err != nil || !r.Recovered {
		t.Fatal(r, err)
	}
	if page, err := r.Next(t.Context()); err != nil || len(page) == 0 {
		t.Fatal(page, err)
	}
	for i := range 150 {
		groupSend(t, h, "kept", i)
	}
	for range 2 {
		if page, err := r.Next(t.Context()); !errors.Is(err, channellayer.ErrGap) {
			t.Errorf("got %d messages, %v; expected ErrGap", len(page), err)
		}
	}
}

func TestHistoryErrors(t *testing.T) {
	t.Parallel()
	h := newHub(t, keeping(150, time.Hour))
	s := subscribe(t, h, "c")
	if _, err := s.JoinFrom(t.Context(), "plain", channellayer.Position{}); !errors.Is(err, channellayer.ErrNoHistory) {
		t.Errorf("a group without history: %v", err)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.JoinFrom(gone, "kept", channellayer.Position{}); !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled context: %v", err)
	}
	r, err := h.Recover(t.Context(), "kept", channellayer.Position{})
	if err != nil {
		t.Fatal(err)
	}
	groupSend(t, h, "kept", 1)
	if page, err := r.Next(t.Context()); err != nil || page != nil {
		t.Errorf("what came later is part of the recovery: %v, %v", page, err)
	}
	h.Close()
	if _, err := s.JoinFrom(t.Context(), "kept", channellayer.Position{}); !errors.Is(err, channellayer.ErrClosed) {
		t.Errorf("a closed hub: %v", err)
	}
	if _, err := h.Recover(t.Context(), "kept", channellayer.Position{}); !errors.Is(err, channellayer.ErrClosed) {
		t.Errorf("a closed hub: %v", err)
	}
	if _, err := h.GroupSend(t.Context(), "kept", event(1)); !errors.Is(err, channellayer.ErrClosed) {
		t.Errorf("a closed hub: %v", err)
	}
}
