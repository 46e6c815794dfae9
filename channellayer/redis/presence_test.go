package redis_test

import (
	"os"
	"os/exec"
	"testing"

	"github.com/redis/rueidis"

	"github.com/portico-go/portico/channellayer"
	"github.com/portico-go/portico/channellayer/layertest"
	"github.com/portico-go/portico/channellayer/presence/presencetest"
	"github.com/portico-go/portico/channellayer/redis"
)

// presenceBackend is a server of its own, as the suite takes it.
func presenceBackend(t *testing.T) (*server, layertest.Backend) {
	t.Helper()
	s := launch(t, nil)
	return s, layertest.Backend{
		Broker: func(t *testing.T) channellayer.Broker {
			b, err := redis.Open("redis://" + s.addr)
			if err != nil {
				t.Fatal(err)
			}
			return b
		},
		Stop:     func(*testing.T) { s.kill() },
		Start:    func(*testing.T) { s.start() },
		Patience: patience,
	}
}

func TestPresence(t *testing.T) {
	t.Parallel()
	_, b := presenceBackend(t)
	presencetest.Run(t, b)
}

// The presences of a process that gets kill -9 are gone with its lease. The process is this test, run once more.
func TestPresenceKilled(t *testing.T) {
	const victim = "PORTICO_TEST_PRESENCE_VICTIM"
	if url := os.Getenv(victim); url != "" {
		b, err := redis.Open(url)
		if err != nil {
			t.Fatal(err)
		}
		t.Fatalf("it was to be killed, and returned: %v", presencetest.Victim(b))
	}
	t.Parallel()
	s, b := presenceBackend(t)
	cmd := exec.Command(os.Args[0], "-test.run=^TestPresenceKilled$")
	cmd.Env = append(os.Environ(), victim+"=redis://"+s.addr)
	presencetest.Killed(t, b, cmd)
}

// On a Cluster, where beats and groups take different ways.
func TestPresenceCluster(t *testing.T) {
	t.Parallel()
	servers := launchCluster(t, 0)
	presencetest.Run(t, layertest.Backend{
		Broker: func(t *testing.T) channellayer.Broker {
			return open(t, redis.Options{Client: rueidis.ClientOption{InitAddress: addresses(servers)}, Sharded: true})
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
}
