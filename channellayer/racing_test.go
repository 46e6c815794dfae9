package channellayer_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/portico-go/portico/channellayer"
	"github.com/portico-go/portico/channellayer/layertest"
)

// A moody broker takes its time for each subscription and each end of one, and now and then does half of it and fails.
type moody struct {
	channellayer.Broker
	mu     sync.Mutex
	random *rand.Rand
}

var errMood = errors.New("not in the mood")

// mood says how long a call takes, and what part of it is done before it fails; all of it in most cases.
func (b *moody) mood(n int) (pause time.Duration, done int, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	pause = time.Duration(b.random.IntN(20)) * time.Millisecond
	if b.random.IntN(10) == 0 {
		return pause, b.random.IntN(n + 1), errMood
	}
	return pause, n, nil
}

func (b *moody) do(ctx context.Context, subjects []string, f func(context.Context, ...string) error) error {
	pause, done, err := b.mood(len(subjects))
	select {
	case <-time.After(pause):
	case <-ctx.Done():
		return ctx.Err()
	}
	if done > 0 {
		err = errors.Join(err, f(ctx, subjects[:done]...))
	}
	return err
}

func (b *moody) Subscribe(ctx context.Context, subjects ...string) error {
	return b.do(ctx, subjects, b.Broker.Subscribe)
}

func (b *moody) Unsubscribe(ctx context.Context, subjects ...string) error {
	return b.do(ctx, subjects, b.Broker.Unsubscribe)
}

// Many goroutines join and leave a few groups, at a broker that is slow, fails and goes away. However that went, in the end the node is subscribed to
// the groups that have members, to its inbox and to nothing else, and each member hears the other node.
func TestRacingMembersEndSubscribedRightly(t *testing.T) {
	t.Parallel()
	first := rand.Uint64()
	for seed := first; seed < first+60 && !t.Failed(); seed++ {
		synctest.Test(t, func(t *testing.T) { race(t, seed) })
	}
}

const (
	raceGroups  = 3
	raceMembers = 8
)

func race(t *testing.T, seed uint64) {
	var server layertest.Loopback
	random := func(who uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, who)) }
	node := newHub(t, channellayer.Config{Linger: 10 * time.Millisecond, Broker: &moody{Broker: server.Broker(), random: random(0)}})
	other := newHub(t, channellayer.Config{Broker: server.Broker()})

	var all sync.WaitGroup
	all.Go(func() {
		r := random(1)
		for range r.IntN(3) {
			time.Sleep(time.Duration(r.IntN(300)) * time.Millisecond)
			server.Stop()
			time.Sleep(time.Duration(r.IntN(100)) * time.Millisecond)
			server.Start()
		}
	})
	members := make([]*racer, raceMembers)
	for i := range members {
		members[i] = &racer{sub: subscribe(t, node, fmt.Sprint("racer ", i))}
		all.Go(func() { members[i].run(t, random(uint64(i+2))) })
	}
	all.Wait()
	time.Sleep(time.Minute) // it tries again with pauses
	synctest.Wait()

	want := map[string]int{}
	for _, m := range members {
		for g := range m.in {
			want[g]++
		}
	}
	if got := server.Subscriptions(); got != len(want)+2 { // and the inboxes of both
		t.Errorf("seed %d: %d subscriptions, expected %d groups and 2 inboxes", seed, got, len(want))
	}
	if !node.Stats().BrokerUp {
		t.Errorf("seed %d: the broker is not up", seed)
	}
	for _, m := range members { // what came before is of no interest
		for _, ok := m.sub.Next(); ok; {
			_, ok = m.sub.Next()
		}
	}
	for g := range raceGroups {
		groupSend(t, other, fmt.Sprint("g", g), g)
	}
	for i, m := range members {
		heard := map[string]bool{}
		for msg, ok := m.sub.Next(); ok; msg, ok = m.sub.Next() {
			heard[fmt.Sprint("g", number(t, msg))] = true
		}
		if fmt.Sprint(heard) != fmt.Sprint(m.in) {
			t.Errorf("seed %d: member %d hears %v and is in %v", seed, i, heard, m.in)
		}
	}
}

// A racer is one member, and the groups that it is in.
type racer struct {
	sub *channellayer.Subscription
	in  map[string]bool
}

// run joins and leaves at random. A join whose context ends, and one without the broker, still hold.
func (m *racer) run(t *testing.T, r *rand.Rand) {
	m.in = map[string]bool{}
	for range 40 {
		time.Sleep(time.Duration(r.IntN(20)) * time.Millisecond)
		g := fmt.Sprint("g", r.IntN(raceGroups))
		if m.in[g] {
			leave(t, m.sub, g)
			delete(m.in, g)
			continue
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Duration(1+r.IntN(200))*time.Millisecond)
		err := m.sub.Join(ctx, g)
		cancel()
		if err != nil && !errors.Is(err, channellayer.ErrBrokerDown) && !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("join: %v", err)
		}
		m.in[g] = true
	}
}
