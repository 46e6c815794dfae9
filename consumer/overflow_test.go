package consumer_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/portico-go/portico/channellayer"
	"github.com/portico-go/portico/consumer"
	"github.com/portico-go/portico/protocol"
)

// price is a broadcast of which only the latest of a symbol counts.
type price struct {
	Symbol string
	Cents  int
}

func ofSymbol(p price) string { return p.Symbol }

// What becomes of a broadcast for a slow client goes by its group and type; what is sent
// to one client is not concerned.
func TestOverflowOfBroadcasts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hub := newHub(t)
		type failure struct{ event, err string }
		var unhandled []failure
		app := &consumer.Messages[struct{}]{
			Layer:  hub,
			Groups: []string{"all", "prices/a", "prices/b"},
			Overflow: []consumer.Overflow{
				{Group: "prices/*", Type: "price", Policy: protocol.KeepLatest, Key: consumer.Key(ofSymbol)},
				{Group: "prices/?", Type: "halt", Policy: protocol.CloseSlow},
				{Group: "prices/*", Policy: protocol.KeepLatest},
				{Type: "typing", Policy: protocol.DropNewest},
				{Type: "typing", Policy: protocol.DropOldest},
			},
			Unhandled: func(m *channellayer.Message, err error) {
				unhandled = append(unhandled, failure{m.Type, err.Error()})
			},
		}
		c := connect(t, app, "/")
		receive := func() *protocol.Message {
			t.Helper()
			ev, err := c.Receive()
			must(t, err)
			return ev.(*protocol.Message)
		}
		keys := map[string]bool{}
		for _, tt := range []struct {
			group, event string
			value        any
			want         protocol.Overflow
			seen         bool // the key was used before
		}{
			{"prices/a", "price", price{"X", 1}, protocol.KeepLatest, false},
			{"prices/a", "price", price{"X", 2}, protocol.KeepLatest, true},
			{"prices/a", "price", price{"Y", 1}, protocol.KeepLatest, false},
			{"prices/b", "price", price{"X", 1}, protocol.KeepLatest, false},
			{"prices/b", "volume", 7, protocol.KeepLatest, false},
			{"prices/b", "volume", 8, protocol.KeepLatest, true},
			{"prices/a", "halt", nil, protocol.CloseSlow, true},
			{"all", "typing", nil, protocol.DropNewest, true},
			{"all", "said", "hi", protocol.DefaultOverflow, true},
		} {
			if _, err := hub.Broadcast(t.Context(), tt.group, channellayer.Event{Type: tt.event, Value: tt.value}); err != nil {
				t.Fatal(err)
			}
			m := receive()
			if m.Overflow != tt.want || (m.Key != "") != (tt.want == protocol.KeepLatest) {
				t.Errorf("%s to %s is sent with %v and the key %q, want %v", tt.event, tt.group, m.Overflow, m.Key, tt.want)
			}
			if m.Key != "" && keys[m.Key] != tt.seen {
				t.Errorf("%s %v to %s: the key %q was seen before: %v, want %v", tt.event, tt.value, tt.group, m.Key, keys[m.Key], tt.seen)
			}
			keys[m.Key] = true
		}
		if _, err := hub.Broadcast(t.Context(), "prices/a", channellayer.Event{Type: "price", Value: "cheap"}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if !c.ReceiveNothing(time.Second) || len(unhandled) != 1 || !strings.Contains(unhandled[0].err, "consumer_test.price") {
			t.Errorf("a broadcast without a key: unhandled = %v", unhandled)
		}
		must(t, c.Conn().SendText("direct"))
		if m := receive(); m.Overflow != protocol.DefaultOverflow || m.Key != "" {
			t.Errorf("a direct message is sent with %v and the key %q", m.Overflow, m.Key)
		}
	})
}

func TestCheckFindsFaultsOfOverflow(t *testing.T) {
	for _, tt := range []struct {
		overflow consumer.Overflow
		want     string
	}{
		{consumer.Overflow{Group: "g"}, "no Policy"},
		{consumer.Overflow{Policy: protocol.KeepLatest + 1}, "no Policy"},
		{consumer.Overflow{Group: "[a", Policy: protocol.DropNewest}, `"[a"`},
		{consumer.Overflow{Type: "[b", Policy: protocol.DropNewest}, `"[b"`},
		{consumer.Overflow{Policy: protocol.DropOldest, Key: consumer.Key(ofSymbol)}, "KeepLatest"},
	} {
		app := &consumer.Messages[struct{}]{Overflow: []consumer.Overflow{tt.overflow}}
		if err := protocol.Check(app); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("Check of %+v = %v, want it to mention %s", tt.overflow, err, tt.want)
		}
	}
}
