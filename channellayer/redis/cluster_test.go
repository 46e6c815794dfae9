package redis_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"github.com/portico-go/portico/channellayer"
	"github.com/portico-go/portico/channellayer/layertest"
	"github.com/portico-go/portico/channellayer/redis"
)

// launchCluster starts three masters, and replicas for the first of them.
func launchCluster(t *testing.T, replicas int) []*server {
	t.Helper()
	servers := make([]*server, 3+replicas)
	for i := range servers {
		servers[i] = launch(t, []string{
			"cluster-enabled yes", "cluster-config-file nodes.conf", "cluster-node-timeout 1000", "cluster-replica-validity-factor 0",
		})
	}
	first := servers[0]
	for i, s := range servers {
		if i < 3 {
			if got := s.do("CLUSTER", "ADDSLOTSRANGE", fmt.Sprint(i*5462), fmt.Sprint(min(i*5462+5461, 16383))); got != "+OK" {
				t.Fatal(got)
			}
		}
		if i > 0 {
			host, port, _ := strings.Cut(s.addr, ":")
			first.do("CLUSTER", "MEET", host, port)
		}
	}
	for _, s := range servers {
		await(t, "the cluster is whole", func() bool {
			return strings.Contains(s.do("CLUSTER", "INFO"), "cluster_state:ok") && strings.Count(s.do("CLUSTER", "NODES"), "connected") == len(servers)
		})
	}
	for _, s := range servers[3:] {
		id := first.do("CLUSTER", "MYID")
		await(t, "the replica follows", func() bool { return s.do("CLUSTER", "REPLICATE", id) == "+OK" })
		await(t, "the replica is in step", func() bool { return strings.Contains(s.do("INFO", "replication"), "master_link_status:up") })
	}
	return servers
}

func await(t *testing.T, what string, holds func() bool) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); !holds(); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatalf("after %v still not: %s", patience, what)
		}
	}
}

func addresses(servers []*server) []string {
	var all []string
	for _, s := range servers {
		all = append(all, s.addr)
	}
	return all
}

func TestCluster(t *testing.T) {
	t.Parallel()
	for _, sharded := range []bool{false, true} {
		t.Run(fmt.Sprintf("sharded=%v", sharded), func(t *testing.T) {
			t.Parallel()
			servers := launchCluster(t, 0)
			layertest.Run(t, layertest.Backend{
				Broker: func(t *testing.T) channellayer.Broker {
					return open(t, redis.Options{Client: rueidis.ClientOption{InitAddress: addresses(servers)}, Sharded: sharded})
				},
				Stop: func(*testing.T) {
					for _, s := range servers {
						s.kill()
					}
				},
				Start: func(*testing.T) {
					for _, s := range servers {
						s.start()
					}
				},
				Patience: patience,
				Groups:   1000,
			})
		})
	}
}

// crossing reports how long it takes until a message crosses from one node to the other.
func crossing(t *testing.T, ctx context.Context, from *channellayer.Hub, to *channellayer.Subscription, group string) time.Duration {
	t.Helper()
	begin := time.Now()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for n := 0; ; n++ {
		_, _ = from.GroupSend(ctx, group, channellayer.Event{Type: "t", Value: n}) // fails until it works
		for m, ok := to.Next(); ok; m, ok = to.Next() {
			if m.Kind == channellayer.KindEvent {
				return time.Since(begin)
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("no message crossed within %v", time.Since(begin))
		}
	}
}

// nodes returns two hubs, and a member of the group on the second.
func nodes(t *testing.T, ctx context.Context, o redis.Options, groups ...string) (*channellayer.Hub, *channellayer.Subscription) {
	t.Helper()
	var hubs [2]*channellayer.Hub
	for i := range hubs {
		h, err := channellayer.New(channellayer.Config{Broker: open(t, o)})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { h.Close() })
		hubs[i] = h
	}
	sub, err := hubs[1].Subscribe(hubs[1].NewChannel("x"), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range groups {
		if err := sub.Join(ctx, g); err != nil {
			t.Fatal(err)
		}
	}
	return hubs[0], sub
}

// told takes the news that the broker has gone, or is back.
func told(t *testing.T, ctx context.Context, sub *channellayer.Subscription, up bool) {
	t.Helper()
	for {
		m, err := sub.Receive(ctx)
		if err != nil {
			t.Fatalf("not told that Up is %v: %v", up, err)
		}
		if ev, ok := m.Layer(); ok && ev.Up == up {
			return
		}
	}
}

func TestLossOfAClusterMaster(t *testing.T) {
	t.Parallel()
	for _, sharded := range []bool{false, true} {
		t.Run(fmt.Sprintf("sharded=%v", sharded), func(t *testing.T) {
			t.Parallel()
			servers := launchCluster(t, 1)
			ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
			defer cancel()
			groups := []string{"a", "b", "c", "d", "e", "f", "g", "h"} // in several slots
			from, to := nodes(t, ctx, redis.Options{Client: rueidis.ClientOption{InitAddress: addresses(servers)}, Sharded: sharded}, groups...)
			for _, g := range groups {
				crossing(t, ctx, from, to, g)
			}
			servers[0].kill()
			await(t, "the replica is master", func() bool {
				return strings.Contains(servers[3].do("INFO", "replication"), "role:master") &&
					strings.Contains(servers[1].do("CLUSTER", "INFO"), "cluster_state:ok")
			})
			begin := time.Now()
			for _, g := range groups {
				crossing(t, ctx, from, to, g)
			}
			if took := time.Since(begin); took > 3*time.Second {
				t.Errorf("messages crossed %v after the failover", took)
			}
		})
	}
}

// launchSentinels starts a master, a replica, and three Sentinels that take the master for gone after a while.
func launchSentinels(t *testing.T, after time.Duration) (master, replica *server, options redis.Options) {
	t.Helper()
	master = launch(t, nil)
	host, port, _ := strings.Cut(master.addr, ":")
	replica = launch(t, []string{"replicaof " + host + " " + port})
	await(t, "the replica is in step", func() bool { return strings.Contains(replica.do("INFO", "replication"), "master_link_status:up") })
	var sentinels []*server
	for range 3 {
		sentinels = append(sentinels, launch(t, []string{
			"sentinel monitor chat " + host + " " + port + " 2",
			fmt.Sprint("sentinel down-after-milliseconds chat ", after.Milliseconds()),
			"sentinel failover-timeout chat 10000",
		}, "--sentinel"))
	}
	for _, s := range sentinels {
		await(t, "the sentinel knows the others", func() bool {
			return strings.Contains(s.do("INFO", "sentinel"), "slaves=1,sentinels=3")
		})
	}
	return master, replica, redis.Options{
		Client: rueidis.ClientOption{InitAddress: addresses(sentinels), Sentinel: rueidis.SentinelOption{MasterSet: "chat"}},
	}
}

func TestSentinel(t *testing.T) {
	t.Parallel()
	master, _, options := launchSentinels(t, time.Hour)
	layertest.Run(t, layertest.Backend{
		Broker:   func(t *testing.T) channellayer.Broker { return open(t, options) },
		Stop:     func(*testing.T) { master.kill() },
		Start:    func(*testing.T) { master.start() },
		Patience: patience,
		Groups:   1000,
	})
}

func TestSentinelFailover(t *testing.T) {
	t.Parallel()
	master, replica, options := launchSentinels(t, time.Second)
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	defer cancel()
	from, to := nodes(t, ctx, options, "g")
	crossing(t, ctx, from, to, "g")
	master.kill()
	told(t, ctx, to, false)
	await(t, "the replica is master", func() bool { return strings.Contains(replica.do("INFO", "replication"), "role:master") })
	if took := crossing(t, ctx, from, to, "g"); took > 3*time.Second {
		t.Errorf("a message crossed %v after the failover", took)
	}
}
