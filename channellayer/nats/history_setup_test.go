package nats_test

import (
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	client "github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/portico-go/portico/channellayer"
	"github.com/portico-go/portico/channellayer/nats"
	"github.com/portico-go/portico/channellayer/workqueue"
)

// manage connects as somebody does who looks after the server.
func manage(t *testing.T, url string) jetstream.JetStream {
	t.Helper()
	conn, err := client.Connect(url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	js, err := jetstream.New(conn)
	if err != nil {
		t.Fatal(err)
	}
	return js
}

// logHub returns a hub in which all groups have history, or the error of New.
func logHub(t *testing.T, url string, h channellayer.History) (*channellayer.Hub, error) {
	t.Helper()
	h.Pattern = "*"
	hub, err := channellayer.New(channellayer.Config{Broker: open(t, url), History: []channellayer.History{h}})
	if err == nil {
		t.Cleanup(func() { _ = hub.Close() })
	}
	return hub, err
}

var anHour = channellayer.History{Size: 10, Age: time.Hour}

// A server that is not fit for history is an error of New, that says what to do; without history it is fit.
func TestUnfitServers(t *testing.T) {
	t.Parallel()
	plain := launch(t, server.Options{})
	if _, err := logHub(t, plain.url(), anHour); err == nil || !strings.Contains(err.Error(), "start it with -js") {
		t.Errorf("without JetStream: %v, expected what to do", err)
	}
	hub(t, plain.url())
	store := newJobStore(t, nats.JobStoreOptions{URL: plain.url()})
	if _, err := store.Put(t.Context(), &workqueue.Job{ID: "1", Channel: "c", Type: "t"}, 0, false); err == nil || !strings.Contains(err.Error(), "start it with -js") {
		t.Errorf("jobs without JetStream: %v, expected what to do", err)
	}

	s := launch(t, jetStream(t))
	js := manage(t, s.url())
	for what, c := range map[string]jetstream.StreamConfig{
		"the subjects":    {Subjects: []string{"portico.log.>"}, AllowDirect: true},
		"no republishing": {Subjects: []string{"portico.log.E.>"}, AllowDirect: true},
		"no direct access": {
			Subjects:  []string{"portico.log.E.>"},
			RePublish: &jetstream.RePublish{Source: "portico.log.E.>", Destination: "portico.h.>"},
		},
	} {
		c.Name = "portico~history"
		if _, err := js.CreateStream(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		if _, err := logHub(t, s.url(), anHour); err == nil || !strings.Contains(err.Error(), what) || !strings.Contains(err.Error(), "edit it, or delete it") {
			t.Errorf("a stream that has %s: %v, expected that it says so", what, err)
		}
		if err := js.DeleteStream(t.Context(), c.Name); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "portico~jobs", Subjects: []string{"portico.jobs.>"}}); err != nil {
		t.Fatal(err)
	}
	store = newJobStore(t, nats.JobStoreOptions{URL: s.url()})
	if _, err := store.Put(t.Context(), &workqueue.Job{ID: "1", Channel: "c", Type: "t"}, 0, false); err == nil || !strings.Contains(err.Error(), "the subjects") {
		t.Errorf("jobs in somebody's stream: %v, expected that it says so", err)
	}
	for _, o := range []nats.Options{{History: nats.StreamOptions{Replicas: 6}}, {History: nats.StreamOptions{MaxBytes: -1}}} {
		o.URL = "nats://127.0.0.1"
		if _, err := nats.New(o); err == nil || !strings.Contains(err.Error(), "History") {
			t.Errorf("%+v: %v, expected an error that names History", o.History, err)
		}
	}
}

// The stream keeps as much as the greatest rule of any node asks for, and never less.
func TestStreamGrows(t *testing.T) {
	t.Parallel()
	s := launch(t, jetStream(t))
	js := manage(t, s.url())
	for _, c := range []struct {
		rule channellayer.History
		size int64
		age  time.Duration
	}{
		{anHour, 11, 10 * time.Hour},
		{channellayer.History{Size: 5, Age: 2 * time.Hour}, 11, 20 * time.Hour},
		{channellayer.History{Size: 50, Age: time.Second}, 51, 20 * time.Hour},
	} {
		if _, err := logHub(t, s.url(), c.rule); err != nil {
			t.Fatal(err)
		}
		stream, err := js.Stream(t.Context(), "portico~history")
		if err != nil {
			t.Fatal(err)
		}
		if got := stream.CachedInfo().Config; got.MaxMsgsPerSubject != c.size || got.MaxAge != c.age {
			t.Errorf("after %+v the stream keeps %d for %v, expected %d for %v", c.rule, got.MaxMsgsPerSubject, got.MaxAge, c.size, c.age)
		}
	}
}

// say sends a number to the group, and returns its position.
func say(t *testing.T, h *channellayer.Hub, n int) channellayer.Position {
	t.Helper()
	d, err := h.GroupSend(t.Context(), "g", channellayer.Event{Type: "t", Value: n})
	if err != nil {
		t.Fatal(err)
	}
	return d.Position
}

// recovers checks that a recovery is exact or says why not, and has these numbers.
func recovers(t *testing.T, h *channellayer.Hub, after channellayer.Position, gap channellayer.Gap, want ...int) {
	t.Helper()
	r, err := h.Recover(t.Context(), "g", after)
	if err != nil {
		t.Fatal(err)
	}
	var got []int
	for page, err := r.Next(t.Context()); len(page) > 0 || err != nil; page, err = r.Next(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range page {
			n, _ := channellayer.Value[int](m)
			got = append(got, n)
		}
	}
	if r.Gap != gap || r.Recovered != (gap == channellayer.GapNone) || len(got) != len(want) || len(want) > 0 && got[0] != want[0] {
		t.Errorf("from %v: gap %v and %v, expected gap %v and %v", after, r.Gap, got, gap, want)
	}
}

// A stream that somebody deletes, or takes entries out of, is found out: at once by who sends, and by whoever recovers.
func TestStreamMeddledWith(t *testing.T) {
	t.Parallel()
	s := launch(t, jetStream(t))
	js := manage(t, s.url())
	h, err := logHub(t, s.url(), anHour)
	if err != nil {
		t.Fatal(err)
	}
	first, second := say(t, h, 1), say(t, h, 2)
	recovers(t, h, first, channellayer.GapNone, 2)

	stream, err := js.Stream(t.Context(), "portico~history")
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.Purge(t.Context(), jetstream.WithPurgeKeep(1)); err != nil {
		t.Fatal(err)
	}
	recovers(t, h, first, channellayer.GapTrimmed, 2)
	recovers(t, h, second, channellayer.GapNone)
	if err := stream.Purge(t.Context()); err != nil {
		t.Fatal(err)
	}
	recovers(t, h, second, channellayer.GapTrimmed)
	third := say(t, h, 3)
	recovers(t, h, second, channellayer.GapTrimmed, 3)

	if err := js.DeleteStream(t.Context(), "portico~history"); err != nil {
		t.Fatal(err)
	}
	fourth := say(t, h, 4) // into a new one
	if fourth.Epoch == third.Epoch {
		t.Errorf("the new stream has the epoch %s of the old one", third.Epoch)
	}
	recovers(t, h, third, channellayer.GapEpoch, 4)
	recovers(t, h, fourth, channellayer.GapNone)
}

// A log that lost its end, as a stream does that is restored from a backup, and went on is found out by the tag.
func TestStreamRestored(t *testing.T) {
	t.Parallel()
	s := launch(t, jetStream(t))
	h, err := logHub(t, s.url(), anHour)
	if err != nil {
		t.Fatal(err)
	}
	kept, lost := say(t, h, 1), say(t, h, 2)
	js := manage(t, s.url())
	stream, err := js.Stream(t.Context(), "portico~history")
	if err != nil {
		t.Fatal(err)
	}
	config := stream.CachedInfo().Config
	one, err := stream.GetMsg(t.Context(), kept.Offset)
	if err != nil {
		t.Fatal(err)
	}
	if err := js.DeleteStream(t.Context(), config.Name); err != nil {
		t.Fatal(err)
	}
	config.FirstSeq = kept.Offset
	if _, err := js.CreateStream(t.Context(), config); err != nil {
		t.Fatal(err)
	}
	if _, err := js.PublishMsg(t.Context(), &client.Msg{Subject: one.Subject, Header: one.Header, Data: one.Data}); err != nil {
		t.Fatal(err)
	}
	recovers(t, h, kept, channellayer.GapNone)
	recovers(t, h, lost, channellayer.GapLost, 1)
	say(t, h, 3)
	recovers(t, h, kept, channellayer.GapNone, 3)
	recovers(t, h, lost, channellayer.GapLost, 1, 3)
}

// Where a group ended is known for longer than the stream keeps its entries, as long as somebody asks.
func TestSilentGroup(t *testing.T) {
	t.Parallel()
	s := launch(t, jetStream(t))
	var later atomic.Int64
	b := open(t, s.url())
	nats.SetClock(b, func() time.Time { return time.Now().Add(time.Duration(later.Load())) })
	h, err := channellayer.New(channellayer.Config{Broker: b, History: []channellayer.History{{Pattern: "*", Size: 10, Age: time.Hour}}})
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	stream, err := manage(t, s.url()).Stream(t.Context(), "portico~history")
	if err != nil {
		t.Fatal(err)
	}
	last := say(t, h, 1)
	later.Store(int64(6 * time.Hour))
	recovers(t, h, last, channellayer.GapNone)
	if err := stream.DeleteMsg(t.Context(), last.Offset); err != nil { // as its age will have it
		t.Fatal(err)
	}
	recovers(t, h, last, channellayer.GapNone)
	later.Store(0)
	say(t, h, 2)
	recovers(t, h, last, channellayer.GapNone, 2)
	say(t, h, 3)
	recovers(t, h, last, channellayer.GapNone, 2, 3)
	recovers(t, h, channellayer.Position{}, channellayer.GapNoPosition, 2, 3)
}

// A group that keeps less than another one, or for less long, is read without what the stream has beyond that.
func TestStreamKeepsMore(t *testing.T) {
	t.Parallel()
	s := launch(t, jetStream(t))
	large, err := logHub(t, s.url(), channellayer.History{Size: 10_000, Age: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	small, err := logHub(t, s.url(), channellayer.History{Size: 3, Age: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	for n := range 500 {
		say(t, large, n)
	}
	now := time.Now().Add(time.Minute)
	last := say(t, large, 500)
	b := open(t, s.url())
	nats.SetClock(b, func() time.Time { return now })
	brief, err := channellayer.New(channellayer.Config{Broker: b, History: []channellayer.History{{Pattern: "*", Size: 10_000, Age: time.Minute}}})
	if err != nil {
		t.Fatal(err)
	}
	defer brief.Close()
	recovers(t, brief, channellayer.Position{}, channellayer.GapNoPosition, 500)
	recovers(t, large, channellayer.Position{}, channellayer.GapNoPosition, numbers(0, 501)...)
	recovers(t, small, channellayer.Position{}, channellayer.GapNoPosition, 498, 499, 500)
	say(t, large, 501)
	recovers(t, small, last, channellayer.GapNone, 501)
	recovers(t, large, channellayer.Position{}, channellayer.GapNoPosition, 498, 499, 500, 501)
}

func numbers(from, to int) []int {
	var all []int
	for n := from; n < to; n++ {
		all = append(all, n)
	}
	return all
}

// What the server, or the stream, can never take is told apart from what it cannot take now.
func TestTooLargeForTheLog(t *testing.T) {
	t.Parallel()
	s := launch(t, jetStream(t))
	h, err := logHub(t, s.url(), anHour)
	if err != nil {
		t.Fatal(err)
	}
	refused := func(size int) {
		t.Helper()
		_, err := h.GroupSend(t.Context(), "g", channellayer.Event{Type: "t", Value: strings.Repeat("x", size)})
		if !errors.Is(err, channellayer.ErrTooLarge) || errors.Is(err, channellayer.ErrBrokerDown) {
			t.Errorf("%d bytes: %v, expected ErrTooLarge", size, err)
		}
	}
	refused(8 << 20)
	js := manage(t, s.url())
	stream, err := js.Stream(t.Context(), "portico~history")
	if err != nil {
		t.Fatal(err)
	}
	config := stream.CachedInfo().Config
	config.MaxMsgSize = 10_000
	if _, err := js.UpdateStream(t.Context(), config); err != nil {
		t.Fatal(err)
	}
	refused(10_000)
	say(t, h, 1)
}

// What somebody else puts into a log has its place there, and is nobody's message.
func TestForeignEntries(t *testing.T) {
	t.Parallel()
	s := launch(t, jetStream(t))
	h, err := logHub(t, s.url(), anHour)
	if err != nil {
		t.Fatal(err)
	}
	sub, err := h.Subscribe("c", nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := sub.Join(t.Context(), "g"); err != nil {
		t.Fatal(err)
	}
	first := say(t, h, 1)
	if _, err := manage(t, s.url()).Publish(t.Context(), "portico.log."+first.Epoch+".g", []byte("foreign")); err != nil {
		t.Fatal(err)
	}
	recovers(t, h, first, channellayer.GapNone)
	say(t, h, 2)
	recovers(t, h, first, channellayer.GapNone, 2)
	for want := 1; want <= 2; want++ {
		m, err := sub.Receive(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if n, err := channellayer.Value[int](m); err != nil || n != want {
			t.Errorf("got %v %q (%v), expected %d", m.Kind, m.Type, err, want)
		}
	}
	if stray := h.Stats().Stray; stray == 0 {
		t.Error("nothing was counted as stray")
	}
}
