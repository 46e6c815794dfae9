package layertest

import (
	"errors"
	"fmt"
	"time"

	"github.com/portico-go/portico/channellayer"
)

// outageClauses hold when the server goes and comes back.
var outageClauses = []clause{
	{"DownAndUp", downAndUp},
	{"JoinedWhileDown", joinedWhileDown},
	{"StartedWhileDown", startedWhileDown},
	{"CloseWhileDown", closeWhileDown},
	{"SlowMemberIsTold", slowMemberIsTold},
	{"ChurnWhileDown", churnWhileDown},
	{"ManyGroupsComeBack", manyGroupsComeBack},
}

// outage stops the server, and starts it again if the clause ends before it has done so.
func (s *suite) outage() (start func()) {
	s.Helper()
	s.Stop(s.t)
	started := false
	start = func() {
		if !started {
			started = true
			s.Start(s.t)
		}
	}
	s.Cleanup(start)
	return start
}

// isDown checks what a send says while the server is away: that it is, and that members here have it.
func (s *suite) isDown(n *node, group string, i, members int) {
	s.Helper()
	begin := time.Now()
	d, err := n.GroupSend(s.ctx, group, number(i))
	if !errors.Is(err, channellayer.ErrBrokerDown) || d.Delivered != members {
		s.Errorf("send %d without the server: %+v, %v; expected ErrBrokerDown and %d members here", i, d, err, members)
	}
	if took := time.Since(begin); took > s.Patience {
		s.Errorf("send %d without the server took %v", i, took)
	}
}

func downAndUp(s *suite) {
	a, b := s.two()
	here, there, alone := s.member(a, s.group("g")), s.member(b, s.group("g")), s.member(b)
	s.groupSend(a, s.group("g"), 0)
	s.expect(here, 0)
	s.expect(there, 0)
	for round := 1; round <= 2; round++ {
		start := s.outage()
		down := s.layer(here, false)
		s.layer(there, false)
		if down.Err == nil || time.Since(down.Since) > s.Patience {
			s.Errorf("got %+v, expected a reason and a time", down)
		}
		s.isDown(a, s.group("g"), round, 1)
		s.isDown(b, s.group("g"), round, 1)
		s.expect(here, round)
		s.expect(there, round)
		if err := a.Send(s.ctx, there.Name(), number(1)); !errors.Is(err, channellayer.ErrBrokerDown) {
			s.Errorf("a send to a channel of another node got %v, expected ErrBrokerDown", err)
		}
		start()
		if up := s.layer(here, true); !up.Since.Equal(down.Since) {
			s.Errorf("the gap began at %v when the server went, and at %v when it was back", down.Since, up.Since)
		}
		s.layer(there, true)
		for i := range 10 {
			s.groupSend(a, s.group("g"), 100+i)
			s.groupSend(b, s.group("g"), 200+i)
			s.expectBoth(here, 100+i, 200+i)
			s.expectBoth(there, 100+i, 200+i)
		}
		if err := a.Send(s.ctx, there.Name(), number(7)); err != nil {
			s.Error(err)
		}
		s.expect(there, 7)
	}
	s.empty(alone) // it is in no group, so it misses none
	if st := a.Stats(); st.Unpublished != 4 || !st.BrokerUp {
		s.Errorf("%+v, expected 4 unpublished messages and the broker up", st)
	}
}

// expectBoth takes two numbers of different senders, which come in any order.
func (s *suite) expectBoth(sub *channellayer.Subscription, x, y int) {
	s.Helper()
	first, second := s.value(s.next(sub)), s.value(s.next(sub))
	if (first != x || second != y) && (first != y || second != x) {
		s.Fatalf("got %d and %d, expected %d and %d", first, second, x, y)
	}
}

func joinedWhileDown(s *suite) {
	a, b := s.two()
	early, late := s.member(b, s.group("early")), s.member(b, s.group("other"))
	start := s.outage()
	s.layer(early, false)
	s.layer(late, false)
	if err := late.Join(s.ctx, s.group("late")); !errors.Is(err, channellayer.ErrBrokerDown) {
		s.Errorf("a join without the server got %v, expected ErrBrokerDown", err)
	}
	s.isDown(b, s.group("late"), 1, 1)
	s.expect(late, 1)
	s.leave(early, s.group("early"))
	start()
	s.layer(late, true)
	s.eventually("the sending node is up", func() bool { return a.Stats().BrokerUp })
	s.groupSend(a, s.group("early"), 2)
	s.groupSend(a, s.group("late"), 3)
	s.expect(late, 3)
	s.empty(early)
}

func startedWhileDown(s *suite) {
	start := s.outage()
	n := s.node(channellayer.Config{})
	sub := s.member(n)
	if err := sub.Join(s.ctx, s.group("g")); !errors.Is(err, channellayer.ErrBrokerDown) {
		s.Errorf("a join without the server got %v, expected ErrBrokerDown", err)
	}
	s.isDown(n, s.group("g"), 1, 1)
	s.expect(sub, 1)
	start()
	s.layer(sub, true)
	s.groupSend(s.node(channellayer.Config{}), s.group("g"), 2)
	s.expect(sub, 2)
}

func closeWhileDown(s *suite) {
	n := s.node(channellayer.Config{})
	sub := s.member(n, s.group("g"))
	s.outage()
	s.layer(sub, false)
	begin := time.Now()
	_ = n.Close() // the server is not there to say good-bye to
	if took := time.Since(begin); took > s.Patience {
		s.Errorf("close took %v", took)
	}
}

// Who does not read is told of the gap all the same, when there is no room left.
func slowMemberIsTold(s *suite) {
	n := s.node(channellayer.Config{Capacity: 3})
	slow, quick := s.member(n, s.group("g")), s.member(n, s.group("g"))
	for i := range 4 {
		s.groupSend(n, s.group("g"), i)
		s.expect(quick, i)
	}
	start := s.outage()
	s.layer(quick, false)
	start()
	s.layer(quick, true)
	s.eventually("the slow member is told too", func() bool { return n.Stats().Dropped == 3 }) // a message for each event, and one before
	s.expect(slow, 2)
	s.layer(slow, false)
	s.layer(slow, true)
	s.empty(slow)
}

// What comes and goes during an outage leaves nothing behind.
func churnWhileDown(s *suite) {
	a, b := s.two()
	sub := s.member(b, s.group("g"))
	start := s.outage()
	s.layer(sub, false)
	for i := range 1000 {
		if err := sub.Join(s.ctx, s.group(fmt.Sprint(i))); !errors.Is(err, channellayer.ErrBrokerDown) {
			s.Fatalf("a join without the server got %v, expected ErrBrokerDown", err)
		}
		s.leave(sub, s.group(fmt.Sprint(i)))
	}
	before := b.tap.subscribed.Load()
	start()
	s.layer(sub, true)
	if n := b.tap.subscribed.Load() - before; n > 4 { // the inbox and g, and perhaps once more
		s.Errorf("the node came back with %d subscriptions, expected 2", n)
	}
	s.eventually("the sending node is up", func() bool { return a.Stats().BrokerUp })
	s.groupSend(a, s.group("g"), 1)
	s.expect(sub, 1)
}

func manyGroupsComeBack(s *suite) {
	a, b := s.two()
	sub := s.member(b, s.group("0"))
	joined := make(chan error, s.Groups)
	limit := make(chan struct{}, 256)
	for i := range s.Groups {
		limit <- struct{}{}
		go func() {
			joined <- sub.Join(s.ctx, s.group(fmt.Sprint(i)))
			<-limit
		}()
	}
	for range s.Groups {
		if err := <-joined; err != nil {
			s.Fatal(err)
		}
	}
	start := s.outage()
	s.layer(sub, false)
	begin := time.Now()
	start()
	s.layer(sub, true)
	s.Logf("%d groups were back %v after the server began to start", s.Groups, time.Since(begin).Round(time.Millisecond))
	s.eventually("the sending node is up", func() bool { return a.Stats().BrokerUp })
	for _, i := range []int{0, 1, s.Groups / 2, s.Groups - 1} {
		s.groupSend(a, s.group(fmt.Sprint(i)), i)
		s.expect(sub, i)
	}
}
