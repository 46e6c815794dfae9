package nats_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/portico-go/portico/channellayer"
	"github.com/portico-go/portico/channellayer/layertest"
)

// soakVariable is for how long TestSoak runs, such as 1m, instead of a few seconds.
const soakVariable = "PORTICO_SOAK"

// launchDurable starts the server with JetStream, which has each write on its disk before it answers.
func launchDurable(t testing.TB) *program {
	t.Helper()
	dir := t.TempDir()
	config := filepath.Join(dir, "nats.conf")
	lines := fmt.Sprintf("max_payload: 8MB\nmax_pending: 64MB\njetstream {\n  store_dir: %q\n  sync_interval: always\n}\n", filepath.Join(dir, "store"))
	if err := os.WriteFile(config, []byte(lines), 0o600); err != nil {
		t.Fatal(err)
	}
	return launchProgram(t, "-c", config)
}

// The server is killed again and again under a thousand messages a second. Nothing that it acknowledged is missing anywhere, or comes twice. In a soak that takes longer, and the contracts are held by a
// cluster too.
func TestSoak(t *testing.T) {
	t.Parallel()
	length := 4 * time.Second
	if v := os.Getenv(soakVariable); v != "" {
		var err error
		if length, err = time.ParseDuration(v); err != nil {
			t.Fatalf("%s: %v", soakVariable, err)
		}
		t.Run("HistoryCluster", historyCluster)
		t.Run("JobsCluster", jobsCluster)
	}
	p := launchDurable(t)
	layertest.Crashes(t, layertest.Backend{
		Broker:   func(t *testing.T) channellayer.Broker { return open(t, p.url()) },
		Stop:     func(*testing.T) { p.kill() },
		Start:    func(*testing.T) { p.start() },
		Patience: patience,
		Durable:  true,
	}, length)
}
