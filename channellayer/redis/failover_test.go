package redis_test

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"github.com/portico-go/portico/channellayer"
	"github.com/portico-go/portico/channellayer/redis"
)

// After a failover the replica may lack the end of the history. Every client knows then whether it has had everything: a recovery is exact, with the messages that
// came after the client's last one in the order of the new master, or says that it is not; and so it is for a member who stayed.
func TestHistoryAfterSentinelFailover(t *testing.T) {
	t.Parallel()
	master, replica, options := launchSentinels(t, time.Second)
	failOver(t, master, replica, "g", options)
}

// So it is in a Cluster, where the connections that nodes listen on may be to other servers than the one that goes.
func TestHistoryAfterLossOfAClusterMaster(t *testing.T) {
	t.Parallel()
	for _, sharded := range []bool{false, true} {
		t.Run(fmt.Sprintf("sharded=%v", sharded), func(t *testing.T) {
			t.Parallel()
			servers := launchCluster(t, 1)
			o := redis.Options{Client: rueidis.ClientOption{InitAddress: addresses(servers)}, Sharded: sharded, Lanes: 8}
			failOver(t, servers[0], servers[3], groupAt(t, servers[0], sharded, 8), o)
		})
	}
}

// groupAt returns the name of a group whose history is at the first master of a Cluster, which has the first third of the slots.
func groupAt(t *testing.T, s *server, sharded bool, lanes uint32) string {
	t.Helper()
	for i := range 100 {
		subject := fmt.Sprint("h.group-", i)
		tag := subject
		if sharded {
			tag = fmt.Sprint(crc32.ChecksumIEEE([]byte(subject)) % lanes)
		}
		slot, err := strconv.Atoi(strings.TrimPrefix(s.do("CLUSTER", "KEYSLOT", tag), ":"))
		if err != nil {
			t.Fatal(err)
		}
		if slot < 5462 {
			return fmt.Sprint("group-", i)
		}
	}
	t.Fatal("no group is at the first master")
	return ""
}

// failOver kills a master that has stored messages that its replica lacks, and compares what everybody knows with what is left in the end.
func failOver(t *testing.T, master, replica *server, group string, options redis.Options) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 4*patience)
	defer cancel()
	hubs := historyHubs(t, options)
	stayed := stay(t, ctx, hubs[1], group)
	positions := &marks{}
	sending, stop := context.WithCancel(ctx)
	var senders sync.WaitGroup
	for i := range 4 {
		senders.Go(func() { positions.send(t, ctx, sending, hubs[0], group, i) })
	}
	await(t, "messages are stored", func() bool { return positions.count() > 200 })
	freeze(t, replica)
	if got := master.do("CLIENT", "KILL", "TYPE", "replica"); got != ":1" {
		t.Fatal(got)
	}
	before := positions.count()
	await(t, "messages are stored that the replica lacks", func() bool { return positions.count() > before+50 })
	master.kill()
	thaw(t, replica)
	await(t, "the replica is master", func() bool { return strings.Contains(replica.do("INFO", "replication"), "role:master") })
	after := positions.count()
	begin := time.Now()
	await(t, "messages are stored again", func() bool { return positions.count() > after+200 })
	t.Logf("messages were stored again %v after the failover", time.Since(begin).Round(time.Millisecond))
	stop()
	senders.Wait()
	stayed.finish(t, ctx, hubs[0], group)
	final := finalHistoryOf(t, ctx, hubs[0], group)
	positions.check(t, ctx, hubs, group, final)
	stayed.check(t, final)
}

// historyHubs returns two nodes whose groups have a history that is long enough for everything.
func historyHubs(t *testing.T, o redis.Options) [2]*channellayer.Hub {
	t.Helper()
	var hubs [2]*channellayer.Hub
	for i := range hubs {
		h, err := channellayer.New(channellayer.Config{
			Broker:   open(t, o),
			Capacity: 10_000,
			History:  []channellayer.History{{Pattern: "*", Size: 1_000_000, Age: time.Hour}},
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { h.Close() })
		hubs[i] = h
	}
	return hubs
}

// marks are the positions of messages that were acknowledged.
type marks struct {
	mu  sync.Mutex
	all []mark
}

type mark struct {
	channellayer.Position
	text string
}

func (k *marks) count() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return len(k.all)
}

func (k *marks) send(t *testing.T, ctx, sending context.Context, h *channellayer.Hub, group string, sender int) {
	for n := 0; sleep(sending, 4*time.Millisecond); n++ {
		text := fmt.Sprint(sender, " ", n)
		d, err := h.GroupSend(ctx, group, channellayer.Event{Type: "t", Value: text})
		switch {
		case err == nil:
			k.mu.Lock()
			k.all = append(k.all, mark{d.Position, text})
			k.mu.Unlock()
		case !errors.Is(err, channellayer.ErrUnconfirmed):
			t.Error(err)
		}
	}
}

// check recovers from some of the positions that were acknowledged.
func (k *marks) check(t *testing.T, ctx context.Context, hubs [2]*channellayer.Hub, group string, final finalHistory) {
	t.Helper()
	exact, lost := 0, 0
	for i := 0; i < len(k.all); i += 5 {
		p := k.all[i].Position
		r := recovery(t, ctx, hubs[i%2], group, p)
		at, kept := final.index[p]
		switch {
		case r.Recovered != kept:
			t.Fatalf("%v: recovered %v, and the history has it: %v", p, r.Recovered, kept)
		case kept:
			exact++
			if got := readAll(t, ctx, r); !slices.Equal(got, final.messages[at+1:]) {
				t.Fatalf("%v: recovered %d messages that are not the %d after it", p, len(got), len(final.messages)-at-1)
			}
		case r.Gap != channellayer.GapLost:
			t.Fatalf("%v: %v, expected that the log has lost its end", p, r.Gap)
		default:
			lost++
		}
	}
	t.Logf("%d recoveries were exact, and %d told that the history had lost its end", exact, lost)
	if exact == 0 || lost == 0 {
		t.Errorf("%d recoveries were exact and %d not, expected some of both", exact, lost)
	}
}

// A final history is what the log has in the end.
type finalHistory struct {
	messages []mark
	index    map[channellayer.Position]int
}

func finalHistoryOf(t *testing.T, ctx context.Context, h *channellayer.Hub, group string) finalHistory {
	t.Helper()
	r := recovery(t, ctx, h, group, channellayer.Position{})
	f := finalHistory{messages: readAll(t, ctx, r), index: map[channellayer.Position]int{}}
	for i, m := range f.messages {
		f.index[m.Position] = i
	}
	return f
}

// recovery is Recover, as soon as the node has found the new master.
func recovery(t *testing.T, ctx context.Context, h *channellayer.Hub, group string, after channellayer.Position) *channellayer.Recovery {
	t.Helper()
	for {
		r, err := h.Recover(ctx, group, after)
		switch {
		case err == nil:
			return r
		case !errors.Is(err, channellayer.ErrBrokerDown) || !sleep(ctx, 20*time.Millisecond):
			t.Fatal(err)
		}
	}
}

func readAll(t *testing.T, ctx context.Context, r *channellayer.Recovery) []mark {
	t.Helper()
	var all []mark
	for {
		page, err := r.Next(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if len(page) == 0 {
			return all
		}
		for _, m := range page {
			all = append(all, markOf(t, m))
		}
	}
}

func markOf(t *testing.T, m *channellayer.Message) mark {
	t.Helper()
	text, err := channellayer.Value[string](m)
	if err != nil {
		t.Fatal(err)
	}
	return mark{m.Position(), text}
}

// A stayer is a member who stays, and has the messages between two gaps in one run.
type stayer struct {
	sub  *channellayer.Subscription
	runs [][]mark
	gaps []channellayer.Gap
}

func stay(t *testing.T, ctx context.Context, h *channellayer.Hub, group string) *stayer {
	t.Helper()
	sub, err := h.Subscribe("stayer", nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := sub.Join(ctx, group); err != nil {
		t.Fatal(err)
	}
	return &stayer{sub: sub, runs: make([][]mark, 1)}
}

// finish reads what came, until one of the messages comes that are sent now. The node may come back to the new master late, so the first of these may be among those that it was told it lacks.
func (s *stayer) finish(t *testing.T, ctx context.Context, from *channellayer.Hub, group string) {
	t.Helper()
	for next := time.Now(); ; {
		if !time.Now().Before(next) {
			_, err := from.GroupSend(ctx, group, channellayer.Event{Type: "t", Value: "end"})
			if err != nil && !errors.Is(err, channellayer.ErrUnconfirmed) {
				t.Fatal(err)
			}
			next = time.Now().Add(200 * time.Millisecond)
		}
		waiting, cancel := context.WithDeadline(ctx, next)
		m, err := s.sub.Receive(waiting)
		cancel()
		switch {
		case ctx.Err() != nil:
			t.Fatalf("a member who stayed does not get what is sent now: %v", ctx.Err())
		case err == nil && s.take(t, m):
			return
		}
	}
}

// take notes a message, and reports whether it is one of the last.
func (s *stayer) take(t *testing.T, m *channellayer.Message) bool {
	t.Helper()
	if ev, ok := m.Layer(); ok {
		if ev.Gap != channellayer.GapNone {
			s.gaps = append(s.gaps, ev.Gap)
			s.runs = append(s.runs, nil)
		}
		return false
	}
	last := len(s.runs) - 1
	got := markOf(t, m)
	s.runs[last] = append(s.runs[last], got)
	return got.text == "end"
}

// check expects each run to be without a gap, the last one to be a part of what the history has now, and the loss of its end to have been told once.
func (s *stayer) check(t *testing.T, final finalHistory) {
	t.Helper()
	for i, run := range s.runs {
		for k := 1; k < len(run); k++ {
			if run[k].Offset != run[k-1].Offset+1 {
				t.Errorf("run %d: %v came after %v", i, run[k], run[k-1])
			}
		}
	}
	last := s.runs[len(s.runs)-1]
	if at, ok := final.index[last[0].Position]; !ok || at+len(last) > len(final.messages) || !slices.Equal(last, final.messages[at:at+len(last)]) {
		t.Errorf("what came last, %d messages, is not in the history", len(last))
	}
	if !slices.Equal(s.gaps, []channellayer.Gap{channellayer.GapLost}) {
		t.Errorf("a member who stayed was told of the gaps %v, expected that the end was lost once", s.gaps)
	}
}
