package layertest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/portico-go/portico/channellayer"
)

// A traveller is a client that comes and goes, on any node, and keeps the position of the last message that it had.
type traveller struct {
	nodes    []*node
	group    string
	total    int // messages that there will be
	random   *rand.Rand
	position channellayer.Position
	got      []int
	visits   int
}

// visit joins a node from where the traveller is, stays for some messages, and leaves it with what is still queued.
func (v *traveller) visit(ctx context.Context, stay int) error {
	n := v.nodes[v.random.IntN(len(v.nodes))]
	sub, err := n.Subscribe(n.NewChannel("traveller"), nil)
	if err != nil {
		return err
	}
	defer sub.Close()
	v.visits++
	r, err := sub.JoinFrom(ctx, v.group, v.position)
	if err != nil {
		return err
	}
	if !r.Recovered {
		return fmt.Errorf("visit %d: %v is not recovered: %v", v.visits, v.position, r.Gap)
	}
	for {
		page, err := r.Next(ctx)
		if err != nil {
			return err
		}
		if len(page) == 0 {
			break
		}
		for _, m := range page {
			if err := v.take(m); err != nil {
				return fmt.Errorf("visit %d, replayed: %w", v.visits, err)
			}
		}
	}
	for ; stay > 0 && len(v.got) < v.total; stay-- {
		m, err := sub.Receive(ctx)
		if err != nil {
			return err
		}
		if err := v.take(m); err != nil {
			return fmt.Errorf("visit %d, live: %w", v.visits, err)
		}
	}
	return nil
}

func (v *traveller) take(m *channellayer.Message) error {
	if ev, ok := m.Layer(); ok {
		return fmt.Errorf("told that %+v", ev)
	}
	n, err := channellayer.Value[int](m)
	if err != nil {
		return err
	}
	if want := len(v.got); n != want {
		return fmt.Errorf("got %d at %v, expected %d", n, m.Position(), want)
	}
	v.got, v.position = append(v.got, n), m.Position()
	return nil
}

// recoverWhileSending: whoever comes and goes while messages are sent, on any node, has each of them once and in order.
func recoverWhileSending(s *suite) {
	const messages, travellers = 1500, 4
	a, b := s.pair(history(10_000))
	group := s.group("g")
	begin := s.joinFrom(s.member(a), group, channellayer.Position{}).Position
	var sending, all sync.WaitGroup
	sending.Go(func() { s.sendSome(a, b, group, messages) })
	for i := range travellers {
		v := &traveller{nodes: []*node{a, b}, group: group, total: messages, position: begin}
		v.random = rand.New(rand.NewPCG(uint64(i), 7)) //nolint:gosec // the same on each run
		all.Go(func() {
			for len(v.got) < messages {
				if err := v.visit(s.ctx, v.random.IntN(40)); err != nil {
					s.Errorf("traveller %d: %v", i, err)
					return
				}
			}
			s.Logf("traveller %d had %d messages in %d visits", i, len(v.got), v.visits)
		})
	}
	sending.Wait()
	all.Wait()
}

// sendSome sends numbers, from one node and the other, with pauses now and then.
func (s *suite) sendSome(a, b *node, group string, messages int) {
	random := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // the same on each run
	for i := range messages {
		if _, err := []*node{a, b}[random.IntN(2)].GroupSend(s.ctx, group, number(i)); err != nil {
			s.Errorf("send %d: %v", i, err)
			return
		}
		if random.IntN(20) == 0 {
			time.Sleep(time.Duration(random.IntN(3)) * time.Millisecond)
		}
	}
}

// recoverTogether: many join at once, from different places, while messages are sent.
func recoverTogether(s *suite) {
	const before, after, joiners = 50, 100, 32
	a, b := s.pair(history(1000))
	group := s.group("g")
	at := s.store(a, group, 0, before)
	var all sync.WaitGroup
	all.Go(func() {
		for i := before; i < before+after; i++ {
			if _, err := a.GroupSend(s.ctx, group, number(i)); err != nil {
				s.Error(err)
			}
		}
	})
	for i := range joiners {
		all.Go(func() {
			n := []*node{a, b}[i%2]
			sub, err := n.Subscribe(n.NewChannel("joiner"), nil)
			if err != nil {
				s.Error(err)
				return
			}
			defer sub.Close()
			r, err := sub.JoinFrom(s.ctx, group, at[i])
			if err != nil || !r.Recovered {
				s.Errorf("join from %v: %+v, %v", at[i], r, err)
				return
			}
			got, err := drain(s.ctx, sub, r, before+after-i-1)
			if want := count(i+1, before+after); err != nil || !slices.Equal(got, want) {
				s.Errorf("from %d: got %v (%v)", i, got, err)
			}
		})
	}
	all.Wait()
}

// drain reads so many messages, of a recovery and then of the subscription.
func drain(ctx context.Context, sub *channellayer.Subscription, r *channellayer.Recovery, n int) ([]int, error) {
	var got []int
	for replayed := false; len(got) < n; {
		var page []*channellayer.Message
		var err error
		if !replayed {
			page, err = r.Next(ctx)
			replayed = len(page) == 0
		} else {
			page = make([]*channellayer.Message, 1)
			page[0], err = sub.Receive(ctx)
		}
		if err != nil {
			return got, err
		}
		for _, m := range page {
			ev, layer := m.Layer()
			if layer && ev.Gap == channellayer.GapNone {
				continue
			}
			v, err := channellayer.Value[int](m)
			if err != nil || layer {
				return got, fmt.Errorf("got %v %q (%w)", m.Kind, m.Type, err)
			}
			got = append(got, v)
		}
	}
	return got, nil
}
