package layertest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/portico-go/portico/channellayer"
)

// aloneClauses hold for one node, whatever is behind it.
var aloneClauses = []clause{
	{"ChannelInOrder", channelInOrder},
	{"OneReaderPerChannel", oneReaderPerChannel},
	{"GroupInOrder", groupInOrder},
	{"GroupAtMostOnce", groupAtMostOnce},
	{"Except", except},
	{"Where", where},
	{"Leave", leave},
	{"CapacityPerSubscriber", capacityPerSubscriber},
	{"Expiry", expiry},
	{"Names", names},
	{"Kinds", kinds},
	{"CancelledContext", cancelledContext},
	{"Close", closeHub},
}

func channelInOrder(s *suite) {
	n := s.node(channellayer.Config{})
	sub := s.member(n)
	for i := range 50 {
		if err := n.Send(s.ctx, sub.Name(), number(i)); err != nil {
			s.Fatal(err)
		}
	}
	for i := range 50 {
		s.expect(sub, i)
	}
	s.empty(sub)
}

func oneReaderPerChannel(s *suite) {
	n := s.node(channellayer.Config{})
	sub := s.member(n)
	if _, err := n.Subscribe(sub.Name(), nil); !errors.Is(err, channellayer.ErrSubscribed) {
		s.Errorf("a second reader got %v, expected ErrSubscribed", err)
	}
	sub.Close()
	if err := n.Send(s.ctx, sub.Name(), number(1)); !errors.Is(err, channellayer.ErrNoSubscriber) {
		s.Errorf("a send to a personal channel without its reader got %v, expected ErrNoSubscriber", err)
	}
}

func groupInOrder(s *suite) {
	n := s.node(channellayer.Config{})
	subs := []*channellayer.Subscription{s.member(n, s.group("g")), s.member(n, s.group("g"))}
	for i := range 50 {
		if d := s.groupSend(n, s.group("g"), i); d.Delivered != 2 || d.Dropped != 0 {
			s.Fatalf("send %d: %+v, expected 2 delivered", i, d)
		}
	}
	for i := range 50 {
		s.expect(subs[0], i)
		s.expect(subs[1], i)
	}
}

// A member gets each send once, however often it has joined, and also when the broker returns a node's own messages.
func groupAtMostOnce(s *suite) {
	n := s.node(channellayer.Config{})
	sub := s.member(n, s.group("g"), s.group("g"))
	s.groupSend(n, s.group("g"), 1)
	s.echoed(n, sub)
	s.expect(sub, 1)
	s.empty(sub)
}

// echoed returns when whatever a node's broker returned of the node's own sends has come: a message from
// another node follows it.
func (s *suite) echoed(n *node, sub *channellayer.Subscription) {
	s.Helper()
	if s.Broker == nil {
		return
	}
	other := s.node(channellayer.Config{})
	mark := s.member(n, s.group("mark"))
	for _, g := range []string{s.group("mark"), s.group("g")} {
		s.groupSend(other, g, -1, channellayer.Except(sub.Name()))
	}
	s.expect(mark, -1)
}

func except(s *suite) {
	n := s.node(channellayer.Config{})
	a, b := s.member(n, s.group("g")), s.member(n, s.group("g"))
	if d := s.groupSend(n, s.group("g"), 1, channellayer.Except(a.Name())); d.Delivered != 1 {
		s.Errorf("%+v, expected 1 delivered", d)
	}
	s.expect(b, 1)
	s.empty(a)
}

func where(s *suite) {
	n := s.node(channellayer.Config{})
	in, out := s.described(n, "admin"), s.described(n, "guest")
	if d := s.groupSend(n, s.group("g"), 1, channellayer.Where("role", "admin")); d.Delivered != 1 || d.Dropped != 0 {
		s.Errorf("%+v, expected 1 delivered", d)
	}
	s.expect(in, 1)
	s.empty(out)
}

// described returns a member of the group g that has this role.
func (s *suite) described(n *node, role string) *channellayer.Subscription {
	s.Helper()
	sub := s.member(n, s.group("g"))
	if err := sub.SetMetadata(map[string]string{"role": role}); err != nil {
		s.Fatal(err)
	}
	return sub
}

func leave(s *suite) {
	n := s.node(channellayer.Config{})
	sub := s.member(n, s.group("g"), s.group("h"))
	s.groupSend(n, s.group("g"), 1)
	s.leave(sub, s.group("g"))
	s.leave(sub, s.group("g")) // again, and one never joined: nothing
	s.leave(sub, s.group("never"))
	if d := s.groupSend(n, s.group("g"), 2); d.Delivered != 0 {
		s.Errorf("%+v after the last has left", d)
	}
	s.groupSend(n, s.group("h"), 3)
	s.expect(sub, 1, 3)
	s.empty(sub)
}

func capacityPerSubscriber(s *suite) {
	n := s.node(channellayer.Config{Capacity: 3})
	slow, quick := s.member(n, s.group("g")), s.member(n, s.group("g"))
	for i := range 5 {
		d := s.groupSend(n, s.group("g"), i)
		if want := (channellayer.Delivery{Delivered: 2}); i < 3 && d != want {
			s.Errorf("send %d: %+v, expected %+v", i, d, want)
		}
		if want := (channellayer.Delivery{Delivered: 1, Dropped: 1}); i >= 3 && d != want {
			s.Errorf("send %d: %+v, expected %+v", i, d, want)
		}
		s.expect(quick, i)
	}
	err := n.Send(s.ctx, slow.Name(), number(9))
	if full, ok := errors.AsType[*channellayer.ChannelFullError](err); !ok || full.Capacity != 3 {
		s.Errorf("a send to a full channel got %v, expected a ChannelFullError", err)
	}
	s.expect(slow, 0, 1, 2)
	s.empty(slow)
}

func expiry(s *suite) {
	const life = 20 * time.Millisecond
	n := s.node(channellayer.Config{Expiry: life})
	sub := s.member(n, s.group("g"))
	s.groupSend(n, s.group("g"), 1)
	time.Sleep(2 * life)
	s.empty(sub)
	if got := n.Stats().Expired; got != 1 {
		s.Errorf("%d expired messages are counted, expected 1", got)
	}
}

// oddNames are names that some broker could take for a pattern, a hash tag or a separator.
var oddNames = []string{
	"a", "A", "a b", "a.b", "a.*", "a.>", ">", "*", "a:b", "{a}", "{a}b", "a/b", "a!b", "a_b", "a_5fb", "é", "e\u0301", "日本語", "🚪",
	"alice@example.com", "_", "-", ".", "..", "$SYS", "[a-z]", "a?", `a\b`, "%41", strings.Repeat("x", channellayer.MaxName), strings.Repeat("界", 85),
}

func names(s *suite) {
	n := s.node(channellayer.Config{})
	for _, name := range oddNames {
		sub := s.member(n, name)
		s.groupSend(n, name, 1)
		s.expect(sub, 1)
		sub.Close()
	}
	for _, name := range []string{"", "a\n", "\x00", "\xff", strings.Repeat("x", channellayer.MaxName+1)} {
		if _, err := n.GroupSend(s.ctx, name, number(1)); !errors.Is(err, channellayer.ErrInvalidName) {
			s.Errorf("group %q: %v, expected ErrInvalidName", name, err)
		}
	}
}

func kinds(s *suite) {
	n := s.node(channellayer.Config{})
	sub := s.member(n, s.group("g"))
	s.sendKinds(n, s.group("g"))
	s.expectKinds(sub)
}

// sendKinds sends an event and a broadcast with all that they can carry.
func (s *suite) sendKinds(n *node, group string) {
	s.Helper()
	ev := channellayer.Event{Type: "kind.event", Value: map[string]int{"a": 1}, Header: channellayer.Header{{Key: "k", Value: "v"}, {Key: "k", Value: "\x00\xff"}}}
	if _, err := n.GroupSend(s.ctx, group, ev); err != nil {
		s.Fatal(err)
	}
	if _, err := n.Broadcast(s.ctx, group, channellayer.Event{Value: []string{"b"}}); err != nil {
		s.Fatal(err)
	}
}

func (s *suite) expectKinds(sub *channellayer.Subscription) {
	s.Helper()
	first := s.next(sub)
	s.checkKinds(first, s.next(sub))
}

func (s *suite) checkKinds(m, second *channellayer.Message) {
	s.Helper()
	v, err := channellayer.Value[map[string]int](m)
	if m.Kind != channellayer.KindEvent || m.Type != "kind.event" || err != nil || v["a"] != 1 {
		s.Errorf("got %v %q with %v (%v)", m.Kind, m.Type, v, err)
	}
	if want := (channellayer.Header{{Key: "k", Value: "v"}, {Key: "k", Value: "\x00\xff"}}); fmt.Sprint(m.Header) != fmt.Sprint(want) {
		s.Errorf("got header %q, expected %q", m.Header, want)
	}
	m = second
	list, err := channellayer.Value[[]string](m)
	if m.Kind != channellayer.KindBroadcast || m.Type != "" || err != nil || len(list) != 1 || list[0] != "b" || len(m.Header) != 0 {
		s.Errorf("got %v %q with %q and header %q (%v)", m.Kind, m.Type, m.Payload, m.Header, err)
	}
}

func cancelledContext(s *suite) {
	n := s.node(channellayer.Config{})
	sub := s.member(n, s.group("g"))
	ctx, cancel := context.WithCancel(s.ctx)
	cancel()
	if _, err := n.GroupSend(ctx, s.group("g"), number(1)); !errors.Is(err, context.Canceled) {
		s.Errorf("a send got %v, expected context.Canceled", err)
	}
	if err := sub.Join(ctx, s.group("h")); !errors.Is(err, context.Canceled) {
		s.Errorf("a join got %v, expected context.Canceled", err)
	}
	if _, err := sub.Receive(ctx); !errors.Is(err, context.Canceled) {
		s.Errorf("a receive got %v, expected context.Canceled", err)
	}
	s.empty(sub)
}

func closeHub(s *suite) {
	n := s.node(channellayer.Config{})
	sub := s.member(n, s.group("g"))
	var reader sync.WaitGroup
	reader.Go(func() {
		if _, err := sub.Receive(s.ctx); !errors.Is(err, channellayer.ErrClosed) {
			s.Errorf("a reader got %v, expected ErrClosed", err)
		}
	})
	if err := n.Close(); err != nil {
		s.Errorf("close: %v", err)
	}
	reader.Wait()
	if err := n.Close(); err != nil {
		s.Errorf("close again: %v", err)
	}
	if err := sub.Join(s.ctx, s.group("h")); !errors.Is(err, channellayer.ErrClosed) {
		s.Errorf("a join got %v, expected ErrClosed", err)
	}
	if _, err := n.GroupSend(s.ctx, s.group("g"), number(1)); !errors.Is(err, channellayer.ErrClosed) {
		s.Errorf("a send got %v, expected ErrClosed", err)
	}
}
