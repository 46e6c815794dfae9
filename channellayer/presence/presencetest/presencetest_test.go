package presencetest_test

import (
	"os"
	"regexp"
	"slices"
	"strings"
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

// The specification names each clause of the suite, and no other.
func TestSpecification(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../../docs/channel-layer.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range presencetest.Clauses() {
		if !strings.Contains(string(page), "`"+name+"`") {
			t.Errorf("the page does not name the clause %s", name)
		}
	}
	for _, name := range regexp.MustCompile("`(Presence\\w+)`").FindAllStringSubmatch(string(page), -1) {
		if !slices.Contains(presencetest.Clauses(), name[1]) {
			t.Errorf("the page names %s, which is no clause", name[1])
		}
	}
}
