package layertest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/portico-go/portico/channellayer"
)

const (
	crashSenders = 8
	crashClients = 6
	crashRate    = 1000 // messages a second, of all senders
)

// Crashes stops the server and starts it, again and again for so long, under a thousand messages a second that are sent until they are stored, while clients come and go on two nodes with the
// position of their last message. In the end each of them must have had every message once, in one order. The broker must be a channellayer.Log, and Durable.
func Crashes(t *testing.T, b Backend, length time.Duration) {
	t.Helper()
	b = b.withDefaults()
	ctx, cancel := context.WithTimeout(t.Context(), length+4*b.Patience)
	defer cancel()
	s := &suite{TB: t, t: t, Backend: b, ctx: ctx, tag: fmt.Sprint("crashes ", time.Now().UnixNano())}
	c := history(1_000_000)
	c.Capacity = 200
	nodes := [2]*node{}
	nodes[0], nodes[1] = s.pair(c)
	r, err := nodes[0].Recover(ctx, s.group("g"), channellayer.Position{})
	s.must(err)

	sending, stop := context.WithTimeout(ctx, length)
	defer stop()
	var senders, clients sync.WaitGroup
	var acknowledged [crashSenders]int
	for i := range crashSenders {
		senders.Go(func() { acknowledged[i] = s.sendUntilStored(sending, nodes[i%2], i) })
	}
	all := make([]*crashClient, crashClients)
	for i := range all {
		all[i] = &crashClient{nodes: nodes, group: s.group("g"), position: r.Position, random: rand.New(rand.NewPCG(1, uint64(i)))} //nolint:gosec // no secret
		clients.Go(func() { all[i].live(s) })
	}
	crashes := 0
	for sleep(sending, time.Second+rand.N(2*time.Second)) { //nolint:gosec // no secret
		s.Stop(t)
		sleep(sending, rand.N(500*time.Millisecond)) //nolint:gosec // no secret
		s.Start(t)
		crashes++
	}
	senders.Wait()
	total := 0
	for _, n := range acknowledged {
		total += n
	}
	for _, c := range all {
		c.goal.Store(int64(total))
	}
	clients.Wait()
	visits := 0
	for _, c := range all {
		if c.seen != acknowledged {
			t.Errorf("a client had %v messages of the senders, of %v that were acknowledged", c.seen, acknowledged)
		}
		visits += c.visits
	}
	t.Logf("%d messages in %v, %d crashes, %d clients came back %d times", total, length, crashes, crashClients, visits)
}

// sleep waits, and reports whether ctx goes on.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
	return ctx.Err() == nil
}

// A storedMessage says which sender's message it is, and the how manieth.
type storedMessage struct{ Sender, Number int }

// sendUntilStored sends its share of messages, as many also after an outage, each again and again until it is stored, and returns how many that were.
func (s *suite) sendUntilStored(sending context.Context, n *node, sender int) int {
	begin := time.Now()
	for i := 0; ; i++ {
		if !sleep(sending, time.Until(begin.Add(time.Duration(i)*time.Second*crashSenders/crashRate))) {
			return i
		}
		ev := channellayer.Event{Type: "t", Value: storedMessage{sender, i}}
		ev.Header = channellayer.Header{{Key: channellayer.HeaderIdempotencyKey, Value: fmt.Sprint(sender, " ", i)}}
		for {
			_, err := n.GroupSend(s.ctx, s.group("g"), ev)
			if err == nil {
				break
			}
			if !errors.Is(err, channellayer.ErrUnconfirmed) || !sleep(s.ctx, 5*time.Millisecond) {
				s.Errorf("send: %v", err)
				return i
			}
		}
	}
}

// A crashClient comes and goes, with the position of the last message that it had.
type crashClient struct {
	nodes    [2]*node
	group    string
	random   *rand.Rand
	position channellayer.Position
	seen     [crashSenders]int // messages of each sender
	visits   int
	goal     atomic.Int64 // messages that there are; zero until it is known
}

func (c *crashClient) live(s *suite) {
	for !c.satisfied() && s.ctx.Err() == nil && !s.Failed() {
		n := c.nodes[c.random.IntN(2)]
		sub, err := n.Subscribe(n.NewChannel("client"), nil)
		if err != nil {
			s.Error(err)
			return
		}
		c.visits++
		visit, leave := context.WithTimeout(s.ctx, time.Duration(c.random.IntN(300))*time.Millisecond)
		err = c.visit(s.ctx, visit, sub)
		leave()
		sub.Close() // with whatever it has in its queue
		if err != nil {
			s.Errorf("visit %d: %v", c.visits, err)
			return
		}
	}
	if !c.satisfied() {
		s.Errorf("a client was left with %v of %d messages", c.seen, c.goal.Load())
	}
}

func (c *crashClient) satisfied() bool {
	total := 0
	for _, n := range c.seen {
		total += n
	}
	goal := c.goal.Load()
	return goal > 0 && int64(total) >= goal
}

// visit reads what was missed, to its end or until the broker goes, and then what comes while the visit lasts.
func (c *crashClient) visit(ctx, visit context.Context, sub *channellayer.Subscription) error {
	r, err := sub.JoinFrom(ctx, c.group, c.position)
	if err != nil {
		sleep(ctx, 10*time.Millisecond)
		return ignoreDown(err)
	}
	if !r.Recovered {
		return fmt.Errorf("%v is not recovered: %v", c.position, r.Gap)
	}
	if err := c.replay(ctx, r); err != nil {
		return ignoreDown(err)
	}
	for {
		m, err := sub.Receive(visit)
		if err != nil {
			return nil //nolint:nilerr // the visit is over
		}
		if ev, ok := m.Layer(); ok {
			if ev.Gap == channellayer.GapSlow {
				return nil
			}
			if ev.Gap != channellayer.GapNone {
				return fmt.Errorf("told of a gap: %v", ev.Gap)
			}
			continue
		}
		if err := c.take(m); err != nil {
			return fmt.Errorf("live: %w", err)
		}
	}
}

// replay reads what was missed.
func (c *crashClient) replay(ctx context.Context, r *channellayer.Recovery) error {
	for {
		page, err := r.Next(ctx)
		if err != nil || len(page) == 0 {
			return err
		}
		for _, m := range page {
			if err := c.take(m); err != nil {
				return fmt.Errorf("replayed: %w", err)
			}
		}
	}
}

// ignoreDown takes the broker's absence for the end of a visit.
func ignoreDown(err error) error {
	if errors.Is(err, channellayer.ErrBrokerDown) {
		return nil
	}
	return err
}

func (c *crashClient) take(m *channellayer.Message) error {
	v, err := channellayer.Value[storedMessage](m)
	if err != nil {
		return err
	}
	if v.Number != c.seen[v.Sender] || m.Position().Offset <= c.position.Offset {
		return fmt.Errorf("got message %d of sender %d at %v, expected %d after %v", v.Number, v.Sender, m.Position(), c.seen[v.Sender], c.position)
	}
	c.seen[v.Sender]++
	c.position = m.Position()
	return nil
}
