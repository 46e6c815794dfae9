package layertest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"

	"github.com/portico-go/portico/channellayer"
)

// togetherClauses hold for several nodes.
var togetherClauses = []clause{
	{"GroupAcrossNodes", groupAcrossNodes},
	{"SendersAcrossNodes", sendersAcrossNodes},
	{"OnePublish", onePublish},
	{"NoMembersNoDelivery", noMembersNoDelivery},
	{"LeaveAcrossNodes", leaveAcrossNodes},
	{"ExceptAcrossNodes", exceptAcrossNodes},
	{"WhereAcrossNodes", whereAcrossNodes},
	{"ChannelOfAnotherNode", channelOfAnotherNode},
	{"NamesAcrossNodes", namesAcrossNodes},
	{"KindsAcrossNodes", kindsAcrossNodes},
	{"BigPayload", bigPayload},
	{"SlowMemberElsewhere", slowMemberElsewhere},
	{"CloseOneNode", closeOneNode},
	{"RacingJoins", racingJoins},
}

func groupAcrossNodes(s *suite) {
	a, b := s.two()
	here, there, too := s.member(a, s.group("g")), s.member(b, s.group("g")), s.member(b, s.group("g"))
	for i := range 100 {
		if d := s.groupSend(a, s.group("g"), i); d.Delivered != 1 {
			s.Fatalf("send %d: %+v, expected the member here to be counted alone", i, d)
		}
	}
	for i := range 100 {
		s.expect(here, i)
		s.expect(there, i)
		s.expect(too, i)
	}
	s.groupSend(b, s.group("g"), 100)
	for _, sub := range []*channellayer.Subscription{here, there, too} {
		s.expect(sub, 100)
		s.empty(sub)
	}
}

// Several senders at a time, on both nodes: each one's messages come in its order, and each comes once.
func sendersAcrossNodes(s *suite) {
	const senders, each = 4, 100
	c := channellayer.Config{Capacity: 2 * senders * each}
	a, b := s.node(c), s.node(c)
	subs := []*channellayer.Subscription{s.member(a, s.group("g")), s.member(b, s.group("g"))}
	var group sync.WaitGroup
	for i := range senders {
		from := []*node{a, b}[i%2]
		group.Go(func() {
			for k := range each {
				if _, err := from.GroupSend(s.ctx, s.group("g"), number(i*each+k)); err != nil {
					s.Error(err)
				}
			}
		})
	}
	group.Wait()
	for _, sub := range subs {
		var seen [senders]int
		for range senders * each {
			v := s.value(s.next(sub))
			if from, k := v/each, v%each; seen[from] != k {
				s.Fatalf("sender %d: got message %d, expected %d", from, k, seen[from])
			}
			seen[v/each]++
		}
		s.empty(sub)
	}
}

// A group send is one publish, and one delivery per node, however many members there are.
func onePublish(s *suite) {
	a, b := s.two()
	const members = 20
	var subs []*channellayer.Subscription
	for range members {
		subs = append(subs, s.member(a, s.group("g")), s.member(b, s.group("g")))
	}
	published, received := a.tap.published.Load(), b.tap.received.Load()
	s.groupSend(a, s.group("g"), 1)
	for _, sub := range subs {
		s.expect(sub, 1)
	}
	if n := a.tap.published.Load() - published; n != 1 {
		s.Errorf("%d publishes for one send, expected 1", n)
	}
	if n := b.tap.received.Load() - received; n != 1 {
		s.Errorf("the other node received %d envelopes for one send, expected 1", n)
	}
}

func noMembersNoDelivery(s *suite) {
	a, b := s.two()
	sub := s.member(b, s.group("g"), s.group("mark"))
	s.leave(sub, s.group("g"))
	s.eventually("the node without members has unsubscribed", func() bool { return b.tap.subscribed.Load() == 2 }) // its inbox and mark
	before := b.tap.received.Load()
	for i := range 10 {
		s.groupSend(a, s.group("g"), i)
	}
	s.groupSend(a, s.group("mark"), 99)
	s.expect(sub, 99)
	if n := b.tap.received.Load() - before; n != 1 {
		s.Errorf("a node without members received %d envelopes, expected none but the mark", n-1)
	}
	s.join(sub, s.group("g")) // and back again
	s.groupSend(a, s.group("g"), 100)
	for got := -1; got != 100; { // what is still on its way may come as well: it is the group's
		if got = s.value(s.next(sub)); got > 9 && got != 100 {
			s.Fatalf("got %d, expected 100", got)
		}
	}
}

func leaveAcrossNodes(s *suite) {
	a, b := s.two()
	stays, leaves := s.member(b, s.group("g")), s.member(b, s.group("g"))
	s.groupSend(a, s.group("g"), 1)
	s.expect(leaves, 1)
	s.leave(leaves, s.group("g"))
	s.groupSend(a, s.group("g"), 2)
	s.expect(stays, 1, 2)
	s.empty(leaves)
}

func exceptAcrossNodes(s *suite) {
	a, b := s.two()
	out, in := s.member(b, s.group("g")), s.member(b, s.group("g"))
	s.groupSend(a, s.group("g"), 1, channellayer.Except(out.Name()))
	s.groupSend(a, s.group("g"), 2)
	s.expect(in, 1, 2)
	s.expect(out, 2)
}

// Each node goes by the conditions of a send, and by what its own members have said of themselves.
func whereAcrossNodes(s *suite) {
	a, b := s.two()
	admin, guest, silent := s.described(b, "admin"), s.described(b, "guest"), s.member(b, s.group("g"))
	notGuest := channellayer.Not(channellayer.Where("role", "guest"))
	s.groupSend(a, s.group("g"), 1, channellayer.Where("role", "admin", "owner"))
	s.groupSend(a, s.group("g"), 2, notGuest)
	s.groupSend(a, s.group("g"), 3, notGuest, channellayer.Except(admin.Name()))
	s.groupSend(a, s.group("g"), 4, channellayer.AnyOf(channellayer.Where("role", "guest"), channellayer.AllOf(notGuest, channellayer.Where("role"))))
	s.groupSend(a, s.group("g"), 5)
	s.expect(admin, 1, 2, 4, 5)
	s.expect(guest, 4, 5)
	s.expect(silent, 2, 3, 5)
}

func channelOfAnotherNode(s *suite) {
	a, b := s.two()
	sub, other := s.member(b), s.member(b)
	for i := range 50 {
		if err := a.Send(s.ctx, sub.Name(), channellayer.Event{Type: "number", Value: i, Header: channellayer.Header{{Key: "k", Value: "v"}}}); err != nil {
			s.Fatal(err)
		}
	}
	for i := range 50 {
		m := s.next(sub)
		if s.value(m) != i || len(m.Header) != 1 || m.Header.Get("k") != "v" {
			s.Fatalf("got %s with header %v, expected %d with k=v alone", m.Payload, m.Header, i)
		}
	}
	sub.Close()
	if err := a.Send(s.ctx, sub.Name(), number(1)); err != nil {
		s.Errorf("a sender does not learn that a channel of another node has gone, but got %v", err)
	}
	if err := a.Send(s.ctx, other.Name(), number(2)); err != nil {
		s.Fatal(err)
	}
	s.expect(other, 2)
}

// Each name reaches its own members only.
func namesAcrossNodes(s *suite) {
	a, b := s.two()
	subs := make([]*channellayer.Subscription, len(oddNames))
	for i, name := range oddNames {
		subs[i] = s.member(b, name)
	}
	for i, name := range oddNames {
		s.groupSend(a, name, i)
	}
	for i, sub := range subs {
		s.expect(sub, i)
	}
	for i, name := range oddNames { // whatever went astray has come before these
		s.groupSend(a, name, -i)
		s.expect(subs[i], -i)
	}
	for _, sub := range subs {
		s.empty(sub)
	}
}

func kindsAcrossNodes(s *suite) {
	a, b := s.two()
	sub := s.member(b, s.group("g"))
	s.sendKinds(a, s.group("g"))
	s.expectKinds(sub)
}

func bigPayload(s *suite) {
	a, b := s.two()
	sub := s.member(b, s.group("g"))
	want := strings.Repeat("big ", 1<<18)
	if _, err := a.GroupSend(s.ctx, s.group("g"), channellayer.Event{Type: "big", Value: want}); err != nil {
		s.Fatal(err)
	}
	if got, err := channellayer.Value[string](s.next(sub)); err != nil || got != want {
		s.Errorf("a mebibyte came as %d bytes (%v)", len(got), err)
	}
	s.groupSend(a, s.group("g"), 1)
	s.expect(sub, 1)
}

// A member that does not read loses its own messages, on its own node's count.
func slowMemberElsewhere(s *suite) {
	a, b := s.node(channellayer.Config{}), s.node(channellayer.Config{Capacity: 2})
	slow, quick := s.member(b, s.group("g")), s.member(b, s.group("g"))
	for i := range 6 {
		s.groupSend(a, s.group("g"), i)
		s.expect(quick, i)
	}
	s.expect(slow, 0, 1)
	s.empty(slow)
	if got := b.Stats().Dropped; got != 4 {
		s.Errorf("%d drops are counted, expected 4", got)
	}
}

func closeOneNode(s *suite) {
	a, b := s.two()
	c := s.node(channellayer.Config{})
	s.member(b, s.group("g"))
	sub := s.member(c, s.group("g"))
	if err := b.Close(); err != nil {
		s.Errorf("close: %v", err)
	}
	s.groupSend(a, s.group("g"), 1)
	s.expect(sub, 1)
	if _, err := b.GroupSend(s.ctx, s.group("g"), number(2)); !errors.Is(err, channellayer.ErrClosed) {
		s.Errorf("a send through a closed node got %v, expected ErrClosed", err)
	}
}

// Many goroutines join and leave the same few groups. A join that has returned holds for the next send of the other node, and in
// the end the node is subscribed to what it has members of, and nothing else.
func racingJoins(s *suite) {
	a, b := s.two()
	const groups, workers, rounds = 4, 8, 40
	name := func(i int) string { return s.group(fmt.Sprint("race ", i)) }
	var all sync.WaitGroup
	stay := make([]*channellayer.Subscription, workers)
	for w := range workers {
		random := rand.New(rand.NewPCG(1, uint64(w))) //nolint:gosec // the same on each run
		all.Go(func() {
			sub, err := b.Subscribe(b.NewChannel("racer"), nil)
			if err != nil {
				s.Error(err)
				return
			}
			for round := range rounds {
				s.race(a, sub, name(random.IntN(groups)), w*rounds+round)
			}
			if stay[w] = sub; w < 2 { // two stay, in the first two groups
				if err := sub.Join(s.ctx, name(w)); err != nil {
					s.Error(err)
				}
			}
		})
	}
	all.Wait()
	if s.Failed() {
		return
	}
	s.eventually("the node has unsubscribed from groups without members", func() bool { return b.tap.subscribed.Load() == 3 })
	for w := range 2 {
		for {
			if _, ok := stay[w].Next(); !ok {
				break
			}
		}
		s.groupSend(a, name(w), w)
		s.expect(stay[w], w)
	}
}

// race joins, expects one message of its own, and leaves.
func (s *suite) race(from *node, sub *channellayer.Subscription, group string, mark int) {
	if err := sub.Join(s.ctx, group); err != nil {
		s.Error(err)
		return
	}
	if _, err := from.GroupSend(s.ctx, group, number(mark)); err != nil {
		s.Error(err)
		return
	}
	for {
		m, err := sub.Receive(s.ctx)
		if err != nil {
			s.Errorf("message %d did not come: %v", mark, err)
			return
		}
		if n, _ := channellayer.Value[int](m); n == mark {
			break
		}
	}
	if err := sub.Leave(s.ctx, group); err != nil {
		s.Error(err)
	}
}
