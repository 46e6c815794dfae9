package redis_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"github.com/portico-go/portico/channellayer"
	"github.com/portico-go/portico/channellayer/layertest"
	"github.com/portico-go/portico/channellayer/redis"
)

// durable is the configuration of a server that acknowledges what is on its disk.
var durable = []string{"appendonly yes", "appendfsync always"}

func TestHistoryStandalone(t *testing.T) {
	t.Parallel()
	for _, sharded := range []bool{false, true} {
		t.Run(fmt.Sprintf("sharded=%v", sharded), func(t *testing.T) {
			t.Parallel()
			s := launch(t, durable)
			layertest.History(t, layertest.Backend{
				Broker: func(t *testing.T) channellayer.Broker {
					return open(t, redis.Options{Client: rueidis.ClientOption{InitAddress: []string{s.addr}}, Sharded: sharded})
				},
				Stop:     func(*testing.T) { s.kill() },
				Start:    func(*testing.T) { s.start() },
				Patience: patience,
				Durable:  true,
			})
		})
	}
}

// A server that keeps nothing on disk loses what it had, and members are told.
func TestHistoryInMemory(t *testing.T) {
	t.Parallel()
	s := launch(t, nil)
	layertest.History(t, layertest.Backend{
		Broker: func(t *testing.T) channellayer.Broker {
			return open(t, redis.Options{Client: rueidis.ClientOption{InitAddress: []string{s.addr}}})
		},
		Stop:     func(*testing.T) { s.kill() },
		Start:    func(*testing.T) { s.start() },
		Patience: patience,
	})
}

func TestHistorySentinel(t *testing.T) {
	t.Parallel()
	master, _, options := launchSentinels(t, time.Hour)
	layertest.History(t, layertest.Backend{
		Broker:   func(t *testing.T) channellayer.Broker { return open(t, options) },
		Stop:     func(*testing.T) { master.kill() },
		Start:    func(*testing.T) { master.start() },
		Patience: patience,
	})
}

func TestHistoryCluster(t *testing.T) {
	t.Parallel()
	for _, sharded := range []bool{false, true} {
		t.Run(fmt.Sprintf("sharded=%v", sharded), func(t *testing.T) {
			t.Parallel()
			servers := launchCluster(t, 0)
			layertest.History(t, layertest.Backend{
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
			})
		})
	}
}
