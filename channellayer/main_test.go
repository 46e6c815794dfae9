package channellayer_test

import (
	"context"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/portico-go/portico/channellayer"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// newHub returns a hub that is closed with the test.
func newHub(tb testing.TB, c channellayer.Config) *channellayer.Hub {
	tb.Helper()
	h, err := channellayer.New(c)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = h.Close() })
	return h
}

// subscribe returns a subscription that is read with Receive or Next.
func subscribe(tb testing.TB, h *channellayer.Hub, name string, groups ...string) *channellayer.Subscription {
	tb.Helper()
	s, err := h.Subscribe(name, nil)
	if err != nil {
		tb.Fatal(err)
	}
	for _, g := range groups {
		join(tb, s, g)
	}
	return s
}

func join(tb testing.TB, s *channellayer.Subscription, group string) {
	tb.Helper()
	if err := s.Join(context.Background(), group); err != nil {
		tb.Fatal(err)
	}
}

func leave(tb testing.TB, s *channellayer.Subscription, group string) {
	tb.Helper()
	if err := s.Leave(context.Background(), group); err != nil {
		tb.Fatal(err)
	}
}

// event is an event named t with a number in it.
func event(n int) channellayer.Event { return channellayer.Event{Type: "t", Value: n} }

func send(tb testing.TB, h *channellayer.Hub, channel string, n int) {
	tb.Helper()
	if err := h.Send(context.Background(), channel, event(n)); err != nil {
		tb.Fatal(err)
	}
}

func groupSend(tb testing.TB, h *channellayer.Hub, group string, n int, options ...channellayer.SendOption) channellayer.Delivery {
	tb.Helper()
	d, err := h.GroupSend(context.Background(), group, event(n), options...)
	if err != nil {
		tb.Fatal(err)
	}
	return d
}

// expect takes one message per number, in that order, and then expects no more.
func expect(tb testing.TB, s *channellayer.Subscription, numbers ...int) {
	tb.Helper()
	for _, want := range numbers {
		m, ok := s.Next()
		if !ok {
			tb.Fatalf("%s: no message, expected %d", s.Name(), want)
		}
		if got := number(tb, m); got != want {
			tb.Fatalf("%s: got %d, expected %d", s.Name(), got, want)
		}
	}
	if m, ok := s.Next(); ok {
		tb.Fatalf("%s: got %s, expected nothing more", s.Name(), m.Payload)
	}
}

func number(tb testing.TB, m *channellayer.Message) int {
	tb.Helper()
	n, err := channellayer.Value[int](m)
	if err != nil {
		tb.Fatal(err)
	}
	return n
}

// expectNothing waits for a second, which is to pass in virtual time.
func expectNothing(t *testing.T, s *channellayer.Subscription) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if m, err := s.Receive(ctx); err == nil {
		t.Fatalf("%s: got %s, expected nothing", s.Name(), m.Payload)
	}
}
