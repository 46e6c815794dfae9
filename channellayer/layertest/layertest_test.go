package layertest_test

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/portico-go/portico/channellayer"
	"github.com/portico-go/portico/channellayer/layertest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestMemory(t *testing.T) {
	t.Parallel()
	layertest.Run(t, layertest.Backend{})
}

func TestLoopback(t *testing.T) {
	t.Parallel()
	var server layertest.Loopback
	layertest.Run(t, layertest.Backend{
		Broker: func(*testing.T) channellayer.Broker { return server.Broker() },
		Stop:   func(*testing.T) { server.Stop() },
		Start:  func(*testing.T) { server.Start() },
		Groups: 100_000,
	})
	if n := server.Subscriptions(); n != 0 {
		t.Errorf("%d subscriptions are left", n)
	}
}

func TestMemoryHistory(t *testing.T) {
	t.Parallel()
	layertest.History(t, layertest.Backend{})
}

func TestLoopbackHistory(t *testing.T) {
	t.Parallel()
	var server layertest.Loopback
	layertest.History(t, layertest.Backend{
		Broker:  func(*testing.T) channellayer.Broker { return server.Broker() },
		Stop:    func(*testing.T) { server.Stop() },
		Start:   func(*testing.T) { server.Start() },
		Durable: true,
	})
}

func TestLoopbackCrashes(t *testing.T) {
	t.Parallel()
	var server layertest.Loopback
	layertest.Crashes(t, layertest.Backend{
		Broker:  func(*testing.T) channellayer.Broker { return server.Broker() },
		Stop:    func(*testing.T) { server.Stop() },
		Start:   func(*testing.T) { server.Start() },
		Durable: true,
	}, 2*time.Second)
}

// The specification names a clause for each of its rules, and no clause of the suite is missing from it but those of a broker itself and of names.
func TestSpecification(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/channel-layer.md")
	if err != nil {
		t.Fatal(err)
	}
	var named []string
	for line := range strings.Lines(string(page)) {
		if cells := strings.Split(line, "|"); len(cells) == 5 && regexp.MustCompile(`^ [349]\.\d+ $`).MatchString(cells[1]) {
			for _, m := range regexp.MustCompile("`(\\w+)`").FindAllStringSubmatch(cells[3], -1) {
				named = append(named, m[1])
			}
		}
	}
	if len(named) < 20 {
		t.Fatalf("the page names %d clauses only", len(named))
	}
	for _, name := range named {
		if !slices.Contains(layertest.Clauses(), name) {
			t.Errorf("the page names %s, which is no clause", name)
		}
	}
	elsewhere := []string{"OneReaderPerChannel", "Names", "NamesAcrossNodes", "Kinds", "Close", "CloseOneNode"}
	for _, name := range layertest.Clauses() {
		if !slices.Contains(named, name) && !slices.Contains(elsewhere, name) && !strings.HasPrefix(name, "Broker") {
			t.Errorf("the page does not name the clause %s", name)
		}
	}
}
