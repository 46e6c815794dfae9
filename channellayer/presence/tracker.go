package presence

import (
	"context"
	crand "crypto/rand"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/portico-go/portico/channellayer"
)

// A Tracker knows who is in the groups that this process has to do with. There is one for each hub. Its methods are safe for concurrent use.
type Tracker struct {
	hub    *channellayer.Hub
	config Config
	id     string // of this node, in this life: a process that starts again is another node
	born   time.Time
	beats  *channellayer.Subscription // what concerns all nodes
	ctx    context.Context            //nolint:containedctx // ends with the tracker
	cancel context.CancelFunc
	work   chan struct{} // there is something for run
	say    chan struct{} // there is something for speak
	ended  sync.WaitGroup

	// mu guards what follows, and the fields of all rooms. It is held for moments only, and no message is sent with it held.
	mu     sync.Mutex
	closed bool
	clock  uint64 // of the last step that this node has told of, in any group
	refs   uint64 // the last number that one of this node's presences got
	rooms  map[string]*room
	agenda agenda
	ready  []*room // for run
	outbox []*room // for speak
	nodes
}

// An instant is a time on the tracker's own clock, which is monotonic and knows of nobody else's. Zero means never.
type instant = time.Duration

// breath is how long a node waits, at random, before it asks or answers, so that many do not talk at once and one answer serves all who asked.
const breath = 50 * time.Millisecond

// idLength is 80 bits: enough to tell nodes apart, and short, because each presence has it in its ID.
const idLength = 16

// settle is how long a node that comes new to a group waits for others to say what they have there.
const settle = 5 * breath

// New returns a tracker of the presences of a hub's connections, or an error that names the field of the configuration that is wrong. It starts two goroutines; close it
// when done, before the hub. A broker that is away is no error.
func New(hub *channellayer.Hub, c Config) (*Tracker, error) {
	c, err := c.withDefaults()
	if err != nil {
		return nil, err
	}
	t := &Tracker{
		hub: hub, config: c, id: crand.Text()[:idLength], born: time.Now(),
		work: make(chan struct{}, 1), say: make(chan struct{}, 1),
		rooms: map[string]*room{},
	}
	t.nodes = nodes{known: map[string]*node{}, beatNow: true, hello: true}
	if t.beats, err = hub.Subscribe(hub.NewChannel(c.Name), func() { signal(t.work) }); err != nil {
		return nil, fmt.Errorf("presence: %w", err)
	}
	t.ctx, t.cancel = context.WithCancel(context.Background())
	_, t.down = broken(t.beats.Join(t.ctx, c.Name))
	t.ended.Add(2)
	go t.run()
	go t.speak()
	signal(t.say)
	return t, nil
}

// Close ends all presences of this node, tells the others, and waits up to a second for that. Those who watch here are told nothing more. Later calls
// return an error that matches [channellayer.ErrClosed]. Calling it again does nothing.
func (t *Tracker) Close() error {
	t.mu.Lock()
	if t.closed {
		t.mu.Unlock()
		return nil
	}
	t.closed = true
	rooms := t.rooms
	for _, r := range rooms {
		r.over = true
		r.settle()
	}
	t.rooms, t.ready, t.outbox, t.agenda = nil, nil, nil, nil
	t.mu.Unlock()

	t.cancel()
	t.ended.Wait() // so that the goodbye is the last word
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	err := t.tell(ctx, t.config.Name, t.beats, typeBye, bye{Node: t.id})
	for _, r := range rooms {
		r.close()
	}
	t.beats.Close()
	if _, down := broken(err); down {
		return nil
	}
	return err
}

// Stats are a tracker's sizes now, and how often it found that it had missed something.
type Stats struct {
	Groups    int    // that this node has to do with
	Nodes     int    // other nodes that live
	Presences int    // of all nodes in these groups
	Behind    uint64 // times that a node's state had to be asked for, because a message was lost
}

// Stats returns the sizes.
func (t *Tracker) Stats() Stats {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := Stats{Groups: len(t.rooms), Nodes: len(t.known), Behind: t.behind}
	for _, r := range t.rooms {
		for _, o := range r.owners {
			s.Presences += len(o.places)
		}
	}
	return s
}

// run is the goroutine that reads what others say, keeps the time, and tells those who watch.
func (t *Tracker) run() {
	defer t.ended.Done()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-t.ctx.Done():
			return
		case <-t.work:
		case <-timer.C:
		}
		t.readBeats()
		t.keepTime()
		for r := t.next(); r != nil; r = t.next() {
			r.turn()
		}
		timer.Reset(t.pause())
	}
}

// speak is the goroutine that talks to other nodes. It may have to wait for the broker, which must not keep those who watch here waiting.
func (t *Tracker) speak() {
	defer t.ended.Done()
	for {
		select {
		case <-t.ctx.Done():
			return
		case <-t.say:
		}
		for more := true; more; {
			if b, ok := t.beat(); ok {
				_ = t.tell(t.ctx, t.config.Name, t.beats, typeBeat, b) // lost is lost: the next one comes
			}
			more = t.utter()
		}
	}
}

// utter says what one room has to say, and reports whether there was one.
func (t *Tracker) utter() bool {
	t.mu.Lock()
	if len(t.outbox) == 0 {
		t.mu.Unlock()
		return false
	}
	r := t.outbox[0]
	t.outbox[0] = nil
	t.outbox = t.outbox[1:]
	words := r.words()
	t.mu.Unlock()
	for _, w := range words {
		_ = t.tell(t.ctx, r.control, r.sub, w.kind, w.value) // whoever misses it finds the gap, and asks
	}
	return true
}

// tell sends a message to the trackers that are in a group, this one excepted.
func (t *Tracker) tell(ctx context.Context, control string, self *channellayer.Subscription, kind string, value any) error {
	_, err := t.hub.GroupSend(ctx, control, channellayer.Event{Type: kind, Value: value}, channellayer.Except(self.Name()))
	return err
}

// now is the time. It is never zero.
func (t *Tracker) now() instant { return time.Since(t.born) + 1 }

// soon returns an instant within the next d, at random.
func (t *Tracker) soon(now instant, d time.Duration) instant {
	return now + 1 + rand.N(d) //nolint:gosec // jitter is no secret
}

func signal(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
