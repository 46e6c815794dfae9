package layertest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/portico-go/portico/channellayer"
)

// historyTogetherClauses hold for groups with history on several nodes, and when the server goes and comes back.
var historyTogetherClauses = []clause{
	{"HistoryNoMembersNoDelivery", historyNoMembersNoDelivery},
	{"HistoryLostOnTheWay", historyLostOnTheWay},
	{"HistoryDownAndUp", historyDownAndUp},
	{"HistoryJoinedWhileDown", historyJoinedWhileDown},
}

// A tappedLog is a tap of a broker that is a Log.
type tappedLog struct {
	*tap
	log channellayer.Log
}

// broker returns the tap with all that its broker can do.
func (p *tap) broker() channellayer.Broker {
	if log, ok := p.Broker.(channellayer.Log); ok {
		return &tappedLog{p, log}
	}
	return p
}

func (p *tappedLog) Append(ctx context.Context, subject string, keep channellayer.Retention, r channellayer.Record) (channellayer.Position, error) {
	return p.log.Append(ctx, subject, keep, r)
}

func (p *tappedLog) Read(ctx context.Context, subject string, keep channellayer.Retention, from uint64, limit int) (channellayer.Page, error) {
	p.reads.Add(1)
	return p.log.Read(ctx, subject, keep, from, limit)
}

// Entry loses some entries on their way, and has some come twice, if the clause wants it so.
func (p *tapped) Entry(subject string, e channellayer.Entry) {
	p.tap.received.Add(1)
	times := 1
	if p.tap.careless.Load() {
		times = rand.IntN(3) //nolint:gosec // no secret
	}
	for range times {
		p.Receiver.Entry(subject, e)
	}
}

// historyNoMembersNoDelivery: a node without members of a group with history gets nothing of it.
func historyNoMembersNoDelivery(s *suite) {
	a, b := s.pair(history(100))
	here := s.member(a, s.group("g"))
	mark := s.member(b, s.group("mark"))
	before := b.tap.received.Load()
	s.store(a, s.group("g"), 0, 10)
	s.store(a, s.group("mark"), 10, 11)
	s.expect(here, count(0, 10)...)
	s.expect(mark, 10)
	if n := b.tap.received.Load() - before; n != 1 {
		s.Errorf("a node without members received %d entries, expected none but the mark", n-1)
	}
}

// historyLostOnTheWay: what is lost between the server and a node is read from the log, and what comes twice is dropped.
func historyLostOnTheWay(s *suite) {
	const messages = 500
	a, b := s.pair(history(1000))
	group := s.group("g")
	sub := s.member(b, group)
	b.tap.careless.Store(true)
	s.store(a, group, 0, messages)
	b.tap.careless.Store(false)
	s.store(a, group, messages, messages+1) // after which nothing is missing
	s.expect(sub, count(0, messages+1)...)
	s.empty(sub)
	if gaps := b.Stats().Gaps; gaps != 0 {
		s.Errorf("%d gaps, expected none", gaps)
	}
	s.Logf("%d messages, two thirds of them lost or doubled, took %d readings", messages, b.tap.reads.Load())
}

// historyDownAndUp: without the server nothing is delivered and senders know it; when it is back members get all that was stored, or know that they do not.
func historyDownAndUp(s *suite) {
	a, b := s.pair(history(10_000))
	group := s.group("g")
	subs := []*channellayer.Subscription{s.member(a, group), s.member(b, group)}
	stored := s.store(a, group, 0, 10)
	for _, sub := range subs {
		s.expect(sub, count(0, 10)...)
	}
	start := s.outage()
	s.layer(subs[0], false)
	s.layer(subs[1], false)
	d, err := a.GroupSend(s.ctx, group, number(99))
	if !errors.Is(err, channellayer.ErrBrokerDown) || !errors.Is(err, channellayer.ErrUnconfirmed) || d != (channellayer.Delivery{}) {
		s.Errorf("a send without the server: %+v, %v; expected ErrBrokerDown, ErrUnconfirmed and no delivery", d, err)
	}
	if _, err := subs[0].JoinFrom(s.ctx, group, stored[0]); !errors.Is(err, channellayer.ErrBrokerDown) {
		s.Errorf("a recovery without the server got %v, expected ErrBrokerDown", err)
	}
	var sending sync.WaitGroup
	sending.Go(func() { s.storeAgain(a, group, 10, 300) })
	start()
	sending.Wait()
	s.continues(subs[1], 10, 300)
	if s.Durable {
		r := s.joinFrom(subs[0], group, stored[3]) // it was silent since its recovery failed
		got, err := drain(s.ctx, subs[0], r, 296)
		if !r.Recovered || err != nil || !slices.Equal(got, count(4, 300)) {
			s.Fatalf("recovered %v (gap: %v, %v) %v, expected 4 to 299", r.Recovered, r.Gap, err, got)
		}
	}
}

// storeAgain sends numbers, each until it is stored.
func (s *suite) storeAgain(n *node, group string, from, to int) {
	for i := from; i < to; {
		ev := number(i)
		ev.Header = channellayer.Header{{Key: channellayer.HeaderIdempotencyKey, Value: fmt.Sprint(i)}}
		switch _, err := n.GroupSend(s.ctx, group, ev); {
		case err == nil:
			i++
		case !errors.Is(err, channellayer.ErrUnconfirmed) || s.ctx.Err() != nil:
			s.Errorf("send %d: %v", i, err)
			return
		default:
			time.Sleep(time.Millisecond)
		}
	}
}

// continues expects numbers in order, and the news of the layer. If the server lost what it had, some may come twice or be missing after the news of a gap.
func (s *suite) continues(sub *channellayer.Subscription, next, end int) {
	s.Helper()
	for behindGap := false; next < end; {
		m := s.next(sub)
		if ev, ok := m.Layer(); ok {
			if ev.Gap != channellayer.GapNone && s.Durable {
				s.Fatalf("got %+v, expected that nothing is missing", ev)
			}
			behindGap = behindGap || ev.Gap != channellayer.GapNone
			continue
		}
		got := s.value(m)
		if got != next && !behindGap {
			s.Fatalf("got %d, expected %d", got, next)
		}
		next, behindGap = got+1, false
	}
	for m, ok := sub.Next(); ok; m, ok = sub.Next() {
		if ev, layer := m.Layer(); !layer || ev.Gap != channellayer.GapNone { // that the layer is up may come last
			s.Fatalf("got %v %q %s %+v, expected nothing more", m.Kind, m.Type, m.Payload, ev)
		}
	}
}

// historyJoinedWhileDown: who joins without the server gets what is sent when it is back.
func historyJoinedWhileDown(s *suite) {
	a, b := s.pair(history(1000))
	early := s.member(b, s.group("early"))
	start := s.outage()
	s.layer(early, false)
	late := s.member(b)
	if err := late.Join(s.ctx, s.group("late")); !errors.Is(err, channellayer.ErrBrokerDown) {
		s.Errorf("a join without the server got %v, expected ErrBrokerDown", err)
	}
	start()
	s.eventually("the membership holds everywhere", func() bool { return late.Join(s.ctx, s.group("late")) == nil })
	s.storeAgain(a, s.group("late"), 0, 10)
	s.continues(late, 0, 10)
}
