package channellayer_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/portico-go/portico/channellayer"
	"github.com/portico-go/portico/channellayer/layertest"
)

// A stubborn broker does what its loopback does, unless it is told to fail, and notes what it was asked for.
type stubborn struct {
	channellayer.Broker
	receiver channellayer.Receiver

	mu    sync.Mutex
	fail  error
	calls []string
	hang  bool
}

func (b *stubborn) Start(ctx context.Context, r channellayer.Receiver) error {
	b.receiver = r
	if err := b.failing(); err != nil {
		return err
	}
	return b.Broker.Start(ctx, r)
}

func (b *stubborn) Subscribe(ctx context.Context, subjects ...string) error {
	if b.note(fmt.Sprint("+", len(subjects), " ", subjects[0])) {
		<-ctx.Done()
		return ctx.Err()
	}
	if err := b.failing(); err != nil {
		return err
	}
	return b.Broker.Subscribe(ctx, subjects...)
}

func (b *stubborn) Unsubscribe(ctx context.Context, subjects ...string) error {
	b.note(fmt.Sprint("-", len(subjects), " ", subjects[0]))
	if err := b.failing(); err != nil {
		return err
	}
	return b.Broker.Unsubscribe(ctx, subjects...)
}

func (b *stubborn) note(call string) (hang bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.calls = append(b.calls, call)
	return b.hang
}

func (b *stubborn) failing() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.fail
}

func (b *stubborn) set(fail error, hang bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.fail, b.hang = fail, hang
}

// asked returns the calls since the last time.
func (b *stubborn) asked() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	calls := b.calls
	b.calls = nil
	return calls
}

// stubbornHub returns a hub with such a broker, to be used in a bubble.
func stubbornHub(t *testing.T, c channellayer.Config) (*channellayer.Hub, *stubborn) {
	t.Helper()
	b := &stubborn{Broker: new(layertest.Loopback).Broker()}
	c.Broker = b
	h := newHub(t, c)
	synctest.Wait()
	b.asked()
	return h, b
}

func TestLinger(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h, b := stubbornHub(t, channellayer.Config{Linger: 10 * time.Second})
		s := subscribe(t, h, "c", "g")
		leave(t, s, "g")
		time.Sleep(9 * time.Second)
		join(t, s, "g") // in time: the broker is not asked
		time.Sleep(time.Minute)
		leave(t, s, "g")
		time.Sleep(9 * time.Second)
		if got := b.asked(); !slices.Equal(got, []string{"+1 g.g"}) {
			t.Errorf("the broker was asked %q", got)
		}
		time.Sleep(2 * time.Second)
		if got := b.asked(); !slices.Equal(got, []string{"-1 g.g"}) {
			t.Errorf("the broker was asked %q", got)
		}
		join(t, s, "g")
		if got := b.asked(); !slices.Equal(got, []string{"+1 g.g"}) {
			t.Errorf("the broker was asked %q", got)
		}
	})
}

// A broker that refuses a subscription is asked again, and more and more seldom; the membership counts here meanwhile.
func TestSubscriptionIsTriedAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h, b := stubbornHub(t, channellayer.Config{})
		errNo := errors.New("no")
		b.set(errNo, false)
		s := subscribe(t, h, "c")
		if err := s.Join(t.Context(), "g"); !errors.Is(err, channellayer.ErrBrokerDown) || !errors.Is(err, errNo) {
			t.Errorf("a join got %v, expected ErrBrokerDown and the broker's reason", err)
		}
		groupSend(t, h, "g", 1)
		expect(t, s, 1)
		time.Sleep(time.Minute)
		if n := len(b.asked()); n < 25 || n > 70 {
			t.Errorf("the broker was asked %d times in a minute", n)
		}
		b.set(nil, false)
		time.Sleep(2 * time.Second)
		join(t, s, "g")
		b.asked()
		time.Sleep(time.Minute)
		if got := b.asked(); len(got) > 0 {
			t.Errorf("the broker was asked %q once more", got)
		}
		b.set(errNo, false)
		leave(t, s, "g")
		time.Sleep(time.Minute)
		b.set(nil, false)
		time.Sleep(2 * time.Second)
		if got := b.asked(); len(got) < 2 || strings.Trim(strings.Join(got, ""), "-1 g.") != "" {
			t.Errorf("the broker was asked %q to unsubscribe", got)
		}
		time.Sleep(time.Minute)
		if got := b.asked(); len(got) > 0 {
			t.Errorf("the broker was asked %q once more", got)
		}
	})
}

// A broker that does not answer holds a join up for seconds, and one that goes holds it up no longer.
func TestJoinDoesNotWaitForEver(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h, b := stubbornHub(t, channellayer.Config{})
		b.set(nil, true)
		s := subscribe(t, h, "c")
		begin := time.Now()
		if err := s.Join(t.Context(), "g"); !errors.Is(err, channellayer.ErrBrokerDown) {
			t.Errorf("a join got %v, expected ErrBrokerDown", err)
		}
		if took := time.Since(begin); took > 6*time.Second {
			t.Errorf("a join took %v", took)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := s.Join(ctx, "h"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a join got %v, expected its context's error", err)
		}
		groupSend(t, h, "h", 1) // and yet it holds
		expect(t, s, 1)
		begin = time.Now()
		time.AfterFunc(time.Second, func() { b.receiver.Down(errors.New("gone")) })
		if err := s.Join(t.Context(), "i"); !errors.Is(err, channellayer.ErrBrokerDown) || !strings.Contains(err.Error(), "gone") {
			t.Errorf("a join got %v, expected ErrBrokerDown: gone", err)
		}
		if took := time.Since(begin); took != time.Second {
			t.Errorf("a join took %v after the broker had gone", took-time.Second)
		}
	})
}

// An Up without a Down is a gap all the same.
func TestUpAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h, b := stubbornHub(t, channellayer.Config{})
		s := subscribe(t, h, "c", "g")
		b.receiver.Up()
		synctest.Wait()
		for _, up := range []bool{false, true} {
			m, _ := s.Next()
			if ev, ok := m.Layer(); !ok || ev.Up != up {
				t.Errorf("got %+v, expected Up %v", ev, up)
			}
		}
		if got := b.asked(); !slices.Equal(got, []string{"+1 g.g", "+2 n." + node(h)}) && !slices.Equal(got, []string{"+1 g.g", "+2 g.g"}) {
			t.Errorf("the broker was asked %q", got)
		}
	})
}

// node returns the id of a hub.
func node(h *channellayer.Hub) string {
	name := h.NewChannel("x")
	return name[2:strings.Index(name, "!")]
}

func TestBrokerThatCannotStart(t *testing.T) {
	t.Parallel()
	errNo := errors.New("no such option")
	b := &stubborn{Broker: new(layertest.Loopback).Broker(), fail: errNo}
	if h, err := channellayer.New(channellayer.Config{Broker: b}); h != nil || !errors.Is(err, errNo) {
		t.Errorf("got %v, %v; expected the broker's error", h, err)
	}
}

// What is no envelope of a node, or for nobody here, is counted and nothing else.
func TestStray(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h, b := stubbornHub(t, channellayer.Config{})
		s := subscribe(t, h, h.NewChannel("x"), "g")
		from := func(fields ...channellayer.Field) []byte {
			return channellayer.AppendEnvelope(nil, &channellayer.Message{Type: "t", Payload: []byte("1"), Header: fields})
		}
		other := channellayer.Field{Key: "portico-node", Value: "ANOTHERNODE22"}
		self := channellayer.Field{Key: "portico-node", Value: node(h)}
		inbox := "n." + node(h)
		to := func(channel string) channellayer.Field {
			return channellayer.Field{Key: "portico-channel", Value: channel}
		}
		stray := []struct {
			subject  string
			envelope []byte
		}{
			{"g.g", nil},
			{"g.g", []byte("\x01")},
			{"g.g", []byte("\x02\x00\x01t\x00\x00")},
			{"g.g", bytes.Repeat([]byte("\xff"), 50)},
			{"g.g", from()},
			{"g.g", from(to(s.Name()), other)},
			{"g._zz", from(other)},
			{"x.g", from(other)},
			{"n.ANOTHERNODE22", from(other, to(s.Name()))},
			{inbox, from(other)},
			{inbox, from(other, to("x."+node(h)+"!GONE"))},
			{inbox, from(other, channellayer.Field{Key: "k"}, to(s.Name()))},
		}
		for _, e := range stray {
			b.receiver.Message(e.subject, e.envelope)
		}
		b.receiver.Message("g.g", from(self)) // its own: members have had it
		b.receiver.Message("g.empty", from(other))
		expect(t, s)
		if got := h.Stats().Stray; got != uint64(len(stray)) {
			t.Errorf("%d stray envelopes are counted, expected %d", got, len(stray))
		}
		b.receiver.Message("g.g", from(other))
		b.receiver.Message(inbox, from(other, to(s.Name())))
		expect(t, s, 1, 1)
	})
}

// A header that is full for the application has room for the layer's own fields.
func TestFullHeaderCrosses(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var server layertest.Loopback
		a := newHub(t, channellayer.Config{Broker: server.Broker()})
		b := newHub(t, channellayer.Config{Broker: server.Broker()})
		s := subscribe(t, b, b.NewChannel("x"))
		header := make(channellayer.Header, channellayer.MaxHeaders)
		for i := range header {
			header[i] = channellayer.Field{Key: fmt.Sprint("k", i)}
		}
		header[0].Key = "portico-node" // the application's own, whatever it is called
		if err := a.Send(t.Context(), s.Name(), channellayer.Event{Type: "t", Header: header}); err != nil {
			t.Fatal(err)
		}
		if m, ok := s.Next(); !ok || !slices.Equal(m.Header, header) {
			t.Errorf("got %v", m)
		}
	})
}

// Names that look like a node's channel, and are not, stay in this process.
func TestWhoseChannel(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h, _ := stubbornHub(t, channellayer.Config{})
		for name, want := range map[string]error{
			"x.AAAAAAAAAAAAA!y":      nil, // another node's
			"a!b.c.AAAAAAAAAAAAA!y":  nil,
			"x.AAAAAAAAAAAA!y":       channellayer.ErrNoSubscriber, // a digit too short
			"x.AAAAAAAAAAAAAA!y":     channellayer.ErrNoSubscriber,
			"x.aaaaaaaaaaaaa!y":      channellayer.ErrNoSubscriber,
			"x.AAAAAA AAAAAA!y":      channellayer.ErrNoSubscriber,
			"!":                      channellayer.ErrNoSubscriber,
			"x." + node(h) + "!gone": channellayer.ErrNoSubscriber,
		} {
			if err := h.Send(t.Context(), name, event(1)); !errors.Is(err, want) {
				t.Errorf("%s: %v, expected %v", name, err, want)
			}
		}
	})
}

// The bytes of the specification's example are those that travel.
func TestSpecifiedEnvelope(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../docs/channel-layer.md")
	if err != nil {
		t.Fatal(err)
	}
	got := channellayer.AppendEnvelope(nil, &channellayer.Message{
		Type: "t", Payload: []byte("1"), Header: channellayer.Header{{Key: "portico-node", Value: "AAAAAAAAAAAAA"}},
	})
	if want := fmt.Sprintf("% x", got); !strings.Contains(strings.ReplaceAll(string(page), "  ", " "), want) {
		t.Errorf("the page does not have %s", want)
	}
}
