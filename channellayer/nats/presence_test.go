package nats_test

import (
	"os"
	"os/exec"
	"testing"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/portico-go/portico/channellayer"
	"github.com/portico-go/portico/channellayer/layertest"
	"github.com/portico-go/portico/channellayer/nats"
	"github.com/portico-go/portico/channellayer/presence/presencetest"
)

// presenceBackend is a server of its own, with the limits that a server has by default.
func presenceBackend(t *testing.T) (url string, b layertest.Backend) {
	t.Helper()
	s := launch(t, server.Options{})
	url = s.url()
	return url, layertest.Backend{
		Broker: func(t *testing.T) channellayer.Broker {
			b, err := nats.Open(url)
			if err != nil {
				t.Fatal(err)
			}
			return b
		},
		Stop:     func(*testing.T) { s.stop() },
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
		b, err := nats.Open(url)
		if err != nil {
			t.Fatal(err)
		}
		t.Fatalf("it was to be killed, and returned: %v", presencetest.Victim(b))
	}
	t.Parallel()
	url, b := presenceBackend(t)
	cmd := exec.Command(os.Args[0], "-test.run=^TestPresenceKilled$")
	cmd.Env = append(os.Environ(), victim+"="+url)
	presencetest.Killed(t, b, cmd)
}
