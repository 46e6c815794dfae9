package presencetest_test

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/portico-go/portico/channellayer"
	"github.com/portico-go/portico/channellayer/layertest"
	"github.com/portico-go/portico/channellayer/presence/presencetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestMemory(t *testing.T) {
	t.Parallel()
	presencetest.Run(t, layertest.Backend{})
}

func TestLoopback(t *testing.T) {
	t.Parallel()
	var server layertest.Loopback
	presencetest.Run(t, layertest.Backend{
		Broker: func(*testing.T) channellayer.Broker { return server.Broker() },
		Stop:   func(*testing.T) { server.Stop() },
		Start:  func(*testing.T) { server.Start() },
	})
	if n := server.Subscriptions(); n != 0 {
		t.Errorf("%d subscriptions are left", n)
	}
}
