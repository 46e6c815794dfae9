package redis_test

import (
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
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

// The rights that the deployment page names are enough for a history, with those of a broker.
func TestHistoryRights(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/deployment.md")
	if err != nil {
		t.Fatal(err)
	}
	rights := regexp.MustCompile("with ACLs: `([^`]+)` and the channels `([^`]+)`").FindStringSubmatch(string(page))
	more := regexp.MustCompile("More rights, besides those above: `([^`]+)`\\s+and the keys `([^`]+)`").FindStringSubmatch(string(page))
	if rights == nil || more == nil {
		t.Fatal("the page names no rights")
	}
	s := launch(t, []string{strings.Join(append([]string{"user default off", "\nuser chat on >secret resetchannels", more[2], more[1]}, rights[2], rights[1]), " ")})
	for _, query := range []string{"", "?sharded=true&lanes=2"} {
		b, err := redis.Open("redis://chat:secret@" + s.addr + query)
		if err != nil {
			t.Fatal(err)
		}
		hub, err := channellayer.New(channellayer.Config{Broker: b, History: []channellayer.History{{Pattern: "*", Size: 2, Age: time.Hour}}})
		if err != nil {
			t.Fatal(err)
		}
		defer hub.Close()
		for i := range 4 {
			ev := channellayer.Event{Type: "t", Header: channellayer.Header{{Key: channellayer.HeaderIdempotencyKey, Value: strconv.Itoa(i)}}}
			if _, err := hub.GroupSend(t.Context(), "g", ev); err != nil {
				t.Fatal(err)
			}
		}
		r, err := hub.Recover(t.Context(), "g", channellayer.Position{})
		if err != nil {
			t.Fatal(err)
		}
		if page, err := r.Next(t.Context()); err != nil || len(page) != 2 {
			t.Errorf("%q: %d messages, %v; expected 2", query, len(page), err)
		}
	}
}
