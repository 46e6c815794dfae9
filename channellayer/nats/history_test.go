package nats_test

import (
	"testing"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/portico-go/portico/channellayer"
	"github.com/portico-go/portico/channellayer/layertest"
	"github.com/portico-go/portico/channellayer/nats"
)

// jetStream are the options of a server with JetStream.
func jetStream(t *testing.T) server.Options {
	t.Helper()
	return server.Options{JetStream: true, StoreDir: t.TempDir(), SyncAlways: true, MaxPayload: 8 << 20, MaxPending: 64 << 20}
}

func newBroker(t testing.TB, o nats.Options) *nats.Broker {
	t.Helper()
	b, err := nats.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestHistory(t *testing.T) {
	t.Parallel()
	for name, memory := range map[string]bool{"file": false, "memory": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := launch(t, jetStream(t))
			url := s.url()
			layertest.History(t, layertest.Backend{
				Broker: func(t *testing.T) channellayer.Broker {
					return newBroker(t, nats.Options{URL: url, Prefix: "suite.a.", History: nats.StreamOptions{Memory: memory}})
				},
				Stop:     func(*testing.T) { s.stop() },
				Start:    func(*testing.T) { s.start() },
				Patience: patience,
				Durable:  !memory,
			})
		})
	}
}
