package layertest

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/portico-go/portico/channellayer"
)

// History runs every clause about groups with history as a subtest: for a broker that is a channellayer.Log, and for a hub without a broker. [Run] has the other clauses.
func History(t *testing.T, b Backend) {
	t.Helper()
	b = b.withDefaults()
	run(t, b, historyClauses)
	if b.Broker == nil {
		return
	}
	if _, ok := b.Broker(t).(channellayer.Log); !ok {
		t.Fatal("layertest: the broker is no channellayer.Log")
	}
	if b.Stop == nil || b.Start == nil {
		t.Fatal("layertest: a Backend with a Broker needs Stop and Start")
	}
	run(t, b, historyTogetherClauses)
}

// historyClauses hold for groups with history in any layer. With a broker they run on two nodes.
var historyClauses = []clause{
	{"HistoryInOrder", historyInOrder},
	{"HistoryOncePerKey", historyOncePerKey},
	{"HistoryTrimmedBySize", historyTrimmedBySize},
	{"HistoryTrimmedByAge", historyTrimmedByAge},
	{"HistoryMessages", historyMessages},
	{"HistoryForSome", historyForSome},
	{"RecoverExactly", recoverExactly},
	{"RecoverFromTheBeginning", recoverFromTheBeginning},
	{"RecoverInPages", recoverInPages},
	{"RecoverElsewhere", recoverElsewhere},
	{"RecoverWhileSending", recoverWhileSending},
	{"RecoverTogether", recoverTogether},
	{"SlowMemberGoesOn", slowMemberGoesOn},
}

// history is a configuration in which all groups keep this many messages.
func history(size int) channellayer.Config {
	return channellayer.Config{Capacity: 10_000, History: []channellayer.History{{Pattern: "*", Size: size, Age: time.Hour}}}
}

// pair starts two nodes, or without a broker one that stands for both.
func (s *suite) pair(c channellayer.Config) (a, b *node) {
	s.Helper()
	a = s.node(c)
	if s.Broker == nil {
		return a, a
	}
	return a, s.node(c)
}

// store sends numbers to a group with history, and returns their positions.
func (s *suite) store(n *node, group string, from, to int) []channellayer.Position {
	s.Helper()
	var all []channellayer.Position
	for i := from; i < to; i++ {
		d := s.groupSend(n, group, i)
		if d.Delivered != 0 || d.Position.IsZero() || d.Position.Tag == "" {
			s.Fatalf("send %d to a group with history: %+v, expected a position and no counts", i, d)
		}
		all = append(all, d.Position)
	}
	return all
}

// joinFrom joins a group behind a position.
func (s *suite) joinFrom(sub *channellayer.Subscription, group string, after channellayer.Position) *channellayer.Recovery {
	s.Helper()
	r, err := sub.JoinFrom(s.ctx, group, after)
	if err != nil {
		s.Fatalf("join %q from %q: %v", group, after, err)
	}
	return r
}

// replay reads a recovery to its end.
func (s *suite) replay(r *channellayer.Recovery) []int {
	s.Helper()
	var numbers []int
	for {
		page, err := r.Next(s.ctx)
		if err != nil {
			s.Fatal(err)
		}
		if len(page) == 0 {
			return numbers
		}
		for _, m := range page {
			numbers = append(numbers, s.value(m))
		}
	}
}

// recovered checks a recovery that has to be exact.
func (s *suite) recovered(r *channellayer.Recovery, want ...int) {
	s.Helper()
	if got := s.replay(r); !r.Recovered || r.Gap != channellayer.GapNone || !slices.Equal(got, want) {
		s.Fatalf("recovered %v (gap: %v) %v, expected %v", r.Recovered, r.Gap, got, want)
	}
}

// unrecovered checks a recovery that cannot be exact, and has what is left.
func (s *suite) unrecovered(r *channellayer.Recovery, gap channellayer.Gap, want ...int) {
	s.Helper()
	if got := s.replay(r); r.Recovered || r.Gap != gap || !slices.Equal(got, want) {
		s.Fatalf("recovered %v (gap: %v) %v, expected a gap (%v) and %v", r.Recovered, r.Gap, got, gap, want)
	}
}

// count returns the numbers from one to another, without that.
func count(from, to int) []int {
	var all []int
	for i := from; i < to; i++ {
		all = append(all, i)
	}
	return all
}

// historyInOrder: everybody gets everything, in one order, which is that of the positions; the senders' own nodes too.
func historyInOrder(s *suite) {
	const senders, each = 4, 50
	a, b := s.pair(history(1000))
	group := s.group("g")
	subs := []*channellayer.Subscription{s.member(a, group), s.member(b, group), s.member(b, group)}
	var all sync.WaitGroup
	for i := range senders {
		from := []*node{a, b}[i%2]
		all.Go(func() {
			for k := range each {
				if _, err := from.GroupSend(s.ctx, group, number(i*each+k)); err != nil {
					s.Error(err)
				}
			}
		})
	}
	all.Wait()
	var order []int
	for i, sub := range subs {
		var got []int
		var last channellayer.Position
		for range senders * each {
			m := s.next(sub)
			if p := m.Position(); p.Offset <= last.Offset || !last.IsZero() && p.Epoch != last.Epoch {
				s.Fatalf("position %v came after %v", p, last)
			}
			last = m.Position()
			got = append(got, s.value(m))
		}
		s.empty(sub)
		if i == 0 {
			order = got
		}
		if !slices.Equal(got, order) {
			s.Fatalf("one member got %v, another %v", order, got)
		}
	}
	var seen [senders]int
	for _, v := range order {
		if seen[v/each] != v%each {
			s.Fatalf("sender %d: got message %d, expected %d", v/each, v%each, seen[v/each])
		}
		seen[v/each]++
	}
}

// historyOncePerKey: repeating a send has no second effect, also from another node and at the same time, and only in its own group.
func historyOncePerKey(s *suite) {
	a, b := s.pair(history(100))
	group := s.group("g")
	sub := s.member(b, group)
	keyed := func(n *node, group, key string, i int) channellayer.Position {
		ev := number(i)
		ev.Header = channellayer.Header{{Key: channellayer.HeaderIdempotencyKey, Value: key}}
		d, err := n.GroupSend(s.ctx, group, ev)
		if err != nil {
			s.Error(err)
		}
		return d.Position
	}
	for i := range 3 {
		got := make([]channellayer.Position, 8)
		var all sync.WaitGroup
		for k := range got {
			all.Go(func() { got[k] = keyed([]*node{a, b}[k%2], group, fmt.Sprint("key ", i, "\n\xff"), i) })
		}
		all.Wait()
		for _, p := range got {
			if p != got[0] || p.IsZero() {
				s.Fatalf("sends with one key have positions %v", got)
			}
		}
	}
	other := keyed(a, s.group("other"), "key 0\n\xff", 7)
	s.store(a, group, 3, 4)
	s.expect(sub, 0, 1, 2, 3)
	s.empty(sub)
	r, err := b.Recover(s.ctx, s.group("other"), channellayer.Position{})
	s.must(err)
	s.unrecovered(r, channellayer.GapNoPosition, 7)
	if r.Position != other {
		s.Errorf("a key of one group counts in another")
	}
}

func historyTrimmedBySize(s *suite) {
	a, b := s.pair(history(5))
	group := s.group("g")
	at := s.store(a, group, 0, 8)
	r, err := b.Recover(s.ctx, group, channellayer.Position{})
	s.must(err)
	s.unrecovered(r, channellayer.GapNoPosition, 3, 4, 5, 6, 7)
	s.unrecovered(s.joinFrom(s.member(b), group, at[1]), channellayer.GapTrimmed, 3, 4, 5, 6, 7)
	if r := s.joinFrom(s.member(b), group, at[2]); !r.Recovered && r.Gap != channellayer.GapTrimmed {
		s.Errorf("%+v, expected that nothing is missing, or no more than that its own entry has been trimmed", r)
	} else if got := s.replay(r); !slices.Equal(got, count(3, 8)) {
		s.Errorf("got %v, expected 3 to 7", got)
	}
	s.recovered(s.joinFrom(s.member(b), group, at[3]), 4, 5, 6, 7)
	s.recovered(s.joinFrom(s.member(b), group, at[7]))
}

func historyTrimmedByAge(s *suite) {
	c := history(100)
	c.History[0].Age = time.Second
	a, b := s.pair(c)
	group := s.group("g")
	at := s.store(a, group, 0, 3)
	s.eventually("what is old has gone", func() bool {
		r, err := b.Recover(s.ctx, group, channellayer.Position{})
		s.must(err)
		return len(s.replay(r)) == 0
	})
	if r := s.joinFrom(s.member(b), group, at[0]); r.Recovered || len(s.replay(r)) > 0 {
		s.Errorf("%+v, expected that what has gone cannot be recovered", r)
	}
	if r := s.joinFrom(s.member(b), group, at[2]); !r.Recovered && r.Gap != channellayer.GapTrimmed || len(s.replay(r)) > 0 {
		s.Errorf("%+v, expected that nothing came, or at least no more than that it has been trimmed", r)
	}
	more := s.store(a, group, 3, 4)
	s.recovered(s.joinFrom(s.member(b), group, more[0]))
}

// historyMessages: type, kind, header and payload come as they were sent, live and from the log.
func historyMessages(s *suite) {
	a, b := s.pair(history(100))
	live := s.member(b, s.group("g"))
	first := s.joinFrom(s.member(a), s.group("g"), channellayer.Position{})
	s.sendKinds(a, s.group("g"))
	s.expectKinds(live)
	late := s.joinFrom(s.member(b), s.group("g"), first.Position)
	if !late.Recovered {
		s.Fatalf("not recovered: %v", late.Gap)
	}
	page, err := late.Next(s.ctx)
	s.must(err)
	if len(page) != 2 {
		s.Fatalf("recovered %d messages, expected 2", len(page))
	}
	s.checkKinds(page[0], page[1])
}

func recoverExactly(s *suite) {
	a, b := s.pair(history(1000))
	for _, from := range []int{0, 7, 18, 19} {
		group := s.group(fmt.Sprint("from ", from))
		at := s.store(a, group, 0, 20)
		sub := s.member(b)
		r := s.joinFrom(sub, group, at[from])
		s.recovered(r, count(from+1, 20)...)
		if r.Position != at[19] {
			s.Errorf("the recovery ends at %v, expected %v", r.Position, at[19])
		}
		s.store(a, group, 20, 22)
		s.expect(sub, 20, 21)
		s.empty(sub)
	}
	if _, err := s.node(channellayer.Config{}).Recover(s.ctx, "plain", channellayer.Position{}); !errors.Is(err, channellayer.ErrNoHistory) {
		s.Errorf("a group without history: %v, expected ErrNoHistory", err)
	}
}

// recoverFromTheBeginning: who joined before anything was said recovers all of it.
func recoverFromTheBeginning(s *suite) {
	a, b := s.pair(history(5))
	group := s.group("g")
	sub := s.member(a)
	r := s.joinFrom(sub, group, channellayer.Position{})
	s.unrecovered(r, channellayer.GapNoPosition)
	if r.Position.IsZero() {
		s.Fatal("got no position, expected one that all messages to come are behind")
	}
	there := s.member(b)
	s.recovered(s.joinFrom(there, group, r.Position))
	s.store(b, group, 0, 3)
	s.expect(there, 0, 1, 2)
	s.recovered(s.joinFrom(s.member(b), group, r.Position), 0, 1, 2)
	s.store(b, group, 3, 6)
	s.expect(there, 3, 4, 5)
	late := s.joinFrom(s.member(b), group, r.Position)
	if got := s.replay(late); late.Recovered || !slices.Equal(got, count(1, 6)) {
		s.Fatalf("recovered %v %v, expected that the beginning has gone", late.Recovered, got)
	}
	s.expect(sub, count(0, 6)...)
}

// recoverInPages: however much there is, it comes in pages, and none is dropped for the channel's capacity.
func recoverInPages(s *suite) {
	c := history(1000)
	c.Capacity = 2
	a, b := s.pair(c)
	group := s.group("g")
	at := s.store(a, group, 0, 350)
	sub := s.member(b)
	r := s.joinFrom(sub, group, at[10])
	s.store(a, group, 350, 352)
	next := 11
	for pages := 0; ; pages++ {
		page, err := r.Next(s.ctx)
		s.must(err)
		if len(page) > 100 {
			s.Fatalf("a page has %d messages", len(page))
		}
		for _, m := range page {
			if got := s.value(m); got != next {
				s.Fatalf("got %d, expected %d", got, next)
			}
			next++
		}
		if len(page) == 0 {
			break
		}
	}
	if next != 350 {
		s.Fatalf("the pages ended before %d, expected 350", next)
	}
	s.expect(sub, 350, 351)
}

// recoverElsewhere: a position of another log is found out, whatever is wrong with it.
func recoverElsewhere(s *suite) {
	a, b := s.pair(history(1000))
	group := s.group("g")
	at := s.store(a, group, 0, 3)
	lost, gone, ahead := at[1], at[1], at[2]
	lost.Tag = "AAAAAAAAAAAAA"
	gone.Epoch += "X"
	gone.Epoch = gone.Epoch[1:]
	ahead.Offset += 1000
	s.unrecovered(s.joinFrom(s.member(b), group, lost), channellayer.GapLost, 0, 1, 2)
	s.unrecovered(s.joinFrom(s.member(b), group, gone), channellayer.GapEpoch, 0, 1, 2)
	s.unrecovered(s.joinFrom(s.member(b), group, ahead), channellayer.GapLost, 0, 1, 2)
	last := at[2]
	last.Tag = "AAAAAAAAAAAAA"
	sub := s.member(b)
	s.unrecovered(s.joinFrom(sub, group, last), channellayer.GapLost, 0, 1, 2)
	s.store(a, group, 3, 4)
	s.expect(sub, 3)
	s.empty(sub)
}

// slowMemberGoesOn: a member whose queue is full is told where it is, and misses nothing.
func slowMemberGoesOn(s *suite) {
	c := history(1000)
	c.Limits = []channellayer.Limit{{Pattern: "slow", Capacity: 3, Overflow: channellayer.DropOldest}}
	a, b := s.pair(c)
	group := s.group("g")
	slow, err := b.Subscribe("slow", nil)
	s.must(err)
	s.join(slow, group)
	quick := s.member(b, group)
	at := s.store(a, group, 0, 10)
	s.expect(quick, count(0, 10)...)
	s.expect(slow, 0, 1, 2)
	ev, ok := s.next(slow).Layer()
	if !ok || !ev.Up || ev.Group != group || ev.Gap != channellayer.GapSlow || ev.Position != at[2] {
		s.Fatalf("got %+v, expected that the queue was full after %v", ev, at[2])
	}
	s.empty(slow)
	s.recovered(s.joinFrom(slow, group, ev.Position), count(3, 10)...)
	s.store(a, group, 10, 13)
	s.expect(slow, 10, 11)
	s.expect(quick, 10, 11, 12)         // so the node has the last one too
	r := s.joinFrom(slow, group, at[9]) // once more, as if the client had come again: what waits is part of it
	s.recovered(r, 10, 11, 12)
	s.empty(slow)
	s.store(a, group, 13, 14)
	s.expect(slow, 13)
	if _, err := slow.JoinFrom(s.ctx, "", r.Position); !errors.Is(err, channellayer.ErrInvalidName) {
		s.Errorf("a join without a name got %v", err)
	}
}
