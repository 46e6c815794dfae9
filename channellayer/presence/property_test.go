package presence_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/portico-go/portico/channellayer"
	"github.com/portico-go/portico/channellayer/presence"
)

// A world is several nodes on a bad network, and the truth about who is where.
type world struct {
	t       *testing.T
	random  *rand.Rand
	net     network
	c       presence.Config
	nodes   []*node // nil: killed or closed
	people  []map[*channellayer.Subscription]string
	watcher []*watcher
	silent  map[int]bool // ends that have been killed
}

func (w *world) add() {
	n := start(w.t, w.net.broker(), w.c)
	w.nodes = append(w.nodes, n)
	w.people = append(w.people, map[*channellayer.Subscription]string{})
	w.watcher = append(w.watcher, n.watch())
}

// step does one thing that can happen.
func (w *world) step() {
	i := w.random.IntN(len(w.nodes))
	n := w.nodes[i]
	if n == nil {
		return
	}
	switch action := w.random.IntN(100); {
	case action < 45:
		name := fmt.Sprintf("p%d", w.random.IntN(20))
		w.people[i][n.track(w.random.IntN(3), name)] = name
	case action < 75:
		for sub, name := range w.people[i] {
			if action%2 == 0 {
				n.Untrack(sub.Name(), "g", name)
			}
			sub.Close()
			delete(w.people[i], sub)
			break
		}
	case action < 80:
		for sub, name := range w.people[i] {
			if err := n.Track(w.t.Context(), sub.Name(), "g", name, "changed"); err != nil {
				w.t.Fatal(err)
			}
			break
		}
	case action < 84:
		w.net.set(true)
		pass(time.Duration(w.random.Int64N(int64(time.Minute))))
		w.read() // or the diffs would expire
		w.net.set(false)
	case action < 90:
		odd := w.random.IntN(3) + 2
		w.split(func(from, to int) bool { return from%odd == 0 && to%odd != 0 })
	case action < 94:
		w.split(nil)
	case action < 96 && len(w.nodes) < 8:
		w.add()
	case action == 96 && i > 0:
		w.kill(i)
	case action == 97 && i > 0:
		if err := n.Close(); err != nil {
			w.t.Error(err)
		}
		w.nodes[i] = nil
	default:
		chance := w.random.Float64() / 2
		w.net.losing(func(int, int, string) bool { return rand.Float64() < chance })
	}
}

func (w *world) split(torn func(from, to int) bool) {
	w.net.tear(func(from, to int) bool {
		return w.silent[from] || w.silent[to] || torn != nil && torn(from, to)
	})
}

// kill is kill -9: nothing comes from the node any more.
func (w *world) kill(i int) {
	w.silent[i] = true
	w.split(nil)
	w.nodes[i] = nil
}

// check compares what all nodes say with the truth, once they have had the time to find it out.
func (w *world) check() {
	w.t.Helper()
	w.net.losing(nil)
	w.split(nil)
	for range 36 { // so that no diff has to wait for longer than the layer's expiry
		pass(10 * time.Second)
		w.read()
	}
	truth := []string{}
	for i, people := range w.people {
		if w.nodes[i] == nil {
			continue
		}
		for _, name := range people {
			truth = append(truth, name)
		}
	}
	slices.Sort(truth)
	for i, n := range w.nodes {
		if n == nil {
			continue
		}
		if s := n.hub.Stats(); s.Expired+s.Dropped != 0 {
			w.t.Fatalf("the test did not read in time: %+v", s)
		}
		list, err := n.List(w.t.Context(), "g")
		if err != nil {
			w.t.Fatal(err)
		}
		keys := []string{}
		for _, p := range list {
			keys = append(keys, p.Key)
		}
		if !slices.Equal(keys, truth) {
			w.t.Fatalf("node %d has\n%v, the truth is\n%v", i, keys, truth)
		}
		w.watcher[i].agree(n)
		if first := w.nodes[0]; w.c.Grace == 0 && text(w.t, list) != text(w.t, w.watcher[0].list) {
			w.t.Fatalf("nodes %d and 0 differ: %v, %v", i, n.who(), first.who())
		}
	}
}

func (w *world) read() {
	for i, n := range w.nodes {
		if n != nil {
			w.watcher[i].diffs()
		}
	}
}

// Whatever happens, in the end all nodes have the truth, and those who watched have it from their list and the diffs.
func TestProperty(t *testing.T) {
	for run := range 12 {
		seed := rand.Uint64()
		t.Run(fmt.Sprint(run), func(t *testing.T) {
			virtual(t, func(t *testing.T) {
				t.Logf("seed %d", seed)
				w := &world{t: t, random: rand.New(rand.NewPCG(seed, 0)), silent: map[int]bool{}}
				w.c.Grace = time.Duration(run%3) * 2 * time.Second
				for range 3 {
					w.add()
				}
				for range 4 {
					for range 60 {
						w.step()
						pass(time.Duration(w.random.ExpFloat64() * float64(time.Second)))
						w.read()
					}
					w.check()
				}
			})
		})
	}
}
