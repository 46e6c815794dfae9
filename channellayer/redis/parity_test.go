package redis_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/redis/rueidis"
	"go.uber.org/goleak"

	"github.com/portico-go/portico/channellayer"
	"github.com/portico-go/portico/channellayer/redis"
)

// The cases that the layers of channels_redis are tested with: K of its core layer, P of the one on publish and subscribe, Z of what they share. What
// all brokers have in common is in the suite of layertest.

// A chat is two nodes on one server.
type chat struct {
	t    *testing.T
	ctx  context.Context //nolint:containedctx // of its test, for all its calls
	a, b *channellayer.Hub
}

// on returns two nodes on a server. With lanes they are sharded.
func on(t *testing.T, s *server, c channellayer.Config, o redis.Options) *chat {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	o.Client.InitAddress = []string{s.addr}
	var hubs [2]*channellayer.Hub
	for i := range hubs {
		c.Broker = open(t, o)
		h, err := channellayer.New(c)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { h.Close() })
		hubs[i] = h
	}
	return &chat{t, ctx, hubs[0], hubs[1]}
}

// member returns a subscriber that is in these groups.
func (c *chat) member(h *channellayer.Hub, groups ...string) *channellayer.Subscription {
	c.t.Helper()
	sub, err := h.Subscribe(h.NewChannel("test"), nil)
	if err != nil {
		c.t.Fatal(err)
	}
	for _, g := range groups {
		if err := h.GroupAdd(c.ctx, g, sub.Name()); err != nil {
			c.t.Fatal(err)
		}
	}
	return sub
}

func number(n int) channellayer.Event { return channellayer.Event{Type: "test.message", Value: n} }

func (c *chat) send(h *channellayer.Hub, channel string, n int) {
	c.t.Helper()
	if err := h.Send(c.ctx, channel, number(n)); err != nil {
		c.t.Fatal(err)
	}
}

func (c *chat) groupSend(h *channellayer.Hub, group string, n int) channellayer.Delivery {
	c.t.Helper()
	d, err := h.GroupSend(c.ctx, group, number(n))
	if err != nil {
		c.t.Fatal(err)
	}
	return d
}

// expect takes these numbers and no others. News of the broker may come between them.
func (c *chat) expect(sub *channellayer.Subscription, numbers ...int) {
	c.t.Helper()
	for _, want := range numbers {
		m, err := sub.Receive(c.ctx)
		for err == nil && m.Kind == channellayer.KindLayer {
			m, err = sub.Receive(c.ctx)
		}
		if err != nil {
			c.t.Fatalf("no %d: %v", want, err)
		}
		if got, err := channellayer.Value[int](m); got != want || err != nil {
			c.t.Fatalf("got %d, %v; want %d", got, err, want)
		}
	}
	if m, ok := sub.Next(); ok {
		c.t.Fatalf("got %s, want nothing more", m.Payload)
	}
}

// silent fails the test if something comes to a subscriber before a message that is sent from the same node does.
func (c *chat) silent(from *channellayer.Hub, sub *channellayer.Subscription) {
	c.t.Helper()
	c.send(from, sub.Name(), -1)
	c.expect(sub, -1)
}

func TestK4_CapacityByName(t *testing.T) {
	t.Parallel()
	c := on(t, launch(t, nil), channellayer.Config{Limits: []channellayer.Limit{{Pattern: "one", Capacity: 1}}}, redis.Options{})
	c.send(c.a, "one", 1)
	if err := c.a.Send(c.ctx, "one", number(2)); !errors.Is(err, channellayer.ErrChannelFull) {
		t.Errorf("the second message got %v, want ErrChannelFull", err)
	}
	c.send(c.a, "two", 1)
	c.send(c.a, "two", 2)
}

func TestK5_P2_P3_AChannelOfItsOwn(t *testing.T) {
	t.Parallel()
	c := on(t, launch(t, nil), channellayer.Config{}, redis.Options{})
	sub := c.member(c.a)
	c.send(c.a, sub.Name(), 1)
	c.expect(sub, 1)
	sent := make(chan error)
	go func() { sent <- c.b.Send(c.ctx, sub.Name(), number(2)) }() // another node, another goroutine
	if err := <-sent; err != nil {
		t.Fatal(err)
	}
	c.expect(sub, 2)
}

func TestK8_AChannelOfNobody(t *testing.T) {
	t.Parallel()
	c := on(t, launch(t, nil), channellayer.Config{}, redis.Options{})
	if err := c.a.Send(c.ctx, "not-client-prefix!local_part", number(1)); !errors.Is(err, channellayer.ErrNoSubscriber) {
		t.Errorf("got %v, want ErrNoSubscriber", err)
	}
}

func TestK9_P5_Groups(t *testing.T) {
	t.Parallel()
	c := on(t, launch(t, nil), channellayer.Config{}, redis.Options{})
	one, two, three := c.member(c.a, "g"), c.member(c.b, "g"), c.member(c.b, "g")
	if err := c.b.GroupDiscard(c.ctx, "g", two.Name()); err != nil {
		t.Fatal(err)
	}
	c.groupSend(c.a, "g", 1)
	c.expect(one, 1)
	c.expect(three, 1)
	c.silent(c.b, two)
}

func TestK10_K14_GroupSendPastTheCapacity(t *testing.T) {
	t.Parallel()
	drops := make(chan channellayer.Drop, 10)
	c := on(t, launch(t, nil), channellayer.Config{Capacity: 3, Observer: func(d channellayer.Drop) { drops <- d }}, redis.Options{})
	here, there := c.member(c.a, "test-group"), c.member(c.b, "test-group")
	for n := range 4 {
		want := channellayer.Delivery{Delivered: 1}
		if n == 3 {
			want = channellayer.Delivery{Dropped: 1} // what theirs writes to the log as "1 of 1 channels over capacity"
		}
		if d := c.groupSend(c.a, "test-group", n); d.Delivered != want.Delivered || d.Dropped != want.Dropped {
			t.Errorf("send %d: %+v, want %+v", n, d, want)
		}
	}
	for range 2 { // each node tells of its own
		d := <-drops
		if d.Reason != channellayer.DropFull || string(d.Message.Payload) != "3" || d.Channel != here.Name() && d.Channel != there.Name() {
			t.Errorf("got %+v", d)
		}
	}
	c.expect(here, 0, 1, 2)
	c.expect(there, 0, 1, 2)
}

func TestK11_GroupsOverTenLanes(t *testing.T) {
	t.Parallel()
	c := on(t, launch(t, nil), channellayer.Config{}, redis.Options{Sharded: true, Lanes: 10})
	var subs []*channellayer.Subscription
	for i := range 20 { // on all lanes, in all likelihood
		subs = append(subs, c.member(c.b, "all", fmt.Sprint("group ", i)))
	}
	if err := subs[0].Leave(c.ctx, "group 0"); err != nil {
		t.Fatal(err)
	}
	for i := range subs {
		c.groupSend(c.a, fmt.Sprint("group ", i), i)
		c.groupSend(c.a, fmt.Sprint("group ", i), 100+i)
	}
	for i, sub := range subs[1:] {
		c.expect(sub, i+1, 101+i)
	}
	c.groupSend(c.a, "all", 7)
	for _, sub := range subs {
		c.expect(sub, 7)
	}
}

func TestK12_P6_ManyOfOneNode(t *testing.T) {
	t.Parallel()
	c := on(t, launch(t, nil), channellayer.Config{}, redis.Options{})
	var subs []*channellayer.Subscription
	for range 3 { // which share the inbox of their node
		subs = append(subs, c.member(c.b, "g"))
	}
	c.groupSend(c.a, "g", 1)
	for i, sub := range subs {
		c.send(c.a, sub.Name(), 10+i)
	}
	for i, sub := range subs {
		m, err := sub.Receive(c.ctx)
		if err != nil {
			t.Fatal(err)
		}
		first, _ := channellayer.Value[int](m)
		c.expect(sub, 11+i-first) // between a group and a channel there is no order
		if first != 1 && first != 10+i {
			t.Errorf("subscriber %d got %d", i, first)
		}
	}
}

func TestK13_ThousandMembers(t *testing.T) {
	t.Parallel()
	c := on(t, launch(t, nil), channellayer.Config{}, redis.Options{Sharded: true, Lanes: 10})
	subs := make([]*channellayer.Subscription, 1000)
	for i := range subs {
		subs[i] = c.member(c.b, "g")
	}
	begin := time.Now()
	c.groupSend(c.a, "g", 1)
	for _, sub := range subs {
		c.expect(sub, 1)
	}
	took := time.Since(begin)
	t.Logf("a group send to 1,000 members on another node took %v", took.Round(time.Microsecond))
	if took > time.Second { // theirs gives a hundred members 10 s
		t.Errorf("it took %v", took)
	}
}

func TestK15_OneOfTwoIsFull(t *testing.T) {
	t.Parallel()
	c := on(t, launch(t, nil), channellayer.Config{Capacity: 3}, redis.Options{})
	full, empty := c.member(c.a, "g"), c.member(c.a, "g")
	c.send(c.a, full.Name(), 0)
	c.groupSend(c.a, "g", 1)
	c.groupSend(c.a, "g", 2)
	if d := c.groupSend(c.a, "g", 3); d.Delivered != 1 || d.Dropped != 1 {
		t.Errorf("%+v, want one of two dropped", d)
	}
	c.expect(full, 0, 1, 2)
	c.expect(empty, 1, 2, 3)
}

// The names on the server are what a program in another language publishes to.
func TestK23_NamesOnTheServer(t *testing.T) {
	t.Parallel()
	s := launch(t, nil)
	for prefix, name := range map[string]string{"": "portico:g.test_5fgroup", "test_prefix:": "test_prefix:g.test_5fgroup"} {
		c := on(t, s, channellayer.Config{}, redis.Options{Prefix: prefix})
		c.member(c.a, "test_group")
		if got := s.do("PUBLISH", name, "?"); got != ":1" {
			t.Errorf("PUBLISH %s reaches %s nodes, want :1", name, got)
		}
	}
}

// Each subject has one lane, which all nodes work out alike. The vectors are ours: CRC-32 (IEEE) modulo the lanes.
func TestZ6_LaneOfASubject(t *testing.T) {
	t.Parallel()
	s := launch(t, nil)
	for _, tt := range []struct {
		group string
		lanes int
		name  string
	}{
		{"key-one", 2, "portico:{1}g.key-one"},
		{"key-two", 2, "portico:{0}g.key-two"},
		{"key-one", 10, "portico:{5}g.key-one"},
		{"key-two", 10, "portico:{4}g.key-two"},
		{"key-two", 1, "portico:{0}g.key-two"},
	} {
		c := on(t, s, channellayer.Config{}, redis.Options{Sharded: true, Lanes: tt.lanes})
		c.member(c.a, tt.group)
		if got := s.do("SPUBLISH", tt.name, "?"); got != ":1" {
			t.Errorf("%d lanes: SPUBLISH %s reaches %s nodes, want :1", tt.lanes, tt.name, got)
		}
		c.a.Close()
		c.b.Close()
	}
}

func TestP1_CloseLeavesNothing(t *testing.T) { // not parallel: it counts goroutines
	s := launch(t, nil)
	before := goleak.IgnoreCurrent()
	h, err := channellayer.New(channellayer.Config{Broker: open(t, redis.Options{Client: rueidis.ClientOption{InitAddress: []string{s.addr}}})})
	if err != nil {
		t.Fatal(err)
	}
	sub, err := h.Subscribe(h.NewChannel("test"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(sub.Join(t.Context(), "g"), h.Close()); err != nil {
		t.Fatal(err)
	}
	runtime.Gosched()
	goleak.VerifyNone(t, before)
}

func TestK6_P4_Order(t *testing.T) {
	t.Parallel()
	c := on(t, launch(t, nil), channellayer.Config{}, redis.Options{})
	sub := c.member(c.b, "g")
	for n := range 3 {
		c.send(c.a, sub.Name(), n)
	}
	c.expect(sub, 0, 1, 2)
	for n := range 3 {
		c.groupSend(c.a, "g", n)
	}
	c.expect(sub, 0, 1, 2)
}

func TestP13_KilledConnections(t *testing.T) {
	t.Parallel()
	s := launch(t, nil)
	c := on(t, s, channellayer.Config{}, redis.Options{})
	stays, goes := c.member(c.b, "g"), c.member(c.b, "g", "h")
	for range 2 {
		if got := s.do("CLIENT", "KILL", "TYPE", "pubsub"); got == ":0" || got[0] != ':' {
			t.Fatalf("CLIENT KILL: %s", got)
		}
		told(t, c.ctx, stays, false)
		if err := c.b.GroupDiscard(c.ctx, "g", goes.Name()); err != nil && !errors.Is(err, channellayer.ErrBrokerDown) {
			t.Fatal(err)
		}
		told(t, c.ctx, stays, true)
	}
	begin := time.Now()
	for heard := false; !heard; { // the sending node may come back later
		if _, err := c.a.GroupSend(c.ctx, "g", number(1)); err != nil && !errors.Is(err, channellayer.ErrBrokerDown) {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(c.ctx, 50*time.Millisecond)
		m, err := stays.Receive(ctx)
		cancel()
		heard = err == nil && m.Kind == channellayer.KindEvent
		if c.ctx.Err() != nil {
			t.Fatal("no message comes")
		}
	}
	if took := time.Since(begin); took > 5*time.Second {
		t.Errorf("messages came after %v", took)
	}
	c.groupSend(c.a, "h", 2)
	c.expect(goes, 2) // and nothing of the group that it has left
}

func TestP14_DiscardBeforeAdd(t *testing.T) {
	t.Parallel()
	c := on(t, launch(t, nil), channellayer.Config{}, redis.Options{})
	sub := c.member(c.b)
	for _, channel := range []string{sub.Name(), "nobody"} {
		if err := c.b.GroupDiscard(c.ctx, "g", channel); err != nil {
			t.Errorf("%s: %v", channel, err)
		}
	}
	if err := sub.Join(c.ctx, "g"); err != nil {
		t.Fatal(err)
	}
	c.groupSend(c.a, "g", 1)
	c.expect(sub, 1)
}
